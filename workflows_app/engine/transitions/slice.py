"""The slice of the stored state that a decision may see, what it may lack, and the decision that comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workflows_app.engine.caching import Entry, Found
from workflows_app.engine.commands import Command
from workflows_app.engine.decision_tables import Table
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import Event
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import InstanceSnapshot, StepSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the iterations of a ``foreach`` came to: an output for each index, and the errors of those that failed."""

    outputs: Mapping[int, Any]
    errors: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a decision may see.

    Args:
        graph: the graph of the instance's own version.
        instance: its ``input`` may be ``NOT_LOADED``.
        steps: rows that exist, by path; values of those outside ``valued`` are ``NOT_LOADED``.
        known: paths that were looked up: a known path without a row is a pending step.
        valued: paths whose ``input`` and ``output`` were loaded.
        whole: every row was looked up, but for those that settled inside an iteration that has settled.
        complete: these as well.
        items: parts of the items of ``foreach`` steps, by path and index of the first.
        undo_inside: whether a row that settled inside an iteration is to be undone, ``None`` where nobody has looked.
        gathered: what the iterations of ``foreach`` steps, by path, came to as far as it is stored.
        failed_at: when the failed and the timed out attempts of steps ended, by path, the last first.
        tables: decision tables by name and version asked for (``None``: the highest); ``None`` for one there is not.
        limit_bytes: the largest value, in bytes of JSON, that a step may store.
        cached: the entries of the cache that were looked up, with what is fresh of them.
        call_depth: how many instances may stand above one that is called.
    """

    graph: Graph
    instance: InstanceSnapshot
    steps: Mapping[str, StepSnapshot] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    whole: bool = False
    complete: bool = False
    items: Mapping[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)
    gathered: Mapping[str, Gathered] = field(default_factory=dict)
    undo_inside: bool | None = None
    failed_at: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    tables: Mapping[tuple[str, str | None], Table | None] = field(default_factory=dict)
    limit_bytes: int = 1_000_000
    cached: Mapping[Entry, Found | None] = field(default_factory=dict)
    call_depth: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an occurrence leads to: the state after it, what happened, and what to do about it."""

    before: Slice
    after: State
    events: tuple[Event, ...]
    commands: tuple[Command, ...]


class SliceMiss(Exception):
    """The slice lacks something: load it as well and decide again.

    ``paths`` are steps that something is decided about, so that more may be read with them; of ``rows`` only the rows
    are looked at.
    """

    def __init__(
        self,
        *,
        paths: Iterable[str] = (),
        rows: Iterable[str] = (),
        values: Iterable[str] = (),
        input: bool = False,
        whole: bool = False,
        complete: bool = False,
        items: tuple[str, int, int] | None = None,
        gathered: str | None = None,
        undo_inside: bool = False,
        failed_at: str | None = None,
        cached: Iterable[Entry] = (),
        table: tuple[str, str | None] | None = None,
    ) -> None:
        super().__init__("the slice lacks something that the decision needs")
        self.paths = frozenset(paths)
        self.rows = frozenset(rows)
        self.values = frozenset(values)
        self.input = input
        self.whole = whole or complete
        self.complete = complete
        self.items = items
        self.gathered = gathered
        self.undo_inside = undo_inside
        self.failed_at = failed_at
        self.cached = frozenset(cached)
        self.table = table


class StaleOccurrence(OrchestratorError):
    """The occurrence is about an attempt, a timer or a state that has gone: nothing changes."""

    code = "STALE"
