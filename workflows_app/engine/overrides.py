"""Overrides: what holds for one instance in the place of what its definition says.

They are given when it is started, stand in its first event, and make a graph of its own: whoever decides reads times,
attempts and priorities from that graph, so that nothing else has to know of them. They beat what a step, an activity or
the definition says; of two overrides that of the step beats that of the instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from workflows_app.engine.definition.model import Retry
from workflows_app.engine.durations import InvalidDuration, format_duration, parse_duration
from workflows_app.engine.errors import Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import ITERATION
from workflows_app.engine.priority import LEVELS

MOST_STEPS: Final = 100
"""For how many steps one start may say something."""
MOST_ATTEMPTS: Final = 10_000
UNTIMED: Final = frozenset(
    {NodeKind.SET, NodeKind.EMIT, NodeKind.DECIDE, NodeKind.RETURN, NodeKind.FAIL, NodeKind.MOVE}
)
"""Steps that take no time."""

Document = Mapping[str, Any]
"""``{timeout, priority, steps: {step: {timeout, max_attempts, priority}}}``; every key may be left out."""


def read(given: Document, graph: Graph) -> tuple[dict[str, Any], list[Problem]]:
    """Read what a start is given.

    Args:
        given: a document, times as durations; steps by id, the actions of a state machine as ``transition.action``.
        graph: that of the version.

    Returns:
        The document as it is kept, times in seconds and nothing left out that was given; and every problem, with a
        place such as ``overrides.steps.pay.timeout``.
    """
    problems: list[Problem] = []
    kept = _read(given, {"timeout": _time, "priority": _priority}, "overrides", problems, also=frozenset({"steps"}))
    steps = given.get("steps", {})
    if not isinstance(steps, Mapping):
        problems.append(Problem(code="INVALID_OVERRIDE", path="overrides.steps", message="must name steps"))
        steps = {}
    if len(steps) > MOST_STEPS:
        message = f"names {len(steps)} steps; at most {MOST_STEPS} may be named"
        problems.append(Problem(code="INVALID_OVERRIDE", path="overrides.steps", message=message))
        steps = {}
    found: dict[str, Any] = {}
    for name, own in steps.items():
        path = f"overrides.steps.{name}"
        node = graph.written.get(_written(name, graph))
        if node is None or node.is_part:
            message = f"there is no step {name!r} in {graph.definition.name} {graph.definition.version}"
            problems.append(Problem(code="UNKNOWN_STEP", path=path, message=message))
            continue
        before = len(problems)
        readers = {"timeout": _time, "max_attempts": _attempts, "priority": _priority}
        read_of_step = _read(own, readers, path, problems)
        if len(problems) == before:
            problems += _idle(node, read_of_step, path)
        if read_of_step:
            found[name] = read_of_step
    return kept | ({"steps": found} if found else {}), problems


def apply(graph: Graph, kept: Document) -> Graph:
    """Return the graph of an instance.

    Args:
        graph: that of its version.
        kept: what ``read`` returned for it.
    """
    definition = graph.definition
    changes = {key: kept[key] for key in ("timeout", "priority") if key in kept}
    nodes: dict[str, Node] = {}
    if "priority" in kept:
        level = LEVELS[kept["priority"]]
        nodes = {p: n.changed(priority=level) for p, n in graph.written.items() if n.kind is NodeKind.ACTIVITY}
    for name, own in kept.get("steps", {}).items():
        path = _written(name, graph)
        if path in graph.written:  # an instance may have been migrated to a version without the step
            nodes[path] = _step(nodes.get(path) or graph.written[path], own)
    return graph.changed(replace(definition, **changes), nodes)


def lines(kept: Document) -> Iterator[str]:
    """Yield what is overridden in words, of the instance and of each step.

    >>> list(lines({"timeout": 7200.0, "steps": {"pay": {"timeout": 30.0, "max_attempts": 5}}}))
    ['timeout 2h', 'pay: timeout 30s, max_attempts 5']
    """
    if whole := _words(kept):
        yield whole
    for name, own in kept.get("steps", {}).items():
        yield f"{name}: {_words(own)}"


def _words(own: Document) -> str:
    said = {key: value for key, value in own.items() if key != "steps"}
    if "timeout" in said:
        said["timeout"] = format_duration(said["timeout"])
    return ", ".join(f"{key} {value}" for key, value in said.items())


def _step(node: Node, own: Document) -> Node:
    changes: dict[str, Any] = {}
    if "timeout" in own and node.kind is NodeKind.ACTIVITY:
        changes["timeout"] = own["timeout"]
    elif "timeout" in own:
        changes["step"] = replace(node.step, timeout=own["timeout"])
    if "max_attempts" in own:
        changes["retry"] = replace(node.retry or Retry(), max_attempts=own["max_attempts"])
    if "priority" in own:
        changes["priority"] = LEVELS[own["priority"]]
    return node.changed(**changes)


def _written(name: str, graph: Graph) -> str:
    """Return the path under which a step is written: that of an action stands in its transition."""
    if graph.definition.machine is None:
        return name
    transition, _, action = name.partition(".")
    return f"{transition}{ITERATION}.{action}"


def _idle(node: Node, own: Document, path: str) -> Iterator[Problem]:
    """Yield what would have no effect on a step of this kind."""
    waits = node.kind not in UNTIMED and (node.kind is not NodeKind.CALL or node.awaits_child)
    for key in own:
        if node.kind is NodeKind.ACTIVITY or (key == "timeout" and waits):
            continue
        yield Problem(code="NO_EFFECT", path=f"{path}.{key}", message=f"has no effect on a `{node.kind}` step")


def _read(
    given: Any, readers: Mapping[str, Any], path: str, problems: list[Problem], also: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Read the keys of one mapping; what is wrong is added to the problems."""
    if not isinstance(given, Mapping):
        problems.append(Problem(code="INVALID_OVERRIDE", path=path, message="must be a mapping"))
        return {}
    found: dict[str, Any] = {}
    for key, value in given.items():
        where = f"{path}.{key}"
        if key == "resources":
            message = "`resources` is not available in this release: nothing places steps by them yet"
            problems.append(Problem(code="NOT_AVAILABLE", path=where, message=message))
        elif key in readers:
            try:
                found[key] = readers[key](value)
            except (InvalidDuration, ValueError) as problem:
                problems.append(Problem(code="INVALID_OVERRIDE", path=where, message=str(problem)))
        elif key not in also:
            known = ", ".join(sorted({*readers, *also}))
            problems.append(Problem(code="UNKNOWN_OVERRIDE", path=where, message=f"is unknown; there is {known}"))
    return found


def _time(value: Any) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("a time-out must be longer than nothing")
    return seconds


def _attempts(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ATTEMPTS:
        raise ValueError(f"must be a number of attempts, 1 to {MOST_ATTEMPTS:,}")
    return value


def _priority(value: Any) -> str:
    if not isinstance(value, str) or value not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}")
    return value
