"""Charts: the steps of a definition and what follows what, as data that a picture is made from and that JSON takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATE = "state"
"""The kind of a state of a state machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Members of a block that stand together: a case, a branch, the body of a repetition.

    Args:
        heading: what is written above them; may be empty.
        members: ids of vertices, in the order of the document.
    """

    heading: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """A step, or a state of a state machine.

    Args:
        id: the step's id, unique in the definition.
        name: what people call it.
        kind: ``activity``, ``choice`` …; ``state``.
        detail: the activity, or what a block does, in a few words.
        parent: the block that it stands in.
        initial: nothing comes before it in the whole definition.
        terminal: nothing comes after it in the whole definition.
        undo: the activity that undoes it; empty if none does.
        groups: what stands in it.
        repeats: whether what stands in it may happen more than once.
    """

    id: str
    name: str
    kind: str
    detail: str = ""
    parent: str | None = None
    initial: bool = False
    terminal: bool = False
    undo: str = ""
    groups: tuple[Group, ...] = ()
    repeats: bool = False

    @property
    def children(self) -> tuple[str, ...]:
        return tuple(member for group in self.groups for member in group.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What comes after what; both ends stand in the same list.

    Args:
        source: id of a vertex.
        target: id of a vertex.
        condition: what must hold; ``None``: nothing.
        inferred: only what the target reads says so.
        failure: which failure of the source leads along it, past what stands between; ``None``: none does.
        passes: of such an edge the steps that have surely not begun where it was taken.
        transition: in a state machine the transition's id.
        event: in a state machine what sets it off.
        actions: in a state machine how many actions belong to it.
    """

    source: str
    target: str
    condition: str | None = None
    inferred: bool = False
    failure: str | None = None
    passes: tuple[str, ...] = ()
    transition: str = ""
    event: str = ""
    actions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A definition's vertices by id, blocks before what stands in them, and its edges."""

    vertices: Mapping[str, Vertex]
    roots: tuple[str, ...]
    edges: tuple[Edge, ...] = field(default=())

    @property
    def is_machine(self) -> bool:
        return any(vertex.kind == STATE for vertex in self.vertices.values())

    def as_dict(self, states: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the chart as JSON takes it.

        Args:
            states: of an instance's steps by id; a step without one is pending. ``None``: of no instance.
        """
        nodes: list[dict[str, Any]] = []
        for each in self.vertices.values():
            node: dict[str, Any] = {
                "id": each.id,
                "name": each.name,
                "kind": each.kind,
                "detail": each.detail,
                "parent": each.parent,
                "isInitial": each.initial,
                "isTerminal": each.terminal,
                "isBlock": bool(each.groups),
                "undo": each.undo or None,
            }
            nodes.append(node if states is None else {**node, "state": states.get(each.id, "pending")})
        edges = [
            {
                "source": each.source,
                "target": each.target,
                "hasCondition": each.condition is not None,
                "condition": each.condition,
                "hasActions": each.actions > 0,
                "inferred": each.inferred,
                "onFailure": each.failure,
                "event": each.event or None,
            }
            for each in self.edges
        ]
        return {"nodes": nodes, "edges": edges}
