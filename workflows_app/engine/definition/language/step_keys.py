"""The keys that any step may have: order, skipping, joins, time, retry, errors, undo, placement."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import (
    Schema,
    described,
    mapping,
    named,
    one_key_of,
    ref,
    text,
)

_COUNT: Schema = {"type": "integer", "minimum": 1}
_QUANTITY: Schema = {"type": ["number", "string"], "description": "A number, or text with a unit such as 512MB."}
_STEPS: Schema = {"type": "array", "items": ref("id"), "uniqueItems": True}
_PATHS: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}
_REACTIONS: list[Schema] = [
    {
        "description": "`fail` (default) fails the instance; `continue` tolerates the failure.",
        "enum": ["fail", "continue"],
    },
    one_key_of(
        "Another way on.",
        {
            "goto": described("id", "A later step of the same list; those between are skipped."),
            "fallback": mapping(
                "An activity that stands in; the step completes with its result.",
                {"activity": ref("activity_name"), "with": ref("parameters")},
                required=("activity",),
            ),
            "output": described("value", "The step completes with this output; the error is kept."),
        },
    ),
]

DEFINITIONS: Schema = {
    "join": {
        "description": "How many dependencies a step or a block waits for.",
        "anyOf": [
            {
                "description": "`all` (default): every one is settled; `any`: the first one completed.",
                "enum": ["all", "any"],
            },
            mapping(
                "`at_least: n`: n are completed.",
                {"at_least": {**_COUNT, "description": "How many must complete."}},
                required=("at_least",),
            ),
        ],
        "default": "all",
    },
    "rest": {
        "description": "What happens to the others once a join is decided: they go on, or they are cancelled.",
        "enum": ["let_finish", "cancel"],
        "default": "let_finish",
    },
    "tolerate": {"description": "How many failures are forgiven.", "type": "integer", "minimum": 0, "default": 0},
    "needs": {
        "description": "Steps that must settle first. Left out: the step written just before, unless `defaults` say "
        "otherwise.",
        "anyOf": [
            {**_STEPS, "description": "Steps of the same list; empty: none, the step starts at once."},
            ref("inferred"),
            mapping(
                "The same, and further steps.",
                {
                    "inferred": {"description": "What the step reads.", "const": True},
                    "also": {**_STEPS, "description": "Further steps of the same list."},
                },
                required=("inferred",),
            ),
        ],
    },
    "inferred": {
        "description": "`inferred`: the steps of the same list whose results are read in the step or inside it; none: "
        "the step starts at once.",
        "const": "inferred",
    },
    "retry": mapping(
        "When a failed attempt is followed by another. Given in a step, it replaces the one in `defaults` as a whole; "
        "keys left out take the values named here.",
        {
            "max_attempts": {
                "description": "Attempts in all, the first included.",
                "type": "integer",
                "minimum": 1,
                "maximum": 10000,
                "default": 3,
            },
            "backoff": {
                "description": "How the interval grows.",
                "enum": ["fixed", "linear", "exponential", "random"],
                "default": "exponential",
            },
            "initial_interval": {**described("interval", "Time before the second attempt."), "default": "1s"},
            "multiplier": {
                "description": "Factor of the exponential back-off.",
                "type": "number",
                "minimum": 1,
                "maximum": 1000,
                "default": 2,
            },
            "max_interval": {**described("interval", "Longest time between two attempts."), "default": "60s"},
            "jitter": {
                "description": "Fraction by which an interval may vary, 0 to 1.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.1,
            },
            "non_retryable": {
                "description": "Codes of errors after which no other attempt is made.",
                "type": "array",
                "items": ref("error_code"),
                "uniqueItems": True,
            },
            "when": described("expression", "Another attempt only if this holds; it may read `error`."),
            "limits": {
                "description": "Numbers of attempts for failures of one kind. A failure counts against the first limit "
                "that it meets, and against `max_attempts` where it meets none.",
                "type": "array",
                "minItems": 1,
                "maxItems": 20,
                "items": ref("retry_limit"),
            },
        },
    ),
    "retry_limit": {
        **mapping(
            "How many attempts may end with failures of one kind; either `code` or `when` says which.",
            {
                "code": described("error_code", "Those with this code, compared whole."),
                "when": described("expression", "Those for which this holds; it may read `error`."),
                "max_attempts": {
                    "description": "After so many of them no other attempt is made.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 10000,
                },
            },
            required=("max_attempts",),
        ),
        "oneOf": [{"required": ["code"]}, {"required": ["when"]}],
        "errorMessage": {"oneOf": "must say by either `code` or `when` which failures it counts"},
    },
    "on_error": {
        "description": "What a failure beyond the retry policy means.",
        "anyOf": [
            *_REACTIONS,
            {
                "description": "Cases, of which the first that fits says it; where none fits, it is `fail`.",
                "type": "array",
                "minItems": 1,
                "maxItems": 20,
                "items": ref("error_case"),
            },
        ],
        "default": "fail",
    },
    "error_case": mapping(
        "What some failures mean. A case fits where all that it asks for is so; the last may ask for nothing.",
        {
            "codes": {
                "description": "The error has one of these codes, compared whole.",
                "type": "array",
                "minItems": 1,
                "items": ref("error_code"),
                "uniqueItems": True,
            },
            "when": described("expression", "This holds; it may read `error`."),
            "attempts": mapping(
                "So many attempts of the step have failed.",
                {
                    "at_least": {
                        "description": "How many, the last one included.",
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 10000,
                    },
                    "within": described("duration", "In this time up to now; left out: since the step began."),
                },
                required=("at_least",),
            ),
            "then": {"description": "What the failure means then.", "anyOf": _REACTIONS},
        },
        required=("then",),
    ),
    "compensate": {
        "description": "How the completed step is undone.",
        "anyOf": [
            {"description": "`irreversible` marks a pivot: nothing undoes it.", "const": "irreversible"},
            mapping(
                "An activity that undoes the step; `output` and `with` are the step's own, `error` says what it is "
                "undone for.",
                {
                    "activity": ref("activity_name"),
                    "with": ref("parameters"),
                    "when": described("expression", "The step needs no undo unless this holds when its turn comes."),
                    "timeout": described("duration", "Time for one attempt of the undo."),
                    "retry": ref("retry"),
                },
                required=("activity",),
            ),
        ],
    },
    "parameters": {
        "description": "Parameters of an activity by name; values may hold ${ expressions }.",
        "type": "object",
    },
    "placement": mapping(
        "Where the step may run.",
        {
            "location": text("Name of a site."),
            "labels": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Labels of a node.",
            },
            "affinity": {**_PATHS, "description": "Steps whose node is preferred."},
            "anti_affinity": {**_PATHS, "description": "Steps whose node is avoided."},
            "data_locality": {"type": ["boolean", "string"], "description": "Run near the data."},
        },
    ),
    "resources": mapping(
        "What an attempt takes up.",
        {
            "cpu": {**_QUANTITY, "description": "Cores."},
            "memory": {**_QUANTITY, "description": "Memory."},
            "disk": {**_QUANTITY, "description": "Disk space."},
            "gpu": {**_QUANTITY, "description": "Graphics processors."},
        },
    ),
    "ui": mapping(
        "Where the editor draws the step.",
        {
            "x": {"type": "number", "description": "Pixels from the left."},
            "y": {"type": "number", "description": "Pixels from the top."},
        },
    ),
    "assignments": named("Values by variable.", ref("value")),
}

STEP_KEYS: Schema = {
    "id": ref("id"),
    "name": text("Name for people.", maxLength=200),
    "description": text("What the step is for."),
    "needs": ref("needs"),
    "when": described("expression", "The step is skipped unless this holds."),
    "join": ref("join"),
    "rest": ref("rest"),
    "tolerate": ref("tolerate"),
    "join_deadline": described("duration", "Ends the waiting for dependencies."),
    "timeout": described("duration", "Time for one attempt."),
    "deadline": described("duration", "Time for all attempts and the waiting between them."),
    "retry": ref("retry"),
    "on_error": ref("on_error"),
    "compensate": ref("compensate"),
    "queue": described("queue_name", "Queue that the step's messages go to."),
    "priority": ref("priority"),
    "placement": ref("placement"),
    "resources": ref("resources"),
    "reads": {**_PATHS, "description": "Data that the step reads."},
    "writes": {**_PATHS, "description": "Data that the step writes."},
    "idempotency_key": described(
        "template", "Key for the other side, 1 to 200 printable characters; default: instance, step path, rerun number."
    ),
    "cache": mapping(
        "Reuse of an earlier result.",
        {
            "ttl": described("duration", "How long a result is reused."),
            "key": described("template", "What makes two runs the same."),
        },
        required=("ttl",),
    ),
    "batch": {
        "type": "boolean",
        "default": True,
        "description": "Whether the step may share a message: after a light step, or in a chunk of parallel ones.",
    },
    "disabled": {"type": "boolean", "default": False, "description": "A disabled step is skipped."},
    "notes": {"type": ["string", "array", "object"], "description": "Remarks for people."},
    "ui": ref("ui"),
}
