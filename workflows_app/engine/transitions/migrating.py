"""Migrating: an operator lets an instance go on by another version; what was done stays, what begins is the new one's.

What becomes of each step, and why an instance cannot be migrated, is in ``engine.migration``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workflows_app.engine import reopening, values
from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TimerKind, Withdraw
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.graph import Graph
from workflows_app.engine.migration import Plan, Standing, plan
from workflows_app.engine.migration.plan import due_at, is_timed_anew
from workflows_app.engine.snapshot import NOT_LOADED
from workflows_app.engine.states import InstanceState, Role, StepState
from workflows_app.engine.transitions import pausing, settling
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import Migrate
from workflows_app.engine.transitions.slice import SliceMiss

ABLE = (InstanceState.PENDING, InstanceState.RUNNING, InstanceState.PAUSED, InstanceState.FAILED)
WHY_NOT: Mapping[InstanceState, str] = {
    InstanceState.COMPENSATING: "it is being undone, by the version that it ran by",
    InstanceState.COMPLETED: "it has done what it should",
    InstanceState.CANCELLED: "it was cancelled on request",
    InstanceState.TERMINATED: "what it left nobody knows",
    InstanceState.COMPENSATED: "all of it was undone",
    InstanceState.COMPENSATION_FAILED: "see to the undos that failed",
}


NAMED = 5
"""Of more problems so many are named in the refusal itself."""


class NotMigratable(StateForbids):
    """An instance that another version of its workflow has no place for; every problem says where and why."""

    code = "NOT_MIGRATABLE"


def migrate(draft: Draft, occurrence: Migrate) -> None:
    """Put the instance on another version of its workflow.

    Raises:
        StateForbids: the instance is ending, has ended, or is on that version already.
        NotMigratable: with every problem.
    """
    old, new = draft.graph, occurrence.graph
    _require_able(draft, new)
    standing = _standing(draft, occurrence)
    found = plan(standing, now=draft.now)
    values.encode(dict(found.variables), limit_bytes=draft.before.limit_bytes, what="the instance's variables")
    if found.problems:
        named = ", ".join(f"{each.path} ({each.code})" for each in found.problems[:NAMED])
        more = f" and {len(found.problems) - NAMED} more" if len(found.problems) > NAMED else ""
        message = f"it cannot go on by {new.definition.version}: {named}{more}"
        raise NotMigratable(message, problems=found.problems)
    draft.actor = occurrence.actor
    unclaimed, timers = _unclaimed(draft), _idle_timers(draft, found, new)
    draft.versions = {new.definition.version: new}.__getitem__
    draft.emit(EventType.INSTANCE_MIGRATED, **_facts(old, found, occurrence))
    for path in timers:
        draft.command(ClearTimers(step=path))
    _time_anew(draft, standing)
    _send_anew(draft, unclaimed, found, old)
    for path, reason in found.passed.items():
        if reason != "block":
            settling.skip(draft, new[path], reason)
    if draft.instance.state is InstanceState.RUNNING:
        pausing.look_at_everything(draft)


def _require_able(draft: Draft, new: Graph) -> None:
    instance, version = draft.instance, new.definition.version
    if instance.state not in ABLE:
        able = "a pending, running, paused or failed one can be migrated"
        raise StateForbids(f"the instance is {instance.state}; only {able}: {WHY_NOT[instance.state]}")
    if instance.ending is not None and instance.state is not InstanceState.FAILED:
        raise StateForbids(f"the instance is ending already (cause: {instance.ending})")
    if version == instance.version:
        raise StateForbids(f"the instance is on {version} already", code="SAME_VERSION")
    if draft.graph.definition.machine is not None or new.definition.machine is not None:
        raise StateForbids("state machines are not migrated: what has happened in one is told by its transitions")
    loses = draft.graph.undoable and not new.undoable
    if loses and instance.parent and instance.parent["awaited"]:
        above = instance.parent["instance"]
        raise StateForbids(f"the instance {above} called it and may have it undone, and {version} undoes nothing")


def _standing(draft: Draft, occurrence: Migrate) -> Standing:
    old, new = draft.graph, occurrence.graph
    pending, opened = frozenset[str](), frozenset[str]()
    if draft.instance.state is InstanceState.FAILED:
        draft.require_complete()
        pending, opened = map(frozenset, reopening.plan(draft, occurrence.evidence))
    else:
        draft.require_whole()
    if new.definition.input_schema != old.definition.input_schema and draft.instance.input is NOT_LOADED:
        raise SliceMiss(input=True)
    return Standing(
        old=old,
        new=new,
        instance=draft.instance,
        steps=dict(draft.steps),
        renames={name: other for name, other in occurrence.renames.items() if name != other},
        pending=pending,
        opened=opened,
        used=occurrence.used,
    )


def _facts(old: Graph, found: Plan, occurrence: Migrate) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "from": old.definition.version,
        "to": occurrence.graph.definition.version,
        "map": dict(occurrence.renames),
        "gone": list(found.gone),
        "moved": dict(found.moved),
        "anew": list(found.anew),
        "variables": {name: found.variables[name] for name in found.added},
        "dropped": list(found.dropped),
        "reason": occurrence.reason,
    }
    if occurrence.overrides is not None:
        facts["overrides"] = dict(occurrence.overrides)
    return facts


# ---------------------------------------------------------------- what is under way
def _unclaimed(draft: Draft) -> list[str]:
    """Return the steps that wait for a worker."""
    return sorted(path for path, step in draft.steps.items() if step.state is StepState.SCHEDULED)


def _idle_timers(draft: Draft, found: Plan, new: Graph) -> list[str]:
    """Return the steps whose join does not wait with a deadline any more."""
    waiting = [
        path for path, step in draft.steps.items() if step.state is StepState.PENDING and step.due_at is not None
    ]
    return sorted(
        path for path in waiting if path in found.gone or (path in new.nodes and new.nodes[path].join.deadline is None)
    )


def _time_anew(draft: Draft, standing: Standing) -> None:
    """Let the time of the whole instance be that of the new version, counted from its start as before."""
    if draft.instance.state not in (InstanceState.RUNNING, InstanceState.PAUSED) or not is_timed_anew(standing):
        return
    draft.command(ClearTimers(step=""))
    due: datetime | None = due_at(standing)
    if due is not None:
        draft.command(SetTimer(step="", kind=TimerKind.INSTANCE, due_at=due))


def _send_anew(draft: Draft, unclaimed: list[str], found: Plan, old: Graph) -> None:
    """Write the tickets again of steps that have another name, queue or time now."""
    for path in unclaimed:
        name = found.moved.get(path, path)
        before, node = old[path], draft.graph[name]
        if (path, before.queue, before.timeout) == (name, node.queue, node.timeout):
            continue
        draft.command(Withdraw(step=path))
        step = draft.step(name)
        assert step.role is not Role.COMPENSATION
        draft.command(Dispatch(step=name, generation=step.generation, queue=node.queue, timeout=node.timeout))
