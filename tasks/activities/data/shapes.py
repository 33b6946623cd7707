"""JSON Schema of the two activities' parameters: every operation and every check with exactly its own keys.

A mapping that says what it is in one of its keys (``op``, ``check``) is described twice. Its keys, all told, are
closed, which also holds while some of its values are known only when the step runs. What the one it names requires and
excludes is an ``if`` for each, which gives every mistake its own place and sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.activities.data.dates import FORMAT_PATTERN
from tasks.activities.data.groups import FUNCTIONS
from tasks.activities.data.joins import KINDS
from tasks.activities.data.paths import NAME_PATTERN, PATH_PATTERN
from tasks.activities.data.place import MAX_ITEMS
from tasks.activities.data.texts import TEMPLATE_PATTERN

Schema = dict[str, Any]

MAX_OPERATIONS = 100
MAX_RULES = 100
_MOST = 100  # entries of one list or mapping inside an operation

_PATH: Schema = {
    "type": "string",
    "maxLength": 500,
    "pattern": PATH_PATTERN,
    "errorMessage": {"pattern": "must be a path such as user.address.city or lines[0].sku"},
}
_NAME: Schema = {
    "type": "string",
    "maxLength": 200,
    "pattern": NAME_PATTERN,
    "errorMessage": {"pattern": "must be the name of a field, without dots, brackets and braces"},
}
_EXPRESSION: Schema = {"type": "string", "minLength": 1}
_TEXT: Schema = {"type": "string"}


def _list(entry: Schema, least: int = 1) -> Schema:
    return {"type": "array", "items": entry, "minItems": least, "maxItems": _MOST}


def _named(entry: Schema, name: Schema = _NAME) -> Schema:
    return {
        "type": "object",
        "propertyNames": name,
        "additionalProperties": entry,
        "minProperties": 1,
        "maxProperties": _MOST,
    }


def _shape(required: Mapping[str, Schema] | None = None, **optional: Schema) -> Schema:
    return {"properties": {**(required or {}), **optional}, "required": list(required or {})}


_LETTERS = _shape({"fields": _list(_PATH)})
_OPERATIONS: dict[str, Schema] = {
    "map": {
        **_shape(fields=_named(_EXPRESSION), value=_EXPRESSION),
        "oneOf": [{"required": ["fields"]}, {"required": ["value"]}],
        "errorMessage": {"oneOf": "takes either `fields` or `value`"},
    },
    "filter": _shape({"where": _EXPRESSION}),
    "sort": _shape({"by": _list(_PATH)}, descending={"type": "boolean"}),
    "aggregate": _shape(
        {
            "group_by": _list(_PATH, least=0),
            "values": _named(
                {
                    "type": "object",
                    "properties": dict.fromkeys(FUNCTIONS, _PATH),
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "errorMessage": {
                        "minProperties": "must have one key, such as `sum`",
                        "maxProperties": "must have one key, such as `sum`",
                    },
                }
            ),
        }
    ),
    "join": _shape(
        {"with": {"type": "array"}, "on": _named(_PATH, name=_PATH)},
        kind={"enum": list(KINDS)},
        prefix={"type": "string", "maxLength": 100},
    ),
    "template": _shape(
        {
            "text": {
                "type": "string",
                "maxLength": 100_000,
                "pattern": TEMPLATE_PATTERN,
                "errorMessage": {"pattern": "must hold paths such as {user.name} in braces; {{ and }} write braces"},
            }
        },
        into=_NAME,
        default=_TEXT,
    ),
    "split": _shape({"field": _PATH, "by": {"type": "string", "minLength": 1}, "into": _NAME}),
    "concat": _shape({"fields": _list(_PATH), "by": _TEXT, "into": _NAME}),
    "upper": _LETTERS,
    "lower": _LETTERS,
    "format_date": _shape(
        {
            "field": _PATH,
            "format": {
                "type": "string",
                "maxLength": 200,
                "pattern": FORMAT_PATTERN,
                "errorMessage": {"pattern": "has a directive that does not exist; %% writes a per cent sign"},
            },
            "into": _NAME,
        },
        timezone={"type": "string", "maxLength": 100},
    ),
    "remove_nulls": _shape(),
    "rename": _shape({"fields": _named(_NAME)}),
    "select": _shape({"fields": _list(_NAME)}),
    "limit": _shape({"count": {"type": "integer", "minimum": 0}}),
}

_FIELD = {"field": _PATH}
_CHECKS: dict[str, Schema] = {
    "required": _shape(_FIELD),
    "not_empty": _shape(_FIELD),
    "date_time": _shape(_FIELD),
    "range": {
        **_shape(_FIELD, min={"type": "number"}, max={"type": "number"}),
        "anyOf": [{"required": ["min"]}, {"required": ["max"]}],
        "errorMessage": {"anyOf": "needs `min`, `max` or both"},
    },
    "positive": _shape(_FIELD),
    "pattern": _shape({**_FIELD, "pattern": {"type": "string", "maxLength": 1_000}}),
    "one_of": _shape({**_FIELD, "values": {"type": "array", "minItems": 1, "maxItems": 1_000}}),
    "type": _shape({**_FIELD, "type": {"enum": ["array", "boolean", "integer", "number", "object", "string"]}}),
    "schema": _shape({"schema": {"type": ["object", "boolean"]}}, **_FIELD),
    "expression": _shape({"where": _EXPRESSION}, **_FIELD),
}


def _variants(key: str, shapes: Mapping[str, Schema], common: Mapping[str, Schema]) -> Schema:
    known = sorted({name for shape in shapes.values() for name in shape["properties"]})
    foreign = {"not": {}, "errorMessage": f"does not go with this `{key}`"}
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": list(shapes)}, **{name: {} for name in known}, **common},
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {key: {"const": name}}, "required": [key]},
                "then": {**shape, "properties": {**dict.fromkeys(known, foreign), **shape["properties"]}},
            }
            for name, shape in shapes.items()
        ],
    }


TRANSFORM: Schema = {
    "type": "object",
    "required": ["input", "operations"],
    "properties": {
        "input": {"description": "Any JSON value; mostly a list of mappings."},
        "operations": {
            "type": "array",
            "maxItems": MAX_OPERATIONS,
            "description": "Performed one after the other, each on the result of the one before.",
            "items": _variants("op", _OPERATIONS, {}),
        },
    },
    "additionalProperties": False,
}

VALIDATE: Schema = {
    "type": "object",
    "required": ["input", "rules"],
    "properties": {
        "input": {
            "type": ["array", "object"],
            "maxItems": MAX_ITEMS,
            "description": "The items; a mapping is one item.",
        },
        "rules": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_RULES,
            "items": _variants(
                "check",
                _CHECKS,
                {
                    "id": {"type": "string", "minLength": 1, "maxLength": 100},
                    "message": {"type": "string", "maxLength": 1_000},
                    "severity": {"enum": ["error", "warning"]},
                },
            ),
        },
        "on_invalid": {"enum": ["fail", "report"], "description": "What invalid items mean; `fail` by default."},
    },
    "additionalProperties": False,
}
