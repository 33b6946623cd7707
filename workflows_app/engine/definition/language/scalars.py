"""Names, versions, durations and expressions: the leaves of the language, and how to write its schemas briefly."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.durations import EXPECTED, ISO_PATTERN, SHORT_PATTERN

Schema = dict[str, Any]

LONGEST_NAME = 100
LONGEST_VERSION = 60
SEMVER = (
    # Numbers that the database can put in order.
    r"(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)
"""Semantic Versioning 2.0.0, https://semver.org."""
EVENT_TYPE = r"[A-Za-z0-9_][A-Za-z0-9_.:-]*"
LONGEST_EVENT_TYPE = 200

TIMED = "positive-duration"
"""Format of a duration that must be longer than zero and at most 100 years."""
ANY_TIME = "duration-text"
"""Format of a duration that may be zero."""
MOMENT = "moment"
"""Format of a point in time: RFC 3339 with an offset, or an expression."""


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def mapping(description: str, properties: Schema, *, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A mapping that knows all its keys."""
    schema: Schema = {"description": description, "type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False, **more}


def one_key_of(description: str, properties: Schema) -> Schema:
    """A mapping with exactly one of its keys."""
    words = f"needs exactly one of {', '.join(properties)}"
    counted: dict[str, Any] = {"minProperties": 1, "maxProperties": 1}
    return mapping(description, properties, **counted, errorMessage=dict.fromkeys(counted, words))


def text(description: str, **more: Any) -> Schema:
    return {"description": description, "type": "string", **more}


def described(name: str, description: str) -> Schema:
    return {**ref(name), "description": description}


def named(description: str, value: Schema) -> Schema:
    """A non-empty mapping whose keys are ids."""
    return {
        "description": description,
        "type": "object",
        "minProperties": 1,
        "propertyNames": ref("id"),
        "additionalProperties": value,
    }


DEFINITIONS: Schema = {
    "id": {
        "description": "Id of a step, a branch or a variable: lower case, digits, underscores; unique in the document.",
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]*$",
        "maxLength": LONGEST_NAME,
        "errorMessage": f"must match [a-z][a-z0-9_]* (lower case letters, digits, underscores; at most {LONGEST_NAME})",
    },
    "workflow_name": {
        "description": "Name of a workflow in kebab case.",
        "type": "string",
        "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        "maxLength": LONGEST_NAME,
        "errorMessage": f"must be a name in kebab case such as order-processing (at most {LONGEST_NAME} characters)",
    },
    "version": {
        "description": "Semantic version, for example 1.0.0 or 2.1.0-rc.1.",
        "type": "string",
        "pattern": f"^{SEMVER}$",
        "maxLength": LONGEST_VERSION,
        "errorMessage": 'must be a semantic version such as 1.0.0, as text (write "1.0.0")',
    },
    "activity_name": {
        "description": "Name of a registered activity type, optionally with its version: orders.validate@1.2.0.",
        "type": "string",
        "pattern": rf"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*(@{SEMVER})?$",
        "maxLength": 200,
        "errorMessage": "must be the name of an activity type such as orders.validate or orders.validate@1.2.0",
    },
    "error_code": {
        "description": "Stable name of an error: upper snake case or the exception's class name.",
        "type": "string",
        "pattern": r"^[A-Za-z_][A-Za-z0-9_.]*$",
        "maxLength": LONGEST_NAME,
        "errorMessage": "must be an error code such as CARD_DECLINED or the name of an exception class",
    },
    "queue_name": {
        "description": "Name of a worker queue.",
        "type": "string",
        "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        "maxLength": LONGEST_NAME,
        "errorMessage": "must be a queue name: letters, digits, underscore, dot, hyphen",
    },
    "event_type": text(
        "Type of an event, for example order.created.",
        pattern=f"^{EVENT_TYPE}$",
        maxLength=LONGEST_EVENT_TYPE,
        errorMessage="must be a type of event such as order.created: letters, digits, underscore, dot, colon, hyphen",
    ),
    "expression": {
        "description": "A CEL expression, bare or wrapped in ${ }; true and false may stand unquoted.",
        "type": ["string", "boolean"],
        "minLength": 1,
        "errorMessage": "must be an expression, bare or wrapped in ${ }",
    },
    "template": text("Text that may hold ${ expressions }; `$${` writes a literal."),
    "value": {"description": "Any JSON value; its strings may hold ${ expressions }."},
    "duration": {
        "description": "A duration longer than zero: 500ms, 30s, 5m, 2h, 3d, 1w, ISO 8601, or a number of seconds.",
        "type": ["string", "number"],
        "pattern": f"{SHORT_PATTERN}|{ISO_PATTERN}",
        "exclusiveMinimum": 0,
        "format": TIMED,
        "errorMessage": {
            "type": f"must be {EXPECTED}",
            "pattern": f"must be {EXPECTED}",
            "exclusiveMinimum": "must be longer than zero",
        },
    },
    "interval": {
        "description": "A duration, zero included.",
        "type": ["string", "number"],
        "pattern": f"{SHORT_PATTERN}|{ISO_PATTERN}",
        "minimum": 0,
        "format": ANY_TIME,
        "errorMessage": {
            "type": f"must be {EXPECTED}",
            "pattern": f"must be {EXPECTED}",
            "minimum": "must not be negative",
        },
    },
    "priority": {
        "description": "Which of the waiting work goes first.",
        "enum": ["critical", "high", "normal", "low"],
        "default": "normal",
    },
    "json_schema": {
        "description": "A JSON Schema (draft 2020-12) without references to other documents.",
        "type": ["object", "boolean"],
    },
    "names": {
        "description": "A list of names.",
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "uniqueItems": True,
    },
}
