"""The report of one instance: what its steps came to in numbers, the same for pages and commands.

Numbers are counted by the database, so that an instance of ten thousand iterations costs what a small one does in rows
that are read. A block takes as long as what stands in it: it is counted, but measured nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Max
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Left

from workflows_app.engine.graph import Graph
from workflows_app.engine.node import NodeKind
from workflows_app.engine.paths import split
from workflows_app.engine.states import STEP_OPEN, AttemptState, StepState
from workflows_app.models import Attempt, Event, Instance, Step
from workflows_app.selectors import step_names

SLOWEST = 3
MOST_BOTTLENECKS = 5
MOST_FAILED = 20
BOTTLENECK = 2.0
"""A step that took more than so many times the mean is a bottleneck."""
FAILED = (StepState.FAILED, StepState.TIMED_OUT, StepState.COMPENSATION_FAILED)
MESSAGE_LENGTH = 500
UNMEASURED = frozenset({NodeKind.MOVE, NodeKind.MACHINE})


def report(found: Instance, graph: Graph, *, now: datetime) -> dict[str, Any]:
    """Return the report of an instance.

    Args:
        found: the instance.
        graph: of its version.
        now: until when what goes on is counted.

    Returns:
        ``totals``: ``steps`` (those of the definition that stand in no repetition, and one for each time that a step
        inside one has begun), how many of them are ``settled``, ``completed``, ``failed``, ``skipped`` and ``open``,
        and ``attempts``, with how many of these ``failed`` or were ``lost``; ``completion_rate``: completed steps by
        those that were not skipped, ``None`` where there are none; ``by_kind`` and ``by_state``: counts;
        ``seconds`` that the instance has taken, and ``seconds_since_change`` since its last event; ``step_seconds``:
        ``mean`` and ``max`` of the steps that have ended and are no blocks; the three ``slowest``; ``bottlenecks``,
        with ``times_mean``; and the ``failed`` steps with their errors.
    """
    counts = _counts(found, graph)
    by_state = Counter[str]()
    by_kind = Counter[str]()
    for (kind, state), number in counts.items():
        by_state[state] += number
        by_kind[kind] += number
    total, skipped, completed = by_state.total(), by_state["skipped"], _completed(by_state)
    open_ = sum(by_state[state] for state in STEP_OPEN)
    attempts = dict(Attempt.objects.filter(instance_id=found.pk).values_list("state").annotate(Count("id")).order_by())
    measured = _measured(found, graph)
    figures = measured.aggregate(mean=Avg("took"), longest=Max("took"))
    mean = _seconds(figures["mean"])
    slowest = [_timed(row, mean) for row in measured.order_by("-took", "id")[: max(SLOWEST, MOST_BOTTLENECKS)]]
    last = Event.objects.filter(instance_id=found.pk).order_by("-sequence").values_list("at", flat=True).first()
    return {
        "id": str(found.pk),
        "workflow": found.workflow,
        "version": found.version,
        "state": found.state,
        "totals": {
            "steps": total,
            "settled": total - open_,
            "completed": completed,
            "failed": sum(by_state[state] for state in FAILED),
            "skipped": skipped,
            "open": open_,
            "attempts": sum(attempts.values()),
            "attempts_failed": attempts.get(AttemptState.FAILED, 0) + attempts.get(AttemptState.TIMED_OUT, 0),
            "attempts_lost": attempts.get(AttemptState.LOST, 0),
        },
        "completion_rate": round(completed / (total - skipped), 4) if total > skipped else None,
        "by_kind": dict(sorted(by_kind.items())),
        "by_state": dict(sorted(by_state.items())),
        "seconds": _between(found.started_at, found.ended_at or now),
        "seconds_since_change": _between(last, now),
        "step_seconds": {"mean": mean, "max": _seconds(figures["longest"])},
        "slowest": slowest[:SLOWEST],
        "bottlenecks": [each for each in slowest if (each["times_mean"] or 0) > BOTTLENECK][:MOST_BOTTLENECKS],
        "failed": _failed(found),
    }


def _completed(by_state: Mapping[str, int]) -> int:
    """What has been undone, or is being undone, had completed."""
    done = (StepState.COMPLETED, StepState.COMPENSATING, StepState.COMPENSATED, StepState.COMPENSATION_FAILED)
    return sum(by_state.get(state, 0) for state in done)


def _written(graph: Graph, *, blocks: bool) -> dict[str, str]:
    """Return the kinds of the steps of a definition by id, with or without blocks; parts of steps are none."""
    nodes = (node for node in graph.written.values() if not node.is_part and node.kind not in UNMEASURED)
    return {split(node.path)[1] or node.path: node.kind.value for node in nodes if blocks or not node.is_container}


def _counts(found: Instance, graph: Graph) -> Counter[tuple[str, str]]:
    kinds = _written(graph, blocks=True)
    rows = (
        step_names.steps(found.pk)
        .filter(name__in=list(kinds))
        .values_list("name", "state")
        .annotate(Count("id"))
        .order_by()
    )
    counts = Counter[tuple[str, str]]()
    begun: Counter[str] = Counter()
    for name, state, number in rows:
        counts[kinds[name], state] += number
        begun[name] += number
    for node in graph.nodes.values():
        # A step without a row is pending.
        if node.path in kinds and not begun[node.path]:
            counts[node.kind.value, StepState.PENDING.value] += 1
    return counts


def _measured(found: Instance, graph: Graph) -> Any:
    took = ExpressionWrapper(F("ended_at") - F("started_at"), output_field=DurationField())
    names: Collection[str] = list(_written(graph, blocks=False))
    rows = step_names.steps(found.pk).filter(name__in=names, started_at__isnull=False, ended_at__isnull=False)
    return rows.exclude(state=StepState.SKIPPED).annotate(took=took).only("path", "state", "attempts")


def _timed(row: Any, mean: float | None) -> dict[str, Any]:
    seconds = _seconds(row.took)
    return {
        "step": row.path,
        "state": row.state,
        "attempts": row.attempts,
        "seconds": seconds,
        "times_mean": round(seconds / mean, 2) if mean and seconds is not None else None,
    }


def _failed(found: Instance) -> list[dict[str, Any]]:
    steps = Step.objects.filter(instance_id=found.pk, state__in=FAILED).exclude(path__endswith="]").order_by("id")
    rows = steps.annotate(
        code=KeyTextTransform("code", "error"),
        message=Left(KeyTextTransform("message", "error"), MESSAGE_LENGTH),
        undo_code=KeyTextTransform("code", "undo_error"),
        undo_message=Left(KeyTextTransform("message", "undo_error"), MESSAGE_LENGTH),
    ).values("path", "state", "attempts", "code", "message", "undo_code", "undo_message", "ended_at")
    return [
        {
            "step": row["path"],
            "state": row["state"],
            "attempts": row["attempts"],
            "code": row["undo_code"] or row["code"],
            "message": row["undo_message"] if row["undo_code"] else row["message"],
            "at": row["ended_at"].isoformat().replace("+00:00", "Z") if row["ended_at"] else None,
        }
        for row in rows[:MOST_FAILED]
    ]


def _seconds(length: Any) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


def _between(start: datetime | None, end: datetime) -> float | None:
    return None if start is None else round(max(0.0, (end - start).total_seconds()), 3)
