"""Taking a decision: load a slice, let the engine decide, record it, all under the instance's lock; then publish.

The database's part is two function calls, ``wf_slice`` and ``wf_record``. Messages leave after the commit: one that is
lost in between leaves its dispatch row behind, and the sweeper sends it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.dispatch import Signal

from workflows_app import dispatch
from workflows_app.engine.commands import (
    Dispatch,
    StartChild,
    TellChild,
)
from workflows_app.engine.decision_tables import Table
from workflows_app.engine.errors import NotFound
from workflows_app.engine.graph import Graph, Reach
from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.engine.transitions import (
    Decision,
    Occurrence,
    Slice,
    SliceMiss,
    SlotGranted,
    StaleOccurrence,
    decide,
)
from workflows_app.services import arrivals, cached_results, decision_tables, graphs, recording, slices, slots

TakeOver = Callable[[list[Dispatch]], list[Dispatch]]
notices_left = Signal()
"""Sent after a commit that left notices about ``children`` (ids of called instances): whoever can hands them over."""
NOTHING = Reach(frozenset(), frozenset(), False)
T = TypeVar("T")
Tables = dict[tuple[str, str | None], Table | None]
"""Decision tables by name and version asked for."""


def take(
    *,
    instance_id: UUID,
    occurrence: Occurrence,
    about: str | None = None,
    actor: str = "engine",
    graph: Graph | None = None,
    take_over: TakeOver = list,
) -> Decision:
    """Decide and record what follows from one occurrence, in one transaction.

    Args:
        instance_id: the instance; its row stays locked until the commit.
        occurrence: what happened.
        about: path of the step it is about; what settling it may touch is loaded at once.
        actor: recorded as the author of the events.
        graph: that of the instance where the caller has it: one query less.
        take_over: called in the transaction with the dispatches that may leave; returns those that still have to.

    Raises:
        NotFound: there is no such instance.
        StaleOccurrence: the attempt has been ended by somebody else; nothing was changed.
        StateForbids: an operator's command that the state does not allow.
    """
    with transaction.atomic():
        try:
            decision, now = _decide(instance_id, graph or _lock(instance_id), occurrence, about, actor)
        except _Migrated:
            # The caller has the graph of the version before: what follows is not for it to go on with.
            take_over = list
            decision, now = _decide(instance_id, _lock(instance_id), occurrence, about, actor)
        if decision.events or decision.commands:
            record(instance_id, decision, now, take_over)
        return decision


class _Migrated(Exception):
    """The instance is on another version than the graph at hand; nothing has happened."""


def _lock(instance_id: UUID) -> Graph:
    """Lock an instance and return its graph."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT definition_version_id, overrides::text FROM workflows_app_instance WHERE id = %s FOR UPDATE",
            [instance_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    return graphs.of_instance(*row)


def _decide(
    instance_id: UUID, graph: Graph, occurrence: Occurrence, about: str | None, actor: str
) -> tuple[Decision, datetime]:
    tables: Tables = {}

    def question(slice_: Slice, now: datetime) -> Decision:
        return looked_up(slice_, occurrence, now=now, actor=actor, tables=tables)

    return _answer(instance_id, graph, question, NOTHING if about is None else _reach(graph, about))


def _reach(graph: Graph, about: str) -> Reach:
    try:
        return graph.reach(about)
    except KeyError as unknown:
        version = f"{graph.definition.name} {graph.definition.version}"
        raise StaleOccurrence(f"{about} is no step of {version}, which the instance is on") from unknown


def ask(*, instance_id: UUID, question: Callable[[Slice, datetime], T]) -> T:
    """Answer a question about an instance, under its lock; nothing changes.

    Args:
        question: told what is known and the time; a ``SliceMiss`` says what else it has to know.

    Raises:
        NotFound: there is no such instance.
    """
    with transaction.atomic():
        return _answer(instance_id, _lock(instance_id), question, NOTHING)[0]


def _answer(
    instance_id: UUID, graph: Graph, question: Callable[[Slice, datetime], T], reach: Reach
) -> tuple[T, datetime]:
    """Load what a question needs, as it turns out, until it has an answer."""
    paths, valued, with_input = set(reach.paths), set(reach.values), reach.input
    whole = complete = False
    repeats = slices.Repeats()
    while True:
        slice_, now = slices.load(
            instance_id, graph, paths, valued, whole=whole, complete=complete, with_input=with_input, repeats=repeats
        )
        if slice_.instance.version != graph.definition.version:
            raise _Migrated
        try:
            return question(slice_, now), now
        except SliceMiss as miss:
            repeats.take(instance_id, graph, miss)
            for path in miss.paths:
                further = graph.reach(path)
                paths |= further.paths
                valued |= further.values
                with_input = with_input or further.input
            paths |= miss.paths | miss.rows | miss.values
            valued |= miss.values
            whole, complete = whole or miss.whole, complete or miss.complete
            with_input = with_input or miss.input


def looked_up(
    slice_: Slice, occurrence: Occurrence, *, now: datetime, actor: str = "engine", tables: Tables | None = None
) -> Decision:
    """Decide, and look up what of other tables this asks for: the instance stays as it was read.

    Args:
        tables: those at hand, to which others are added: one decision sees one version of each.

    Raises:
        SliceMiss: something else is missing.
    """
    tables = {} if tables is None else tables
    while True:
        try:
            return decide(replace(slice_, tables=tables) if tables else slice_, occurrence, now=now, actor=actor)
        except SliceMiss as miss:
            if miss.table is not None:
                tables[miss.table] = decision_tables.at_hand(*miss.table)
            elif miss.cached:
                slice_ = cached_results.look_up(slice_, miss.cached)
            elif miss.failed_at is not None:
                times = slices.failed_at(UUID(slice_.instance.id), miss.failed_at)
                slice_ = replace(slice_, failed_at={**slice_.failed_at, miss.failed_at: times})
            else:
                raise


def record(instance_id: UUID, decision: Decision, now: datetime, take_over: TakeOver = list) -> None:
    """Write a decision and let its messages leave after the commit. The caller's transaction holds the instance."""
    graph = decision.after.graph
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT path, generation, queue, timeout FROM wf_record(%s, %s, %s)",
            [instance_id, recording.document(decision, now), settings.ORCHESTRATOR_WINDOW],
        )
        published = [dispatch_of(row) for row in cursor if row[0]]
    woken = arrivals.record(instance_id, decision)
    publish(instance_id, graph, take_over(published) if published else [])
    arrivals.hand_over_later(woken, take)
    tell(told(instance_id, decision))
    if decision.after.instance.ended_at is not None:
        go_on(graph)


def go_on(graph: Graph) -> None:
    """An instance of this graph ended: start what got its slot after the commit; nothing to do without a limit."""
    if graph.definition.concurrency is not None:
        slots.go_on_after_commit(graph.definition.name, begin)


def begin(instance_id: UUID) -> bool:
    """Start a pending instance that was granted a slot; ``False`` if it has none, or another session is at it."""
    with transaction.atomic():
        if not slots.take(instance_id):
            return False
        take(instance_id=instance_id, occurrence=SlotGranted())
        return True


def told(instance_id: UUID, decision: Decision) -> list[UUID]:
    """Return the called instances about which a decision leaves notices; at its own end that is the instance itself."""
    about = [UUID(each.child) for each in decision.commands if isinstance(each, StartChild | TellChild)]
    before, after = decision.before.instance, decision.after.instance
    waits = after.parent is not None and after.parent["awaited"]
    if waits and after.state in INSTANCE_ENDED and after.state is not before.state:
        about.append(instance_id)
    return list(dict.fromkeys(about))


def tell(children: list[UUID]) -> None:
    """Let notices be handed over as soon as the transaction at hand has committed; the sweep finds what is left."""
    if children:
        transaction.on_commit(lambda: notices_left.send_robust(None, children=children), robust=True)


def dispatch_of(row: Sequence[Any]) -> Dispatch:
    """Read a row that a database function returns: path, generation, queue, timeout."""
    return Dispatch(step=row[0], generation=row[1], queue=row[2], timeout=row[3])


def publish(instance_id: UUID, graph: Graph, dispatches: Sequence[Dispatch]) -> None:
    """Send dispatches as soon as the transaction at hand, if there is one, has committed."""
    if dispatches:
        # A lambda: Django's report of a failed hook asks for its __qualname__, which a partial lacks.
        transaction.on_commit(lambda: dispatch.publish(instance_id, graph, dispatches), robust=True)
