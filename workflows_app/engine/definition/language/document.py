"""The document: what flows and state machines have in common, and what each adds."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import Schema, described, mapping, ref, text


def _ending(event: str) -> Schema:
    return {
        "description": f"What {event} does: undo the completed steps or leave them. "
        "Default: compensate where any step has a compensation.",
        "enum": ["compensate", "stop"],
    }


COMMON: Schema = {
    "workflow": ref("workflow_name"),
    "version": ref("version"),
    "title": text("Title for people.", maxLength=200),
    "description": text("What the workflow is for."),
    "metadata": {
        "description": "Free facts: owner, tags (words that instances are found by), data_sensitivity and others.",
        "type": "object",
    },
    "input": described("json_schema", "JSON Schema of the input."),
    "variables": {
        "description": "Mutable variables of the instance with their first values (constants).",
        "type": "object",
        "propertyNames": ref("id"),
    },
    "timeout": described("duration", "Time for the whole instance."),
    "on_failure": _ending("a failure"),
    "on_cancel": _ending("a cancellation"),
    "on_timeout": _ending("a time-out of the instance"),
    "priority": ref("priority"),
    "concurrency": mapping(
        "How many instances run at once; excess ones stay pending, first in first out per key.",
        {
            "limit": {"type": "integer", "minimum": 1, "description": "Instances at once."},
            "key": described("template", "What the limit counts by."),
        },
        required=("limit",),
    ),
    "retention": ref("retention"),
    "defaults": mapping(
        "Where steps say nothing themselves.",
        {
            "timeout": described(
                "duration", "Time for one attempt of an activity step, where its activity has none of its own."
            ),
            "retry": described("retry", "When an activity step is tried again."),
            "needs": described("inferred", "`inferred`: every step waits for what it reads, not for the one before."),
        },
    ),
    "output": described("value", "The instance's output."),
    "triggers": {"description": "What starts instances by itself.", "type": "array", "items": ref("trigger")},
}

_KINDS = "must be flow or state_machine"

DEFINITIONS: Schema = {
    "retention": {
        "description": "How long an instance is kept after its end. Left out: what the installation says.",
        "anyOf": [
            {"description": "Never deleted by itself, whatever the installation says.", "const": "forever"},
            described("duration", "It is purged then."),
            mapping(
                "The same, and what becomes of it then.",
                {
                    "keep": described("duration", "Time after its end."),
                    "then": {
                        "description": "It is deleted, or archived and deleted.",
                        "enum": ["purge", "archive"],
                        "default": "purge",
                    },
                },
                required=("keep",),
            ),
        ],
    },
    "flow": mapping(
        "Steps with an order between them.",
        {
            "kind": {"const": "flow", "description": "A flow.", "default": "flow", "errorMessage": _KINDS},
            **COMMON,
            "steps": ref("steps"),
        },
        required=("workflow", "version", "steps"),
    ),
    "state_machine": mapping(
        "States and the events that move between them.",
        {
            "kind": {"const": "state_machine", "description": "A state machine."},
            **COMMON,
            "initial": described("id", "State that an instance begins in."),
            "states": ref("states"),
            "transitions": ref("transitions"),
        },
        required=("workflow", "version", "initial", "states", "transitions"),
    ),
}
