"""Data: every expression compiles, and everything it reads exists and has been produced by then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import SetBody
from workflows_app.engine.definition.places import Place, places
from workflows_app.engine.errors import ExpressionError, Problem
from workflows_app.engine.expressions import Reference
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.machine_places import actions, machine_places
from workflows_app.engine.verifier.order import Upstream
from workflows_app.engine.verifier.outline import Keys, Outline

STEP_FIELDS = ("output", "state", "error", "attempts", "failures")
INSTANCE_FIELDS = ("id", "workflow", "version", "correlation_id", "started_at", "started_by")
_ELSEWHERE = {
    "error": "`error` can be read in retry.when, in retry.limits, in on_error and in compensate only",
    "output": "`output` is the step's own and can be read in compensate only; write steps.<id>.output",
    "with": "`with` can be read in compensate, in cache.key and in idempotency_key only",
    "now": "`now` cannot be read in a key: the same work would have another one each time",
    "event": "`event` can be read in receive.where only; elsewhere write steps.<id>.output",
    "item": "`item` can be read inside foreach only",
    "index": "`index` can be read inside foreach only",
    "failures": "write steps.<id>.failures",
    "iteration": "`iteration` can be read inside loop only",
    "steps": "no step can be read here",
    "secret": 'write secret("name")',
    "callback": 'write callback("step")',
    "state": "`state` can be read in state machines only; of a step write steps.<id>.state",
}
_COMPOUND = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties"})


def problems(outline: Outline) -> Iterator[Problem]:
    """Yield the problems of all expressions, of what they read, and of the variables."""
    upstream = Upstream(outline)
    variables = _variables(outline)
    yield from _constant_variables(outline)
    for place in chain(places(outline), machine_places(outline.definition)):
        for keys, compiled in _compiled(place):
            if isinstance(compiled, Problem):
                yield compiled
                continue
            for reference in sorted(compiled, key=repr):
                yield from _read(outline, upstream, variables, place, keys, reference)


def _variables(outline: Outline) -> frozenset[str]:
    bodies = (placed.step.body for placed in outline.steps.values())
    assigned = {name for body in bodies if isinstance(body, SetBody) for name in body.assignments}
    machine = outline.definition.machine
    for transition in machine.transitions if machine else ():
        assigned |= transition.assignments.keys()
    assigned |= {step.result for _, step in actions(outline.definition) if step.result is not None}
    return frozenset(assigned | set(outline.definition.variables))


def _constant_variables(outline: Outline) -> Iterator[Problem]:
    declared = outline.definition.variables
    for name, value in declared.items():
        if any(True for _ in templates(value, ())):
            message = "first values are constants; assign an expression with a `set` step"
            yield Problem(code="NOT_AVAILABLE", path=join_path("variables", name), message=message)
    known = set(declared)
    for placed in outline.steps.values():
        if isinstance(placed.step.body, SetBody):
            for name in placed.step.body.assignments:
                if name not in known:
                    known.add(name)
                    message = f"`variables` does not declare `{name}`; reading it before this step fails"
                    path = placed.path("set", name)
                    yield Problem(code="UNDECLARED_VARIABLE", path=path, message=message, severity="warning")


def _compiled(place: Place) -> Iterator[tuple[Keys, frozenset[Reference] | Problem]]:
    """Yield what each expression of a place reads, or the problem of one that does not compile."""
    if not place.is_template:
        yield place.keys, _attempt(place.keys, lambda: expressions.compile_expression(place.value).reads)
        return
    sound = True
    for keys, text in templates(place.value, place.keys):
        compiled = _attempt(keys, lambda text=text: expressions.compile_value(text).reads)
        sound = sound and not isinstance(compiled, Problem)
        yield keys, compiled
    if sound:
        whole = _attempt(place.keys, lambda: expressions.compile_value(place.value).reads)
        if isinstance(whole, Problem):
            yield place.keys, whole


def _attempt(keys: Keys, compiling: Any) -> frozenset[Reference] | Problem:
    try:
        found: frozenset[Reference] = compiling()
    except ExpressionError as error:
        return Problem(code=error.code, path=join_path("", *keys), message=error.message)
    return found


def templates(value: Any, keys: Keys) -> Iterator[tuple[Keys, str]]:
    """Yield every string with an expression in it, in the order of the document."""
    stack: list[tuple[Keys, Any]] = [(keys, value)]
    while stack:
        place, node = stack.pop()
        if isinstance(node, str):
            if "${" in node.replace("$${", ""):
                yield place, node
        elif isinstance(node, Mapping):
            stack.extend(((*place, key), part) for key, part in reversed(list(node.items())))
        elif isinstance(node, list | tuple):
            stack.extend(((*place, index), node[index]) for index in reversed(range(len(node))))


def _read(
    outline: Outline, upstream: Upstream, variables: frozenset[str], place: Place, keys: Keys, reference: Reference
) -> Iterator[Problem]:
    root, path = reference.root, join_path("", *keys)
    if root == "secret" and reference.name is not None:
        if not place.takes_secrets:
            message = "a secret may stand in `with` only: elsewhere its value would be stored"
            yield Problem(code="SECRET_PLACE", path=path, message=message)
    elif root == "callback" and reference.name is not None:
        pass  # the rules about callbacks say where it may stand
    elif root not in place.roots:
        message = _ELSEWHERE.get(root) or f"`{root}` is no name that can be read here{_guess(root, place.roots)}"
        yield Problem(code="UNKNOWN_NAME", path=path, message=message)
    elif root == "steps":
        yield from _read_step(outline, upstream, place, path, reference)
    elif root == "vars" and reference.name is not None and reference.name not in variables:
        message = f"there is no variable `{reference.name}`{_guess(reference.name, variables)}"
        yield Problem(code="UNKNOWN_VARIABLE", path=path, message=message)
    elif root == "instance" and reference.path and reference.path[0] not in INSTANCE_FIELDS:
        message = f"`instance` has {', '.join(INSTANCE_FIELDS)}, not `{reference.path[0]}`"
        yield Problem(code="UNKNOWN_NAME", path=path, message=message)
    elif root == "input" and reference.path:
        yield from _read_input(outline.definition.input_schema, path, reference.path[0])


def _read_step(
    outline: Outline, upstream: Upstream, place: Place, path: str, reference: Reference
) -> Iterator[Problem]:
    name = reference.name
    if name is None:
        message = "a step can be read by its id only (steps.<id>), so that its order can be checked"
        yield Problem(code="UNKNOWN_STEP", path=path, message=message)
        return
    if name not in outline.steps:
        message = f"there is no step `{name}`{_guess(name, outline.steps)}"
        yield Problem(code="UNKNOWN_STEP", path=path, message=message)
        return
    if reference.path and reference.path[0] not in STEP_FIELDS:
        message = f"a step has {', '.join(STEP_FIELDS)}, not `{reference.path[0]}`; write steps.{name}.output"
        yield Problem(code="UNKNOWN_NAME", path=path, message=message)
    around = [step.id for step in outline.repeats(name)]
    inner = next((step for step in around if step not in _around(outline, place)), None)
    if inner is not None:
        message = f"`{name}` runs once in each iteration of `{inner}`; from outside read steps.{inner}.output"
        yield Problem(code="NOT_UPSTREAM", path=path, message=message)
        return
    if place.reader is None or (place.reads_itself and place.reader == name):
        return
    if place.reads_inside and place.reader in around:
        return
    if not upstream.holds(name, place.reader):
        message = f"`{name}` is not upstream of `{place.reader}`: it need not have settled by then"
        if name == place.reader:
            message = f"`{name}` reads itself: it has not run yet when this is evaluated"
        yield Problem(code="NOT_UPSTREAM", path=path, message=message)


def _around(outline: Outline, place: Place) -> frozenset[str]:
    """Return the steps that repeat what is read at a place."""
    if place.reader is None:
        return frozenset()
    found = {step.id for step in outline.repeats(place.reader)}
    return frozenset(found | {place.reader} if place.reads_inside else found)


def _read_input(schema: Any, path: str, name: str | int) -> Iterator[Problem]:
    """Hold a read field against the properties that the input's schema names, where the schema is plain enough."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return
    known = schema["properties"]
    if name in known or _COMPOUND & schema.keys():
        return
    hint = _guess(str(name), known)
    if schema.get("additionalProperties") is False:
        message = f"the input has no `{name}`{hint}"
        yield Problem(code="INVALID_INPUT_SOURCE", path=path, message=message)
    elif name not in schema.get("required", ()):
        message = f"the schema of the input does not name `{name}`{hint}"
        yield Problem(code="UNDECLARED_INPUT", path=path, message=message, severity="warning")


def _guess(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name[:100], list(known)[:200], n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
