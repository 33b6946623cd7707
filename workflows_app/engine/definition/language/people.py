"""Steps that ask people: approval, form, manual."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import Schema, described, mapping, one_key_of, ref, text

_DURATIONS: Schema = {"type": "array", "items": ref("duration")}

DEFINITIONS: Schema = {
    "assign": one_key_of(
        "Who is asked.",
        {
            "user": described("template", "One user."),
            "users": {**ref("names"), "description": "Several users."},
            "group": described("template", "Everyone in a group."),
            "role": described("template", "Everyone with a role."),
            "expression": described("expression", "An expression of a user name or a list of them."),
        },
    ),
    "approval": mapping(
        "Asks people for a decision. Output: {decision: approved | rejected, decisions, timed_out}.",
        {
            "title": described("template", "What is asked."),
            "description": described("template", "What the decision is about."),
            "assign": ref("assign"),
            "rule": {
                "description": "Whose consent is enough.",
                "anyOf": [
                    {"enum": ["any", "all"], "description": "One of them, or all."},
                    one_key_of(
                        "A number of them, or a weight.",
                        {
                            "quorum": {"type": "integer", "minimum": 1, "description": "How many must approve."},
                            "weight": {"type": "number", "exclusiveMinimum": 0, "description": "Weight to reach."},
                        },
                    ),
                ],
                "default": "any",
            },
            "order": {
                "enum": ["parallel", "sequence"],
                "default": "parallel",
                "description": "All at once, or one after the other.",
            },
            "members": {
                "description": "Several askings with their own role, form, time limit and condition.",
                "type": "array",
                "minItems": 1,
                "items": mapping(
                    "One member.",
                    {
                        "assign": ref("assign"),
                        "form": ref("json_schema"),
                        "due": ref("duration"),
                        "when": described("expression", "Asked only if this holds."),
                        "weight": {"type": "number", "exclusiveMinimum": 0, "description": "Weight of the decision."},
                    },
                    required=("assign",),
                ),
            },
            "form": described("json_schema", "Fields that go with the decision."),
            "due": described("duration", "Time for the decision."),
            "remind": {**_DURATIONS, "description": "When to remind, counted from the start."},
            "on_timeout": {
                "description": "What happens when nobody decided in time.",
                "enum": ["notify", "escalate", "auto_approve", "auto_reject", "retry"],
            },
            "escalate_to": described("assign", "Who is asked then."),
            "not_by": {
                "description": "Users who may not decide (separation of duties).",
                "type": "array",
                "items": ref("template"),
            },
        },
        required=("title",),
        anyOf=[{"required": ["assign"]}, {"required": ["members"]}],
        errorMessage={"anyOf": "needs assign or members"},
    ),
    "form": mapping(
        "Asks people for data. Output: the data.",
        {
            "title": described("template", "What is asked."),
            "description": described("template", "What the data is for."),
            "assign": ref("assign"),
            "schema": described("json_schema", "The fields."),
            "initial": described("value", "Values to begin with."),
            "due": described("duration", "Time for the answer."),
        },
        required=("title", "assign", "schema"),
    ),
    "manual": mapping(
        "Asks people to do something and say so.",
        {
            "title": described("template", "What is to be done."),
            "assign": ref("assign"),
            "action": text("What is to be done, in a word."),
            "details": described("value", "Whatever helps to do it."),
            "due": described("duration", "Time for it."),
        },
        required=("title", "assign"),
    ),
}
