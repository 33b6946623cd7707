"""The parameter schema that a signature says."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Optional

from workflows_app.activities.signature import parameters_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def test_annotations_become_types_and_defaults_make_optional():
    def perform(*, text: str, count: int, price: float, is_new: bool = False, tags: list[str] | None = None): ...

    schema = parameters_of(perform)

    assert schema["required"] == ["text", "count", "price"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "is_new": {"type": "boolean", "default": False},
        "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
    }


def test_richer_annotations_keep_what_json_schema_can_say():
    def perform(
        *,
        mode: Literal["a", "b"],
        colour: Colour,
        prices: dict[str, float],
        rows: list[dict[str, Any]],
        pair: tuple[int, ...],
        old: Optional[int],  # noqa: UP045
        noted: Annotated[str, "a note"],
        anything: Any,
        either: int | Any,
        unknown: object,
    ): ...

    properties = parameters_of(perform)["properties"]

    assert properties == {
        "mode": {"enum": ["a", "b"]},
        "colour": {"enum": ["red", "blue"]},
        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
        "rows": {"type": "array", "items": {"type": "object"}},
        "pair": {"type": "array", "items": {"type": "integer"}},
        "old": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "noted": {"type": "string"},
        "anything": {},
        "either": {},
        "unknown": {},
    }


def test_the_context_is_no_parameter_and_keyword_arguments_open_the_object():
    def perform(order, *, context, **more): ...

    assert parameters_of(perform) == {
        "type": "object",
        "properties": {"order": {}},
        "additionalProperties": True,
        "required": ["order"],
    }


def test_names_known_to_type_checkers_only_say_nothing():
    def perform(*, order: NoSuchName, count: int = object()): ...  # noqa: F821

    assert parameters_of(perform)["properties"] == {"order": {}, "count": {}}
