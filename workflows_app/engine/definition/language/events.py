"""Events: steps that receive and emit them, and the triggers that start instances."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import Schema, described, mapping, one_key_of, ref, text

DEFINITIONS: Schema = {
    "receive": mapping(
        "Waits for an event or a signal, without time-out unless stated. Output: the event.",
        {
            "event": ref("event_type"),
            "correlate": described("template", "Key that must match; default: the correlation id."),
            "where": described("expression", "Takes only events for which this holds."),
            "timeout": described("duration", "How long to wait."),
        },
        required=("event",),
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
