"""Events: steps that receive and emit them, and the triggers that start instances."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import Schema, described, mapping, one_key_of, ref, text

DEFINITIONS: Schema = {
    "receive": mapping(
        "Waits for an event or a signal, or for the answer at an address of its own, without time-out unless stated. "
        "Output: the event.",
        {
            "event": ref("event_type"),
            "callback": {
                "description": "In place of `event`: an address that an earlier step hands out with `callback()`; the "
                "first answer at it is the event.",
                "anyOf": [
                    {"const": True, "description": "Who knows the address may answer."},
                    mapping(
                        "Who answers has to sign, too.",
                        {"secret": text("Name of the secret that signs it.", minLength=1, maxLength=100)},
                        required=("secret",),
                    ),
                ],
            },
            "correlate": described("template", "Key that must match; default: the correlation id."),
            "where": described("expression", "Takes only events for which this holds."),
            "timeout": described("duration", "How long to wait."),
        },
    ),
    "emit": mapping(
        "Publishes an event. Output: null.",
        {
            "event": ref("event_type"),
            "data": described("value", "The event's data."),
            "correlate": described("template", "Key of the event; default: the correlation id."),
        },
        required=("event",),
    ),
    "trigger": one_key_of(
        "What starts an instance by itself.",
        {
            "schedule": mapping(
                "Starts by the clock.",
                {
                    "cron": text("A cron expression.", minLength=1),
                    "timezone": text("Name in the time zone database, for example Europe/Berlin.", minLength=1),
                    "input": described("value", "The instance's input."),
                },
                required=("cron",),
            ),
            "webhook": mapping(
                "Starts by a signed HTTP request.",
                {
                    "path": text("Last part of the address.", minLength=1),
                    "secret": text("Name of the secret that signs it.", minLength=1),
                    "input": described("value", "The instance's input; may read `event`."),
                },
                required=("path",),
            ),
            "event": mapping(
                "Starts by an event.",
                {
                    "type": ref("event_type"),
                    "where": described("expression", "Only for events for which this holds."),
                    "input": described("value", "The instance's input; may read `event`."),
                },
                required=("type",),
            ),
        },
    ),
}
