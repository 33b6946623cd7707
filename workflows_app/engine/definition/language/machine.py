"""State machines: states, and transitions that events set off."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import Schema, described, mapping, named, ref, text

DEFINITIONS: Schema = {
    "state": mapping(
        "One state.",
        {
            "description": text("What the state means."),
            "terminal": {"type": "boolean", "default": False, "description": "Whether the machine ends here."},
            "timeout": described("duration", "How long the machine may stay."),
            "on_timeout": described("id", "State to move to then."),
        },
        dependentRequired={"timeout": ["on_timeout"], "on_timeout": ["timeout"]},
    ),
    "action": mapping(
        "An activity that a transition performs.",
        {
            "activity": ref("activity_name"),
            "with": ref("parameters"),
            "result": described("id", "Variable that takes the result."),
            "timeout": described("duration", "Time for one attempt."),
            "retry": ref("retry"),
            "compensate": ref("compensate"),
        },
        required=("activity",),
    ),
    "transition": mapping(
        "A move from one state to another, set off by an event.",
        {
            "name": text("Name for people.", maxLength=200),
            "description": text("What the move means."),
            "from": {
                "description": "State or states that the move starts from.",
                "anyOf": [ref("id"), {"type": "array", "items": ref("id"), "minItems": 1, "uniqueItems": True}],
            },
            "to": described("id", "State that the move ends in."),
            "event": ref("event_type"),
            "when": described("expression", "The move is refused unless this holds."),
            "do": {
                "description": "Runs before the move; its failure keeps the state.",
                "type": "array",
                "items": ref("action"),
            },
            "then": {"description": "Runs after the move.", "type": "array", "items": ref("action")},
            "set": described("assignments", "Assigns variables with the move."),
            "compensate": {"type": "boolean", "description": "Undoes what was done, newest first."},
        },
        required=("from", "to", "event"),
    ),
    "states": named("The states by name.", ref("state")),
    "transitions": {"description": "The moves.", "type": "array", "minItems": 1, "items": ref("transition")},
}
