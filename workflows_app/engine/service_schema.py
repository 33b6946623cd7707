"""What the document of a service may hold, as a JSON Schema; what it means is for ``service_document``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from workflows_app.engine.definition.language.scalars import DEFINITIONS

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST_ENDPOINTS, MOST_OPERATIONS = 50, 500
_PATH = r"^(/([A-Za-z0-9._~!$&'()*+,;=:@%-]|\{[a-z][a-z0-9_]*\})*)*$"


class Balance(StrEnum):
    """Which endpoint is asked first."""

    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"
    RANDOM = "random"
    HASH = "hash"
    LEAST_CONNECTIONS = "least_connections"


class OperationKind(StrEnum):
    """Whether an operation asks, or has something done."""

    QUERY = "query"
    COMMAND = "command"


STATUS: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^([1-5]xx|[1-5][0-9][0-9](-[1-5][0-9][0-9])?)$"},
    ]
}
"""One entry of ``ok_status``: a status, a class of them, a range."""
_DURATION = {key: value for key, value in DEFINITIONS["duration"].items() if key != "format"}
_CONNECTION = {"type": "string", "minLength": 1, "maxLength": 100}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["service", "endpoints", "operations"],
    "additionalProperties": False,
    "properties": {
        "service": DEFINITIONS["workflow_name"],
        "description": {"type": "string", "maxLength": 1000},
        "endpoints": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_ENDPOINTS,
            "items": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {
                    "connection": _CONNECTION,
                    "url": {"type": "string", "minLength": 1, "maxLength": 500},
                    "weight": {"type": "integer", "minimum": 1, "maximum": 1000},
                },
            },
        },
        "balance": {"enum": [each.value for each in Balance]},
        "failover": {"type": "boolean"},
        "timeout": _DURATION,
        "operations": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MOST_OPERATIONS,
            "propertyNames": DEFINITIONS["id"],
            "additionalProperties": {
                "type": "object",
                "required": ["path"],
                "additionalProperties": False,
                "properties": {
                    "kind": {"enum": [each.value for each in OperationKind]},
                    "method": {"enum": list(METHODS)},
                    "path": {
                        "type": "string",
                        "maxLength": 500,
                        "pattern": _PATH,
                        "errorMessage": {
                            "pattern": "must begin with / and hold no query; names in it are written {like_this}"
                        },
                    },
                    "timeout": _DURATION,
                    "ok_status": {"anyOf": [*STATUS["anyOf"], {"type": "array", "items": STATUS, "minItems": 1}]},
                    "idempotent": {"type": "boolean"},
                    "rate": {
                        "type": "object",
                        "required": ["limit", "per"],
                        "additionalProperties": False,
                        "properties": {
                            "limit": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                            "per": _DURATION,
                            "burst": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                        },
                    },
                    "description": {"type": "string", "maxLength": 1000},
                },
            },
        },
        "breaker": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "failures": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                "open_for": _DURATION,
            },
        },
        "bulkhead": {
            "type": "object",
            "required": ["limit"],
            "additionalProperties": False,
            "properties": {"limit": {"type": "integer", "minimum": 1, "maximum": 100_000}},
        },
    },
}
