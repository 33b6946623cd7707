"""Slices: what a decision may see of an instance, read from the database under the instance's lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from workflows_app.engine import stored
from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import NOT_LOADED, InstanceSnapshot, StepSnapshot
from workflows_app.engine.states import AttemptState, Cause, InstanceState, Role, StepState
from workflows_app.engine.transitions import Gathered, Slice, SliceMiss
from workflows_app.models import Attempt

INSIDE_AT_ONCE = 1_000
"""How many rows inside iterations are read at once to find one that is to be undone."""
TIMES = frozenset({"started_at", "ended_at", "due_at", "machine_since"})


def load(
    instance_id: UUID,
    graph: Graph,
    paths: Iterable[str],
    valued: Iterable[str],
    *,
    whole: bool = False,
    complete: bool = False,
    with_input: bool = False,
    repeats: Repeats | None = None,
) -> tuple[Slice, datetime]:
    """Lock the instance and read a slice of it.

    Args:
        paths: steps whose rows are read; all that are in flight with ``whole``, all there are with ``complete``.
        valued: steps whose ``input`` and ``output`` are read too.
        with_input: whether the workflow's input is read.
        repeats: what has been read of ``foreach`` steps already.

    Returns:
        The slice and the database's time.
    """
    known, with_values = frozenset(paths), frozenset(valued)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wf_slice(%s, %s, %s, %s, %s, %s)",
            [instance_id, list(known | with_values), list(with_values), whole, complete, with_input],
        )
        loaded = stored.loads(cursor.fetchone()[0])
    steps = {row["path"]: step_snapshot(row) for row in loaded["steps"]}
    slice_ = Slice(
        graph=graph,
        instance=instance_snapshot(loaded["instance"]),
        steps=steps,
        known=known | with_values,
        valued=with_values,
        whole=whole,
        complete=complete,
        items=repeats.items if repeats else {},
        gathered=repeats.gathered if repeats else {},
        undo_inside=repeats.undo_inside if repeats else None,
        limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES,
        call_depth=settings.ORCHESTRATOR_CALL_DEPTH,
    )
    return slice_, datetime.fromisoformat(loaded["now"])


class Repeats:
    """What decisions ask for of steps that repeat beside rows: some items, what all came to, if any is to be undone."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.gathered: dict[str, Gathered] = {}
        self.undo_inside: bool | None = None

    def take(self, instance_id: UUID, graph: Graph, miss: SliceMiss) -> None:
        """Read what a decision lacked; the instance is locked, so that it stays as it is."""
        if miss.undo_inside:
            self.undo_inside = _undo_inside(instance_id, graph)
        if miss.items is not None:
            path, first, number = miss.items
            self.items[path, first] = tuple(_ask("wf_items", instance_id, path, first, number))
        if miss.gathered is not None:
            rows = _ask("wf_gathered", instance_id, miss.gathered)
            self.gathered[miss.gathered] = Gathered(
                outputs={index: output for index, output, _ in rows},
                errors={index: problem for index, _, problem in rows if problem is not None},
            )


def failed_at(instance_id: UUID, path: str) -> tuple[datetime, ...]:
    """Return when the failed and the timed out attempts of a step's own work ended, the last first."""
    failed = (AttemptState.FAILED, AttemptState.TIMED_OUT)
    rows = Attempt.objects.filter(instance_id=instance_id, path=path, role=Role.ACTION, state__in=failed)
    return tuple(ended for ended in rows.order_by("-number").values_list("ended_at", flat=True) if ended)


def _undo_inside(instance_id: UUID, graph: Graph) -> bool:
    """Look for a step inside an iteration that is to be undone, page by page: mostly the first page has one."""
    last = ""
    while True:
        rows = _ask("wf_settled_inside", instance_id, last, INSIDE_AT_ONCE)
        steps = (
            StepSnapshot(
                path=path,
                state=StepState(state),
                role=Role(role),
                error={} if failed else None,
                effect_unknown=effect_unknown,
            )
            for path, state, role, failed, effect_unknown in rows
        )
        if any(needs_undo(graph.undo_order.node(step.path), step) for step in steps):
            return True
        if len(rows) < INSIDE_AT_ONCE:
            return False
        last = rows[-1][0]


def _ask(function: str, *arguments: Any) -> Any:
    """Call a database function that returns JSON."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({', '.join(['%s'] * len(arguments))})", arguments)
        return stored.loads(cursor.fetchone()[0])


def instance_snapshot(row: dict[str, Any]) -> InstanceSnapshot:
    """Build a snapshot from the JSON form of an instance's row; a missing ``input`` stays NOT_LOADED."""
    known = {f.name: row[f.name] for f in fields(InstanceSnapshot) if f.name in row}
    known |= {name: _time(known[name]) for name in TIMES & known.keys()}
    return InstanceSnapshot(
        **known
        | {
            "state": InstanceState(row["state"]),
            "cause": Cause(row["cause"]) if row["cause"] else None,
            "held": tuple(row["held"]),
            "tags": tuple(row["tags"]),
            "machine_queue": tuple(row["machine_queue"]),
        }
    )


def step_snapshot(row: dict[str, Any]) -> StepSnapshot:
    """Build a snapshot from the JSON form of a step's row; missing values stay NOT_LOADED."""
    known = {f.name: row[f.name] for f in fields(StepSnapshot) if f.name in row}
    known |= {name: _time(known[name]) for name in TIMES & known.keys()}
    for name in ("input", "undo_input", "output"):
        known.setdefault(name, NOT_LOADED)
    return StepSnapshot(**known | {"state": StepState(row["state"]), "role": Role(row["role"])})


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
