"""JSON Schema draft 2020-12, made safe for schemas that strangers write and readable for people.

What differs from plain ``jsonschema``: references may only point into the same schema (nothing is ever fetched);
``pattern`` runs on RE2 in linear time; every validation has a budget; refusals name the exact place, also of a
missing or an unknown key; ``format`` is an annotation, as the draft says by default. ``$schema`` may name only
draft 2020-12, ``$id`` may stand only at the root, and ``unevaluatedProperties`` does not go with ``patternProperties``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from referencing import Registry

from workflows_app.engine.errors import Problem
from workflows_app.engine.schemas.keywords import ANYTHING, SafeValidator, SchemaLimit, budget
from workflows_app.engine.schemas.messages import Failure, failures
from workflows_app.engine.schemas.rules import check_schema
from workflows_app.engine.values import join_path

MAX_PROBLEMS = 50
"""How many faults one validation lists before it says that there are more."""

KEPT_VALIDATORS = 512
_kept: dict[int, tuple[Any, Any]] = {}

__all__ = ["ANYTHING", "Failure", "check_schema", "explain", "validate"]


def validate(
    value: Any, schema: Mapping[str, Any] | bool, path: str = "input", limit: int = MAX_PROBLEMS
) -> list[Problem]:
    """List what is wrong with ``value`` under ``schema``.

    Args:
        value: a JSON value (depth and numbers already checked, see ``values``).
        schema: a schema that ``check_schema`` found sound.
        path: prefix of the reported places.
        limit: largest number of faults listed; a last problem says that there are more.

    Returns:
        problems of code ``SCHEMA`` (``SCHEMA_LIMIT`` if the validation exceeds its budget); empty when valid.

    >>> [str(p) for p in validate({"amount": "1"}, {"required": ["id"], "properties": {"amount": {"type": "number"}}})]
    ['input.id: is missing (SCHEMA)', 'input.amount: must be a number, found text (SCHEMA)']
    """
    problems: list[Problem] = []
    try:
        for failure in explain(value, schema):
            if len(problems) >= limit:
                more = f"there are more problems than the {limit} listed"
                problems.append(Problem(code="SCHEMA", path=path, message=more))
                break
            problem = Problem(code="SCHEMA", path=join_path(path, *failure.keys), message=failure.message)
            if problem not in problems:
                problems.append(problem)
    except SchemaLimit as error:
        problems.append(Problem(code="SCHEMA_LIMIT", path=path, message=error.message))
    return problems


def explain(value: Any, schema: Mapping[str, Any] | bool, *, partial: bool = False) -> Iterator[Failure]:
    """Yield the failures of ``value`` one by one.

    Args:
        partial: ``value`` may hold ``ANYTHING`` where the final value is not known yet; such places pass.

    Raises:
        SchemaLimit: the validation exceeds its budget or the schema recurses without end.
    """
    validator = _validator(schema)
    with budget(value, partial=partial):
        try:
            yield from failures(validator.iter_errors(value))
        except RecursionError:
            raise SchemaLimit("the schema or the value recurses too deeply") from None


def _validator(schema: Mapping[str, Any] | bool) -> Any:
    """Make a schema's validator, or take the one made for this very object: activities check theirs at every step."""
    kept = _kept.get(id(schema))
    if kept is not None and kept[0] is schema:
        return kept[1]
    plain: Any = schema
    if isinstance(schema, Mapping) and "$schema" in schema:
        plain = {key: part for key, part in schema.items() if key != "$schema"}
    validator = SafeValidator(plain, registry=Registry())
    if len(_kept) >= KEPT_VALIDATORS:
        _kept.clear()
    _kept[id(schema)] = (schema, validator)
    return validator
