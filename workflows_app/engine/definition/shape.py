"""The shape of a document: every problem that needs neither the graph nor an expression.

The published schema is cut at the lists of steps and each step is checked by itself. That names exact places, keeps
the work linear and the stack flat however deep steps are nested, and lets the kind key say which rules apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import FormatChecker

from workflows_app.engine.definition import availability
from workflows_app.engine.definition.language import STEP_KINDS, language_schema
from workflows_app.engine.definition.language.scalars import ANY_TIME, MOMENT, TIMED
from workflows_app.engine.definition.moments import check_moment
from workflows_app.engine.durations import InvalidDuration, parse_duration
from workflows_app.engine.errors import OrchestratorError, Problem
from workflows_app.engine.schemas.keywords import SafeValidator
from workflows_app.engine.schemas.messages import failures
from workflows_app.engine.values import join_path

Keys = tuple[str | int, ...]


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield every problem of the document's shape in the order of the document's levels.

    Codes: ``SCHEMA``, ``NO_KIND``, ``SEVERAL_KINDS``, ``DUPLICATE_ID``, ``NOT_AVAILABLE``.
    """
    kind = "state_machine" if document.get("kind") == "state_machine" else "flow"
    yield from _against(kind, document, ())
    yield from _unavailable(availability.in_document(document), ())
    taken: dict[str, str] = {}
    variables = document.get("variables")
    if isinstance(variables, Mapping):
        for name in variables:
            yield from _claim(name, "variables", name, taken=taken)
    for keys, step in walk(document.get("steps") if kind == "flow" else None, ("steps",)):
        if not isinstance(step, Mapping):
            yield Problem(code="SCHEMA", path=join_path("", *keys), message="must be a step: a mapping with an id")
            continue
        yield from _step(keys, step, taken)


def walk(steps: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """Yield every entry of a list of steps and of the lists inside it with its keys, outer before inner."""
    stack: list[tuple[Keys, Any]] = []

    def push(lists: list[tuple[Keys, Any]]) -> None:
        for prefix, entries in reversed(lists):
            if isinstance(entries, list):
                stack.extend(((*prefix, index), entries[index]) for index in reversed(range(len(entries))))

    push([(keys, steps)])
    while stack:
        place, step = stack.pop()
        yield place, step
        if isinstance(step, Mapping):
            push([((*place, *inner), entries) for inner, entries in inner_lists(step)])


def written_steps(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every step of a sound document, and every action of a state machine's."""
    yield from (step for _, step in walk(document.get("steps"), ("steps",)))
    for transition in document.get("transitions", ()):
        yield from (*transition.get("do", ()), *transition.get("then", ()))


def inner_lists(step: Mapping[str, Any]) -> list[tuple[Keys, Any]]:
    """Return the lists of steps written inside one step, with the keys that lead there."""
    lists: list[tuple[Keys, Any]] = []
    choice, parallel = step.get("choice"), step.get("parallel")
    if isinstance(choice, list):
        cases = [(index, case) for index, case in enumerate(choice) if isinstance(case, Mapping)]
        lists += [(("choice", index, "steps"), case.get("steps")) for index, case in cases]
    if isinstance(parallel, Mapping) and isinstance(parallel.get("branches"), Mapping):
        lists += [(("parallel", "branches", name), entries) for name, entries in parallel["branches"].items()]
    for kind in ("foreach", "loop", "adhoc"):
        if isinstance(step.get(kind), Mapping):
            lists.append(((kind, "steps"), step[kind].get("steps")))
    return lists


def _step(keys: Keys, step: Mapping[str, Any], taken: dict[str, str]) -> Iterator[Problem]:
    yield from _against("step", step, keys)
    kinds = [kind for kind in STEP_KINDS if kind in step]
    if not kinds:
        message = f"a step needs one of {', '.join(kind for kind in STEP_KINDS if kind in availability.KINDS)}"
        yield Problem(code="NO_KIND", path=join_path("", *keys), message=message)
    elif len(kinds) > 1:
        message = f"a step has exactly one kind, this one has {' and '.join(kinds)}"
        yield Problem(code="SEVERAL_KINDS", path=join_path("", *keys), message=message)
    yield from _unavailable(availability.in_step(step), keys)
    yield from _claim(step.get("id"), *keys, "id", taken=taken)
    yield from _ordered_members(step.get("adhoc"), keys)
    yield from _awaited(step.get("receive"), keys)
    parallel = step.get("parallel")
    if isinstance(parallel, Mapping) and isinstance(parallel.get("branches"), Mapping):
        for name in parallel["branches"]:
            yield from _claim(name, *keys, "parallel", "branches", name, taken=taken)


def _ordered_members(section: Any, keys: Keys) -> Iterator[Problem]:
    """Refuse an order where people choose it."""
    members = section.get("steps") if isinstance(section, Mapping) else None
    for index, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, Mapping) and "needs" in member:
            path = join_path("", *keys, "adhoc", "steps", index, "needs")
            message = "people choose the order of these steps; say with `when` what a step requires"
            yield Problem(code="SCHEMA", path=path, message=message)


def _awaited(receive: Any, keys: Keys) -> Iterator[Problem]:
    """Demand either an event, with what is said of it, or a callback."""
    if not isinstance(receive, Mapping):
        return
    if "callback" in receive:
        for key in ("event", "correlate", "where"):
            if key in receive:
                path = join_path("", *keys, "receive", key)
                message = "says something of an event; a step that waits for a callback takes its first answer"
                yield Problem(code="SCHEMA", path=path, message=message)
    elif "event" not in receive:
        yield Problem(code="SCHEMA", path=join_path("", *keys, "receive", "event"), message="is missing")


def _claim(name: Any, *keys: str | int, taken: dict[str, str]) -> Iterator[Problem]:
    if not isinstance(name, str):
        return
    path = join_path("", *keys)
    first = taken.setdefault(name, path)
    if first != path:
        message = f"`{name[:80]}` is already the id at {first}; ids of steps, branches and variables are unique"
        yield Problem(code="DUPLICATE_ID", path=path, message=message)


def _unavailable(found: Iterator[tuple[Keys, str]], keys: Keys) -> Iterator[Problem]:
    for inner, what in found:
        yield Problem(
            code="NOT_AVAILABLE", path=join_path("", *keys, *inner), message=f"{what} not available in this release"
        )


def _against(name: str, value: Mapping[str, Any], keys: Keys) -> Iterator[Problem]:
    seen: set[Keys] = set()
    for failure in failures(_validator(name).iter_errors(value)):
        # One word about a scalar is enough: what fails its pattern fails its format as well.
        if failure.keyword == "format" and failure.keys in seen:
            continue
        seen.add(failure.keys)
        yield Problem(code="SCHEMA", path=join_path("", *keys, *failure.keys), message=failure.message)


@cache
def _validator(name: str) -> Any:
    definitions = language_schema()["$defs"]
    words = definitions["steps"]["errorMessage"]
    definitions["steps"] = {"type": "array", "minItems": 1, "errorMessage": words}
    definitions["step"].pop("oneOf")
    return SafeValidator(_inlined(definitions[name], definitions), format_checker=_formats())


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Put every definition where it is referred to: resolving references is what validation spends most time on."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        target = _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
    return {key: _inlined(part, definitions) for key, part in schema.items()}


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())

    def is_time(value: object) -> bool:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            parse_duration(value)
        return True

    def is_positive_time(value: object) -> bool:
        if isinstance(value, str | int | float) and not isinstance(value, bool) and parse_duration(value) == 0:
            raise InvalidDuration("must be longer than zero")
        return True

    def is_moment(value: object) -> bool:
        if isinstance(value, str):
            check_moment(value)
        return True

    checker.checks(ANY_TIME, raises=InvalidDuration)(is_time)
    checker.checks(TIMED, raises=InvalidDuration)(is_positive_time)
    checker.checks(MOMENT, raises=OrchestratorError)(is_moment)
    return checker
