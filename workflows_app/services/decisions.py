"""Taking a decision: load a slice, let the engine decide, record it, all under the instance's lock; then publish.

The database's part is two function calls, ``wf_slice`` and ``wf_record``. Messages leave after the commit: one that is
lost in between leaves its dispatch row behind, and the sweeper sends it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from workflows_app import dispatch
from workflows_app.engine import stored
from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TellToStop, Withdraw
from workflows_app.engine.errors import NotFound
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph, Reach
from workflows_app.engine.snapshot import NOT_LOADED, InstanceSnapshot, StepSnapshot
from workflows_app.engine.states import Cause, InstanceState, Role, StepState
from workflows_app.engine.transitions import Decision, Occurrence, Slice, SliceMiss, decide
from workflows_app.services import graphs

TIMES = frozenset({"started_at", "ended_at", "due_at"})
TakeOver = Callable[[list[Dispatch]], list[Dispatch]]
NOTHING = Reach(frozenset(), frozenset(), False)


def take(
    *,
    instance_id: UUID,
    occurrence: Occurrence,
    about: str | None = None,
    actor: str = "engine",
    version_id: int | None = None,
    take_over: TakeOver = list,
) -> Decision:
    """Decide and record what follows from one occurrence, in one transaction.

    Args:
        instance_id: the instance; its row stays locked until the commit.
        occurrence: what happened.
        about: path of the step it is about; what settling it may touch is loaded at once.
        actor: recorded as the author of the events.
        version_id: the instance's version where the caller knows it: one query less.
        take_over: called in the transaction with the dispatches that may leave; returns those that still have to.

    Raises:
        NotFound: there is no such instance.
        StaleOccurrence: the attempt has been ended by somebody else; nothing was changed.
        StateForbids: an operator's command that the state does not allow.
    """
    with transaction.atomic():
        graph = graphs.of_version(_lock(instance_id) if version_id is None else version_id)
        decision, now = _decide(instance_id, graph, occurrence, about, actor)
        record(instance_id, graph, decision, now, take_over)
        return decision


def _lock(instance_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT definition_version_id FROM workflows_app_instance WHERE id = %s FOR UPDATE", [instance_id]
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    return int(row[0])


def _decide(
    instance_id: UUID, graph: Graph, occurrence: Occurrence, about: str | None, actor: str
) -> tuple[Decision, datetime]:
    reach = graph.reach(about) if about is not None and about in graph.nodes else NOTHING
    paths, valued, whole, with_input = set(reach.paths), set(reach.values), False, reach.input
    while True:
        slice_, now = load(instance_id, graph, paths, valued, whole=whole, with_input=with_input)
        try:
            return decide(slice_, occurrence, now=now, actor=actor), now
        except SliceMiss as miss:
            for path in miss.paths:
                further = graph.reach(path)
                paths |= further.paths
                valued |= further.values
                with_input = with_input or further.input
            paths |= miss.paths | miss.values
            valued |= miss.values
            whole = whole or miss.whole
            with_input = with_input or miss.input


def load(
    instance_id: UUID,
    graph: Graph,
    paths: Iterable[str],
    valued: Iterable[str],
    *,
    whole: bool = False,
    with_input: bool = False,
) -> tuple[Slice, datetime]:
    """Lock the instance and read a slice of it.

    Args:
        paths: steps whose rows are read (all of them with ``whole``).
        valued: steps whose ``input`` and ``output`` are read too.
        with_input: whether the workflow's input is read.

    Returns:
        The slice and the database's time.
    """
    known, with_values = frozenset(paths), frozenset(valued)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wf_slice(%s, %s, %s, %s, %s)",
            [instance_id, list(known | with_values), list(with_values), whole, with_input],
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
        limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES,
    )
    return slice_, datetime.fromisoformat(loaded["now"])


def instance_snapshot(row: dict[str, Any]) -> InstanceSnapshot:
    """Build a snapshot from the JSON form of an instance's row; a missing ``input`` stays NOT_LOADED."""
    known = {f.name: row[f.name] for f in fields(InstanceSnapshot) if f.name in row}
    known |= {name: _time(known[name]) for name in TIMES & known.keys()}
    return InstanceSnapshot(
        **known
        | {
            "state": InstanceState(row["state"]),
            "cause": Cause(row["cause"]) if row["cause"] else None,
            "undo_order": tuple(row["undo_order"]),
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


def record(instance_id: UUID, graph: Graph, decision: Decision, now: datetime, take_over: TakeOver = list) -> None:
    """Write a decision and let its messages leave after the commit. The caller's transaction holds the instance."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT path, generation, queue, timeout FROM wf_record(%s, %s, %s)",
            [instance_id, document(decision, now), settings.ORCHESTRATOR_WINDOW],
        )
        published = [dispatch_of(row) for row in cursor if row[0]]
    publish(instance_id, graph, take_over(published) if published else [])


def dispatch_of(row: Sequence[Any]) -> Dispatch:
    """Read a row that a database function returns: path, generation, queue, timeout."""
    return Dispatch(step=row[0], generation=row[1], queue=row[2], timeout=row[3])


def publish(instance_id: UUID, graph: Graph, dispatches: Sequence[Dispatch]) -> None:
    """Send dispatches as soon as the transaction at hand, if there is one, has committed."""
    if dispatches:
        # A lambda: Django's report of a failed hook asks for its __qualname__, which a partial lacks.
        transaction.on_commit(lambda: dispatch.publish(instance_id, graph, dispatches), robust=True)


def document(decision: Decision, now: datetime) -> str:
    """Return a decision as the JSON text that ``wf_record`` and ``wf_start`` take."""
    return json.dumps(changes(decision, now), allow_nan=False, default=_encode)


def changes(decision: Decision, now: datetime) -> dict[str, Any]:
    """Return a decision as the document that ``wf_record`` takes: only what changed."""
    before, after = decision.before, decision.after
    document: dict[str, Any] = {
        "at": now,
        "instance": _changed(before.instance, after.instance),
        "events": [{f.name: getattr(event, f.name) for f in fields(event)} for event in decision.events],
        "new": [],
        "changed": [],
        "ended": _ended(after),
    }
    for path, step in after.steps.items():
        stored = before.steps.get(path)
        if stored is None:
            document["new"].append({f.name: getattr(step, f.name) for f in fields(step)})
        elif stored is not step and (changed := _changed(stored, step)):
            document["changed"].append({"path": path, **changed})
    document |= _net_commands(decision)
    return {key: value for key, value in document.items() if value or key in ("at", "events")}


def _changed(before: Any, after: Any) -> dict[str, Any]:
    return {
        f.name: getattr(after, f.name)
        for f in fields(after)
        if getattr(after, f.name) is not NOT_LOADED and getattr(after, f.name) != getattr(before, f.name)
    }


def _ended(after: State) -> list[dict[str, Any]]:
    return [
        {"path": a.step, "number": a.number, "state": a.state, "error": a.error}
        for a in after.attempts.values()
        if a.ended_at is not None
    ]


def _net_commands(decision: Decision) -> dict[str, Any]:
    """Reduce the commands, in their order, to what remains of them at the end of the decision."""
    told: list[str] = []
    withdrawn: set[str] = set()
    cleared: set[str] = set()
    timers: dict[tuple[str, str], datetime] = {}
    dispatches: dict[str, Dispatch] = {}
    for command in decision.commands:
        match command:
            case Dispatch():
                dispatches[command.step] = command
            case Withdraw():
                if dispatches.pop(command.step, None) is None:
                    withdrawn.add(command.step)
            case SetTimer():
                timers[command.step, command.kind] = command.due_at
            case ClearTimers():
                cleared.add(command.step)
                timers = {key: due for key, due in timers.items() if key[0] != command.step}
            case TellToStop():
                told.append(command.step)
    return {
        "told": told,
        "withdrawn": sorted(withdrawn),
        "cleared": sorted(cleared),
        "timers": [{"path": path, "kind": kind, "due_at": due} for (path, kind), due in timers.items()],
        "dispatches": [
            {"path": d.step, "generation": d.generation, "queue": d.queue, "timeout": d.timeout}
            for d in dispatches.values()
        ],
    }


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if value is NOT_LOADED:
        return None
    return dict(value)
