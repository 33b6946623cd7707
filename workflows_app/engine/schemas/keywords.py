"""The keywords that differ from plain ``jsonschema``: linear-time patterns, a budget, exact places, unknown values.

Every keyword is wrapped: it spends from the budget of the running validation and passes on ``ANYTHING``, which stands
for a value that only runtime knows (an expression).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import re2
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from workflows_app.engine.errors import OrchestratorError

BUDGET, BUDGET_PER_VALUE = 500_000, 20
"""Units of work of one validation, and as many more for each part of the value.

A keyword costs ``KEYWORD_COST``, and one for each entry of its own value.
"""
KEYWORD_COST = 5

Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class SchemaLimit(OrchestratorError):
    """A validation that exceeds its budget."""

    code = "SCHEMA_LIMIT"


class _Anything:
    """Stands for a value that is not known yet; valid under every schema."""

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING: Final = _Anything()


class _Budget:
    __slots__ = ("_value", "left", "partial")

    def __init__(self, value: Any, partial: bool) -> None:
        self.left = BUDGET
        self.partial = partial
        self._value: list[Any] | None = [value]

    def spend(self, units: int) -> None:
        self.left -= units
        if self.left < 0 and self._value is not None:
            # Counting a large value costs more than most validations of it.
            self.left += BUDGET_PER_VALUE * sum(1 for _ in _parts(self._value[0]))
            self._value = None
        if self.left < 0:
            raise SchemaLimit("the validation needs more work than its budget allows; simplify the schema")


_current: ContextVar[_Budget | None] = ContextVar("schema_budget", default=None)


@contextmanager
def budget(value: Any, *, partial: bool = False) -> Iterator[None]:
    """Give the validation of ``value`` a fresh budget; ``partial`` says that the value may hold ``ANYTHING``."""
    before = _current.get()
    _current.set(_Budget(value, partial))
    try:
        yield
    finally:
        _current.set(before)


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """Compile with RE2 (https://github.com/google/re2/wiki/Syntax).

    Raises:
        re2.error: syntax that RE2 lacks (look-around, back-references) or a pattern too large for it.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)


def _matches(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).search(text) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError("pattern")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError("unknown", path=(key,), instance=sorted(known))
        else:
            yield from validator.descend(value, subschema, path=key)


def _required(validator: Any, required: list[str], instance: Any, schema: Any) -> Errors:
    if isinstance(instance, dict):
        for key in required:
            if key not in instance:
                yield ValidationError("missing", path=(key,))


def _dependent_required(validator: Any, needed: Mapping[str, list[str]], instance: Any, schema: Any) -> Errors:
    if isinstance(instance, dict):
        for key, others in needed.items():
            if key in instance:
                missing = [other for other in others if other not in instance]
                if missing:
                    yield ValidationError(f"needs {', '.join(missing)} beside it", path=(key,))


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Errors:
    """Linear, where the library compares every pair of items that do not sort."""
    if not unique or not isinstance(instance, list):
        return
    seen: dict[Any, int] = {}
    for index, item in enumerate(instance):
        first = seen.setdefault(_identity(item), index)
        if first != index:
            yield ValidationError(f"repeats entry {first}", path=(index,))


def _identity(value: Any) -> Any:
    """A hashable stand-in that is equal exactly when two values are equal in JSON: 1 is 1.0, but not true."""
    if isinstance(value, bool) or value is None:
        return (value, type(value))
    if isinstance(value, int | float | str):
        return value
    return json.dumps(_normal(value), sort_keys=True), "structure"


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _normal(part) for key, part in value.items()}
    return [_normal(part) for part in value] if isinstance(value, list) else value


def _one_of(plain: Keyword, any_of: Keyword) -> Keyword:
    """With unknown values several alternatives may hold; then one of them has to."""

    def check(validator: Any, alternatives: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        open_ended = _is_partial() and _holds_anything(instance)
        return (any_of if open_ended else plain)(validator, alternatives, instance, schema)

    return check


_NEEDS_WHOLE_VALUE = frozenset({"not", "if", "enum", "const", "uniqueItems", "contains", "unevaluatedItems"})
_NEEDS_WHOLE_VALUE |= {"unevaluatedProperties"}


def _is_partial() -> bool:
    running = _current.get()
    return running is not None and running.partial


def _holds_anything(value: Any) -> bool:
    return any(part is ANYTHING for part in _parts(value))


def _parts(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, dict):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _guarded(name: str, keyword: Keyword) -> Keyword:
    needs_whole = name in _NEEDS_WHOLE_VALUE

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        running = _current.get()
        if running is not None:
            running.spend(KEYWORD_COST + (len(value) if isinstance(value, dict | list) else 0))
            if running.partial and (instance is ANYTHING or (needs_whole and _holds_anything(instance))):
                return None
        return keyword(validator, value, instance, schema)

    return check


def _format(validator: Any, name: str, instance: Any, schema: Any) -> Errors:
    """Only formats that the caller brought along are checked; there are none for strangers' schemas."""
    if validator.format_checker is not None:
        yield from Draft202012Validator.VALIDATORS["format"](validator, name, instance, schema) or ()


_PLAIN: dict[str, Keyword] = dict(Draft202012Validator.VALIDATORS)
_OWN: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "dependentRequired": _dependent_required,
    "uniqueItems": _unique_items,
    "oneOf": _one_of(_PLAIN["oneOf"], _PLAIN["anyOf"]),
    "format": _format,
}

SafeValidator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={name: _guarded(name, keyword) for name, keyword in {**_PLAIN, **_OWN}.items()},
)
