"""JSON Schema of the parameters of the three SQL activities."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

MAX_ROWS = 10_000
MAX_SQL = 100_000  # characters

_CONNECTION: Schema = {"type": "string", "minLength": 1, "description": "Name of a connection with a DSN."}
_SQL: Schema = {"type": "string", "maxLength": MAX_SQL, "description": "One statement; :name binds a parameter."}
_PARAMS: Schema = {"type": "object", "description": "Values by the names that the statement binds."}
_COLUMN: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_COLUMNS: Schema = {"type": "array", "items": _COLUMN, "minItems": 1, "maxItems": 1_000, "uniqueItems": True}


def _shape(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


QUERY = _shape(
    ["connection", "sql"],
    connection=_CONNECTION,
    sql=_SQL,
    params=_PARAMS | {"type": ["object", "null"]},
    max_rows={"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 1_000},
    after={
        "type": ["object", "null"],
        "minProperties": 1,
        "maxProperties": 10,
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "description": "Key columns with the values of the last row of the page before; null for the first page.",
    },
)
EXECUTE = _shape(
    ["connection", "sql"],
    connection=_CONNECTION,
    sql=_SQL,
    params={
        "description": "Values by name; a list of such runs the statement once for each.",
        "anyOf": [
            {"type": "object"},
            {"type": "array", "items": {"type": "object"}, "maxItems": MAX_ROWS},
            {"type": "null"},
        ],
    },
)
LOAD = _shape(
    ["connection", "table"],
    connection=_CONNECTION,
    table={
        "type": "string",
        "pattern": r"^[^.\x00]{1,200}(\.[^.\x00]{1,200})?$",
        "description": "table, or schema.table.",
        "errorMessage": {"pattern": "must be table or schema.table"},
    },
    rows={"type": ["array", "null"], "items": {"type": "object"}, "description": "The rows, by column."},
    from_query={
        **_shape(["connection", "sql"], connection=_CONNECTION, sql=_SQL, params=_PARAMS),
        "type": ["object", "null"],
        "description": "Takes the rows from a query instead; they pass through the worker a batch at a time.",
    },
    columns=_COLUMNS | {"type": ["array", "null"]},
    mode={"enum": ["insert", "upsert", "replace"], "default": "insert"},
    key=_COLUMNS | {"type": ["array", "null"], "description": "Columns of a unique index that tell rows apart."},
    batch_size={"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 500},
    marker={
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": 200,
        "description": "Column that receives the step's idempotency key, by which a repetition finds its rows.",
    },
)
