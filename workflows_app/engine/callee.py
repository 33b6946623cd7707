"""The callee: the version of a workflow that a ``call`` runs, found at publish and kept with the caller's version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

CHILDREN = UUID("6f2c5a0e-9d0b-5c55-8f0e-3a9a7c1d4b21")
"""Namespace of the ids of called instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """One published version as its callers know it.

    Args:
        workflow: its name.
        version: its version.
        input_schema: what its input must meet; ``None`` takes anything.
        undoable: whether a completed instance of it may have something to undo.
        deprecated: whether it was deprecated when it was looked up; not kept.
        takes: workflows whose places, the same for all their instances, it waits for: its own, and those of what it
            calls and waits for.
    """

    workflow: str
    version: str
    input_schema: Mapping[str, Any] | bool | None = None
    undoable: bool = False
    deprecated: bool = False
    takes: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """Return what is kept with the caller's version."""
        kept = {"version": self.version, "input": self.input_schema, "undoable": self.undoable}
        return kept | ({"takes": list(self.takes)} if self.takes else {})


def key(workflow: str, version: str | None) -> str:
    """Return the name under which a call finds its callee.

    >>> key("billing", None), key("billing", "1.0.0")
    ('billing', 'billing@1.0.0')
    """
    return workflow if version is None else f"{workflow}@{version}"


def of(workflow: str, version: str | None, calls: Mapping[str, Mapping[str, Any]]) -> Callee:
    """Return the callee that was kept; of one that was not looked up only what the document says is known."""
    kept = calls.get(key(workflow, version), {})
    return Callee(
        workflow=workflow,
        version=kept.get("version") or version or "",
        input_schema=kept.get("input"),
        undoable=kept.get("undoable", False),
        takes=tuple(kept.get("takes", ())),
    )


def child_id(parent: str, path: str, generation: int) -> str:
    """Return the id of the instance that a step calls: the same whoever decides, and however often (RFC 9562, UUIDv5).

    Args:
        parent: the calling instance's id.
        path: the step.
        generation: of the call.

    >>> child_id("p", "a", 1) == child_id("p", "a", 1) != child_id("p", "a", 2)
    True
    """
    return str(uuid5(CHILDREN, f"{parent}/{path}/{generation}"))
