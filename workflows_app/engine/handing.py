"""Handing on: a large value is written once, by the event that brought it; a step that gets it says where it stands.

A step whose parameters are a part of the workflow's input, or of the output of the one step before it, need not repeat
that part: neither its row nor its event does. Both deciders ask here, so that they write the same.

An event names the step, so that a replay finds the value in the state that it has folded so far. A row, and a snapshot,
has a reference: ``{event, take, put}``. In the place ``put`` of the row's value belongs what is at ``take`` in the data
of the event. That is always the event that brought the value: references do not chain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workflows_app.engine import stored
from workflows_app.engine.expressions import Reference
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import split

LARGE = 4_000
"""Bytes of JSON from which on a value is kept once: less is read faster where it is needed than somewhere else."""
INPUT: Mapping[str, Any] = {"event": 1, "take": ["input"], "put": []}
"""Where the workflow's input stands: every history begins with it, and nothing changes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Parameters with one part of the workflow's input, or of the output before them, in it.

    Args:
        before: path of the step whose output it is; ``None`` for the workflow's input.
        frame: the parameters with null in the place to fill.
        put: the path of that place.
        take: the path in the output, or in the input, of what fills it.
    """

    before: str | None
    frame: Any
    put: tuple[str, ...]
    take: tuple[str, ...]

    def origin(self) -> dict[str, Any]:
        """Return what ``input_from`` says in a ``step.scheduled``."""
        return {"step": self.before, "take": list(self.take), "put": list(self.put)}


def is_large(value: Any) -> bool:
    """Whether a JSON value is kept once.

    >>> is_large("x" * 3_997), is_large("x" * 3_998)
    (False, True)
    """
    return len(orjson.dumps(value)) >= LARGE


def splice(graph: Graph, node: Node) -> Splice | None:
    """Say how a step's parameters are put together from the input, or from the output of the only step that it needs.

    Returns:
        ``None`` if they read anything else, or do more than name one part of it.
    """
    hollow = node.value.holes()
    if hollow is None or len(hollow[1]) != 1:
        return None
    frame, (hole,) = hollow
    found = _source(graph, node, hole.reference)
    if found is None:
        return None
    before, path = found
    # Numbers mean one thing in a list and another in an object; only names mean the same everywhere.
    take = [key for key in path if isinstance(key, str) and key.isidentifier()]
    if len(take) != len(path) or not _reads_as_written(frame):
        return None
    return Splice(before=before, frame=frame, put=hole.at, take=tuple(take))


def _source(graph: Graph, node: Node, named: Reference) -> tuple[str | None, tuple[str | int, ...]] | None:
    """Return the step, ``None`` for the input, and the path in its output that a reference names."""
    if named.root == "input":
        return None, named.path
    if len(node.needs) != 1 or graph[node.needs[0]].kind is not NodeKind.ACTIVITY:
        return None
    before = node.needs[0]
    if named.root != "steps" or named.name != split(before)[1] or named.path[:1] != ("output",):
        return None
    return before, named.path[1:]


def _reads_as_written(frame: Any) -> bool:
    """Whether constants come back from the database as they stand: 1e16 would not, it comes back as an integer."""
    text = json.dumps(frame, sort_keys=True)
    return json.dumps(stored.as_stored(text), sort_keys=True) == text


def scheduled(found: Splice | None, parameters: Any) -> dict[str, Any]:
    """Return what a ``step.scheduled`` says of the step's parameters, ``parameters`` being all of them."""
    if found is None or not is_large(taken(parameters, found.put)):
        return {"input": parameters}
    return {"input": found.frame, "input_from": found.origin()}


def taken(value: Any, keys: Sequence[str]) -> Any:
    """Return the part of a value below these keys.

    >>> taken({"a": {"b": 1}}, ["a", "b"]), taken([1], [])
    (1, [1])
    """
    for key in keys:
        value = value[key]
    return value


def filled(frame: Any, keys: Sequence[str], part: Any) -> Any:
    """Return a value with ``part`` in the place below these keys; the value stays as it is.

    >>> filled({"a": {"b": None}, "c": 1}, ["a", "b"], 2), filled(None, [], 2)
    ({'a': {'b': 2}, 'c': 1}, 2)
    """
    return {**frame, keys[0]: filled(frame[keys[0]], keys[1:], part)} if keys else part


def together(frame: Any, origin: Mapping[str, Any], source: Any) -> Any:
    """Return the value of an event that has ``input_from`` or ``output_from``, from what that names."""
    return filled(frame, origin["put"], taken(source, origin["take"]))


def written(event: int) -> dict[str, Any]:
    """Return the reference to the whole output that a ``step.completed`` has, from its sequence."""
    return {"event": event, "take": ["output"], "put": []}


def reference(origin: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the reference of parameters or of an output, from what their event says of them.

    Args:
        origin: ``input_from`` or ``output_from`` of the event.
        source: the reference of the value that it names: of an output or the workflow's input, or of the parameters.

    Returns:
        ``None`` if the part is none of what ``source`` refers to, but of what stands around it.

    >>> reference({"take": ["a", "b"], "put": ["x"]}, {"event": 7, "take": ["output"], "put": ["a"]})
    {'event': 7, 'take': ['output', 'b'], 'put': ['x']}
    >>> reference({"take": [], "put": ["x"]}, {"event": 7, "take": ["output"], "put": ["a"]})
    {'event': 7, 'take': ['output'], 'put': ['x', 'a']}
    """
    wanted, hole = origin["take"], source["put"]
    shared = min(len(wanted), len(hole))
    if wanted[:shared] != hole[:shared]:
        return None
    take, put = [*source["take"], *wanted[shared:]], [*origin["put"], *hole[shared:]]
    return {"event": source["event"], "take": take, "put": put}


def hollow(value: Any, reference: Mapping[str, Any] | None) -> Any:
    """Return what a row has of a value: null in the place of what the reference has."""
    return value if reference is None else filled(value, reference["put"], None)
