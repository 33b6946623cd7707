"""The step kinds, and the step: common keys and exactly one kind."""

from __future__ import annotations

from workflows_app.engine.definition.language.scalars import (
    MOMENT,
    Schema,
    described,
    mapping,
    named,
    one_key_of,
    ref,
    text,
)
from workflows_app.engine.definition.language.step_keys import STEP_KEYS

_COUNT: Schema = {"type": "integer", "minimum": 1}

KINDS: Schema = {
    "activity": described("activity_name", "Runs registered code on a worker; output: its result."),
    "set": described("assignments", "Assigns variables; output: the values."),
    "choice": {
        "description": "Takes the first branch that holds; the last may leave `when` out (else). "
        "Output: the last output of the branch taken, null where none holds.",
        "type": "array",
        "minItems": 1,
        "items": mapping(
            "One branch.",
            {"when": described("expression", "The branch's condition."), "steps": ref("steps")},
            required=("steps",),
        ),
    },
    "parallel": mapping(
        "Runs branches side by side. Output: the last output of each branch by name.",
        {
            "branches": named("Steps by branch.", ref("steps")),
            "join": ref("join"),
            "rest": ref("rest"),
            "tolerate": ref("tolerate"),
        },
        required=("branches",),
    ),
    "foreach": mapping(
        "Runs its steps once per item. Output: in item order `collect`, else the last outputs.",
        {
            "items": {
                "description": "The items: an expression, or a list.",
                "type": ["string", "array"],
                "minLength": 1,
            },
            "as": described("id", "Name of the item in expressions."),
            "max_concurrency": {**_COUNT, "description": "How many items at once."},
            "batch_size": {**_COUNT, "description": "Items per run; `item` is then a list."},
            "collect": described("value", "What to keep of each run."),
            "join": ref("join"),
            "rest": ref("rest"),
            "tolerate": ref("tolerate"),
            "steps": ref("steps"),
        },
        required=("items", "steps"),
    ),
    "loop": mapping(
        "Repeats its steps. Output: the last output of the last iteration.",
        {
            "while": described("expression", "Tested before each iteration."),
            "until": described("expression", "Tested after each iteration."),
            "times": {
                "description": "A number of iterations, or an expression of it.",
                "type": ["integer", "string"],
                "minimum": 0,
            },
            "max_iterations": {**_COUNT, "description": "Bound on the iterations."},
            "steps": ref("steps"),
        },
        required=("steps",),
        oneOf=[{"required": ["while"]}, {"required": ["until"]}, {"required": ["times"]}],
        errorMessage={"oneOf": "needs exactly one of while, until, times"},
    ),
    "wait": one_key_of(
        "A durable timer. Output: null.",
        {
            "for": {
                "description": "How long: a duration, or an expression of one.",
                "anyOf": [
                    {
                        "type": "string",
                        "pattern": r"\$\{",
                        "errorMessage": {"pattern": "must be an expression, ${ … }"},
                    },
                    ref("interval"),
                ],
            },
            "until": text(
                "Until when: a time with its offset (2026-12-24T08:00:00Z), or an expression of one.",
                minLength=1,
                format=MOMENT,
            ),
        },
    ),
    "receive": ref("receive"),
    "emit": ref("emit"),
    "call": mapping(
        "Runs another workflow. Output: its output.",
        {
            "workflow": ref("workflow_name"),
            "version": ref("version"),
            "input": described("value", "The other workflow's input."),
            "wait": {"type": "boolean", "default": True, "description": "Whether the step waits for the end."},
        },
        required=("workflow",),
    ),
    "decide": mapping(
        "Evaluates a decision table. Output: its outputs.",
        {
            "table": described("workflow_name", "Name of the table."),
            "version": described("version", "A version of it; without, its highest when the step is reached."),
            "input": described("value", "The table's inputs: a mapping, or an expression of one."),
        },
        required=("table",),
    ),
    "adhoc": mapping(
        "People pick, add, repeat or skip steps of the set. Output: output by step.",
        {
            "steps": ref("steps"),
            "complete_when": described("expression", "The set is done when this holds."),
            "assign": ref("assign"),
        },
        required=("steps",),
    ),
    "approval": ref("approval"),
    "form": ref("form"),
    "manual": ref("manual"),
    "return": mapping(
        "Ends the instance early as completed; the rest is cancelled without undo.",
        {"output": described("value", "The instance's output.")},
    ),
    "fail": mapping(
        "Ends the instance early as failed.",
        {"code": ref("error_code"), "message": described("template", "The reason, for people.")},
        required=("code",),
    ),
}

DEFINITIONS: Schema = {
    "step": mapping(
        "One step: an id, exactly one kind key, and any of the common keys.",
        {
            **STEP_KEYS,
            "with": described("parameters", "Parameters of the activity, evaluated once when first scheduled."),
            **KINDS,
        },
        required=("id",),
        oneOf=[{"required": [kind]} for kind in KINDS],
        dependentRequired={"with": ["activity"]},
    ),
    "steps": {
        "description": "Steps in order; each depends on the one before unless it says `needs`.",
        "type": "array",
        "minItems": 1,
        "items": ref("step"),
        "errorMessage": {"minItems": "needs at least one step", "type": "must be a list of steps"},
    },
}
