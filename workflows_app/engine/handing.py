"""Handing on: a large value is written once, by the event that brought it; a step that gets it says where it stands.

A step whose parameters are a part of the output of the one step before it need not repeat that part: neither its row
nor its event does. Both deciders ask here, so that they write the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from workflows_app.engine import stored
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import split

LARGE = 4_000
"""Bytes of JSON from which on a value is kept once: less is read faster where it is needed than somewhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """Parameters with one part of the output before them in it.

    Args:
        before: path of the step whose output it is.
        frame: the parameters with null in the place to fill.
        put: the path of that place.
        take: the path in the output of what fills it.
    """

    before: str
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
    """Say how a step's parameters are put together from the output of the only step that it needs.

    Returns:
        ``None`` if they read anything else, or do more than name one part of it.
    """
    if len(node.needs) != 1 or graph[node.needs[0]].kind is not NodeKind.ACTIVITY:
        return None
    hollow = node.value.holes()
    if hollow is None or len(hollow[1]) != 1:
        return None
    frame, (hole,) = hollow
    before, named = node.needs[0], hole.reference
    if named.root != "steps" or named.name != split(before)[1] or named.path[:1] != ("output",):
        return None
    # Numbers mean one thing in a list and another in an object; only names mean the same everywhere.
    take = [key for key in named.path[1:] if isinstance(key, str) and key.isidentifier()]
    if len(take) != len(named.path) - 1 or not _reads_as_written(frame):
        return None
    return Splice(before=before, frame=frame, put=hole.at, take=tuple(take))


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


def parameters(data: Mapping[str, Any], output: Any) -> Any:
    """Return the parameters of a ``step.scheduled`` that has ``input_from``, from the output of the step it names."""
    origin = data["input_from"]
    return filled(data["input"], origin["put"], taken(output, origin["take"]))
