"""JSON Schema of the parameters of the six file activities."""

from __future__ import annotations

from typing import Any

from tasks.activities.files.formats import ENCODINGS, FORMATS

Schema = dict[str, Any]

MAX_ROWS = 10_000
MAX_LISTED = 10_000

_PATH: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4_000,
    "description": "Below the installation's folder for files: names with / between them.",
}
_ENCODING: Schema = {"enum": list(ENCODINGS), "default": "utf-8"}
_FORMAT: Schema = {"enum": list(FORMATS), "default": "text"}
_DELIMITER: Schema = {"enum": [",", ";", "\t", "|"], "default": ",", "description": "Between the fields of a CSV file."}
_YES_OR_NO: Schema = {"type": "boolean", "default": False}


def _shape(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


READ = _shape(
    ["path"],
    path=_PATH,
    format=_FORMAT,
    encoding=_ENCODING,
    delimiter=_DELIMITER,
    max_bytes={"type": ["integer", "null"], "minimum": 1, "description": "Largest size to read."},
    offset={"type": "integer", "minimum": 0, "default": 0, "description": "Rows to leave out (csv, jsonl)."},
    limit={"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 1_000, "description": "Rows to read."},
)
WRITE = _shape(
    ["path"],
    path=_PATH,
    content={"description": "A text; any value for json; base64 for base64; a reference for artifact."},
    rows={"type": "array", "items": {"type": "object"}, "description": "What csv and jsonl take."},
    columns={
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "uniqueItems": True,
        "description": "Columns of a CSV file, in order.",
    },
    format=_FORMAT,
    encoding=_ENCODING,
    delimiter=_DELIMITER,
    mode={"enum": ["create", "replace", "append"], "default": "create"},
    make_folders=_YES_OR_NO,
)
LIST = _shape(
    [],
    path={**_PATH, "default": "."},
    pattern={"type": "string", "minLength": 1, "maxLength": 200, "default": "*"},
    recursive=_YES_OR_NO,
    limit={"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": 1_000},
)
TWO_PLACES = _shape(["from", "to"], **{"from": _PATH}, to=_PATH, replace=_YES_OR_NO)
DELETE = _shape(["path"], path=_PATH, missing_ok=_YES_OR_NO)
