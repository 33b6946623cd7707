"""Reopening: a failed instance takes up again what its failure ended: which steps, and what is counted then.

Which steps those are the stored state does not tell: a step may have been cancelled long before, as one that nothing
waited for any more, and a failure may have been tolerated. The history does: ``evidence`` reads it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workflows_app.engine.events import Event, EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import chosen
from workflows_app.engine.states import STEP_OPEN, InstanceState, Role, StepState

if TYPE_CHECKING:
    from workflows_app.engine.fold import State

FAILED = (StepState.FAILED, StepState.TIMED_OUT)
COUNTING = (NodeKind.PARALLEL, NodeKind.FOREACH)
"""Blocks that may forgive some failures of their parts; where they have failed all the same, all of them count."""
TELLING = (
    EventType.INSTANCE_MIGRATED,
    EventType.INSTANCE_RETRIED,
    EventType.INSTANCE_REWOUND,
    EventType.INSTANCE_STOPPING,
    EventType.STEP_STOPPING,
    EventType.STEP_FAILED,
    EventType.STEP_TIMED_OUT,
)
"""The events that ``evidence`` looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a history tells about why an instance failed.

    Args:
        untolerated: paths of the steps whose failure nothing tolerated.
        stops: the event after which a block, or with an empty path the instance, let nothing new begin.
    """

    untolerated: frozenset[str]
    stops: Mapping[str, int]


def evidence(events: Iterable[Event]) -> Evidence:
    """Read a history, in order from its beginning; of no type but ``TELLING`` is anything read."""
    untolerated: set[str] = set()
    stops: dict[str, int] = {}
    for event in events:
        match event.type:
            case EventType.INSTANCE_RETRIED:
                untolerated, stops = set(), {}
            case EventType.INSTANCE_REWOUND:
                # A failure that a pause still holds back, beside what was taken back, is not among these.
                gone = {"", *event.data["again"], *event.data["pending"], *event.data["open"]}
                untolerated -= gone
                stops = {path: sequence for path, sequence in stops.items() if path not in gone}
            case EventType.INSTANCE_MIGRATED:
                gone, moved = set(event.data["gone"]), event.data["moved"]
                untolerated = {moved.get(path, path) for path in untolerated - gone}
                stops = {moved.get(path, path): at for path, at in stops.items() if path not in gone}
            case EventType.INSTANCE_STOPPING | EventType.STEP_STOPPING:
                stops.setdefault(event.step, event.sequence)
            case EventType.STEP_FAILED | EventType.STEP_TIMED_OUT if not event.data["tolerated"]:
                untolerated.add(event.step)
    return Evidence(untolerated=frozenset(untolerated), stops=stops)


def plan(state: State, found: Evidence) -> tuple[list[str], list[str]]:
    """Say what a retry takes back.

    Args:
        state: every step there is.

    Returns:
        The steps that become pending again, and the blocks that had begun and are open again.
    """
    unreachable = (path for path, step in state.steps.items() if (step.error or {}).get("code") == "JOIN_UNREACHABLE")
    # What a join could not do without failed as well, though nobody stopped for it.
    blamed = {need for path in unreachable if path in found.untolerated for need in state.graph[path].needs}
    pending: list[str] = []
    open_: list[str] = []
    todo = [(path, found.stops.get("", 0), False) for path in state.graph.roots]
    while todo:
        path, since, whatever = todo.pop(0)
        node, step = state.graph[path], state.step(path)
        failed = step.state in FAILED and (whatever or path in found.untolerated or path in blamed)
        if not failed and not (step.state is StepState.CANCELLED and (step.settled or 0) > since):
            continue
        if not node.is_container or step.started_at is None:
            pending.append(path)
            todo += [(inner, since, False) for inner in node.children]
        else:
            open_.append(path)
            counts = node.kind in COUNTING and (node.race or node.branch_join.tolerate > 0)
            todo += [(inner, found.stops.get(path, since), counts) for inner in _parts(state, node)]
    return pending, open_


def reopen(state: State, pending: Iterable[str], open_: Iterable[str], *, again: Iterable[str] = ()) -> None:
    """Take the ends of these steps back, and count anew what waits for them.

    Args:
        again: further steps that have become pending.
    """
    changed = [*pending, *open_]
    opened = set(open_)
    again = list(again)
    counts = {"failures": 0, "losses": 0, "limited": None}
    blank = {"role": Role.ACTION, "error_case": None, **counts, "stopping": False, "error": None}
    values = {"undo_input": None, "output": None, "output_from": None}
    unsettled = {**values, "due_at": None, "settled": None, "ended_at": None, **blank}
    for path in changed:
        target = StepState.WAITING if path in opened else StepState.PENDING
        state.change(path, state=target, **unsettled)
    followers = {follower for each in (*changed, *again) for follower in state.graph[each].successors}
    for path in sorted(followers.union(again)):
        needs = [state.step(need).state for need in state.graph[path].needs]
        settled, completed = sum(s not in STEP_OPEN for s in needs), needs.count(StepState.COMPLETED)
        state.change(path, needs_settled=settled, needs_completed=completed)
    for path in open_:
        node = state.graph[path]
        parts = [state.step(part).state for part in _parts(state, node)]
        failures = sum(part in FAILED for part in parts) if node.is_repeat else 0
        state.change(path, open_children=sum(part in STEP_OPEN for part in parts), failures=failures)
    state.instance = replace(
        state.instance,
        state=InstanceState.RUNNING,
        cause=None,
        ending=None,
        undo=False,
        error=None,
        output=None,
        ended_at=None,
        open_steps=sum(state.step(path).state in STEP_OPEN for path in state.graph.roots),
    )


def _parts(state: State, node: Node) -> Iterator[str]:
    """Yield what stands in a block that has begun: its steps, branches, or the iterations so far."""
    if node.kind is NodeKind.ADHOC:
        around = tuple(f"{chosen(node.path, member.id)}[" for member in node.adhoc.steps)
        picked = (path for path in state.steps if path.startswith(around) and state.graph[path].parent == node.path)
        yield from sorted(picked)
    elif node.is_repeat:
        yield from (f"{node.path}[{index}]" for index in range(state.step(node.path).opened))
    else:
        yield from node.children
