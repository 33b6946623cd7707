"""A parsed template: what it asks for, and the document that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ParameterType(StrEnum):
    """What a parameter takes; the names are those of JSON Schema."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter.

    Args:
        name: as placeholders write it.
        type: what it takes.
        required: whether an argument must be given.
        has_default: whether ``default`` stands for an argument that is not given.
        default: a JSON value of the type.
        description: what it is for.
        schema: JSON Schema that an argument must meet beyond its type; ``None``: any.
        example: an argument to learn from; ``None`` where the template gives none.
    """

    name: str
    type: ParameterType
    required: bool = False
    has_default: bool = False
    default: Any = None
    description: str = ""
    schema: Mapping[str, Any] | None = None
    example: Any = None

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": self.type.value, "required": self.required}
        if self.has_default:
            shown["default"] = self.default
        shown["description"] = self.description
        for key, value in (("schema", self.schema), ("example", self.example)):
            if value is not None:
                shown[key] = value
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template.

    Args:
        name: kebab case; with ``version`` it identifies the template.
        category: what field it belongs to, one word.
        pattern: which workflow pattern it follows.
        document: a definition with placeholders, every one of which is sound.
    """

    name: str
    version: str
    title: str
    description: str = ""
    category: str
    pattern: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "description": self.description,
            "category": self.category,
            "pattern": self.pattern,
            "parameters": {name: each.as_dict() for name, each in self.parameters.items()},
        }
