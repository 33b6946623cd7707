"""Migrating: operators let instances go on by another version of their workflow; a preview says what happens then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Func, TextField, Value

from workflows_app.engine.errors import InputInvalid, NotFound, Problem, Refused, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.states import AttemptState
from workflows_app.engine.transitions import Decision, Migrate
from workflows_app.models import Attempt, DefinitionVersion, Event, Instance
from workflows_app.services import decisions, graphs, interventions, versions

MOST_RENAMES = 100
"""How many steps one migration may rename."""
BEGINNING = (EventType.STEP_SCHEDULED, EventType.STEP_WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a migration would do to one instance.

    Args:
        instance_id: the instance.
        state: that it has now.
        version: the version that it is on.
        code: why it cannot be migrated; empty where it can.
        message: the same in words.
        problems: every reason, where there is more to say than that.
        gone: steps that the new version does not have, which stay in the history only.
        moved: what steps that have begun are called then.
        passed: steps of the new version that count as skipped.
        begins: steps that would begin at once.
        added: variables that get their initial value.
        dropped: variables that go.
    """

    instance_id: UUID
    state: str
    version: str
    code: str = ""
    message: str = ""
    problems: tuple[Problem, ...] = ()
    gone: tuple[str, ...] = ()
    moved: Mapping[str, str]
    passed: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def is_possible(self) -> bool:
        return not self.code

    def as_dict(self) -> dict[str, Any]:
        """Return it as documents have it."""
        head = {"id": str(self.instance_id), "state": self.state, "from": self.version, "possible": self.is_possible}
        if not self.is_possible:
            problems = [each.as_dict() for each in self.problems]
            return {**head, "error": {"code": self.code, "message": self.message, "problems": problems}}
        lists = {name: list(getattr(self, name)) for name in ("gone", "passed", "begins", "added", "dropped")}
        return {**head, "moved": dict(self.moved), **lists}


def target(*, workflow: str, version: str) -> DefinitionVersion:
    """Return the version that instances may be migrated to.

    Raises:
        NotFound: WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
        StateForbids: VERSION_DEPRECATED.
    """
    found = versions.find(name=workflow, version=version)
    if found.deprecated:
        raise StateForbids(f"{workflow} {version} is deprecated; nothing is migrated to it", code="VERSION_DEPRECATED")
    return found


@transaction.atomic
def migrate(
    *, instance_id: UUID, version: str, actor: str, renames: Mapping[str, str] | None = None, reason: str = ""
) -> Instance:
    """Let an instance go on by another version of its workflow.

    Args:
        version: published and not deprecated.
        renames: what steps are called there, by their id in the instance's version, where that differs.

    Raises:
        NotFound: no such instance or version.
        StateForbids: the instance is ending, has ended, or is on that version; the version is deprecated; or, with
            code NOT_MIGRATABLE and every problem, the instance has no place in it.
        InputInvalid: too many renames, or a reason that cannot be stored.
    """
    occurrence = _occurrence(instance_id, version, renames or {}, actor=actor, reason=reason)
    facts: dict[str, Any] = {"to": version, **({"map": dict(renames)} if renames else {})}
    return interventions.take(instance_id, occurrence, "instance.migrated", **facts)


@transaction.atomic
def foresee(*, instance_id: UUID, version: str, renames: Mapping[str, str] | None = None) -> Foreseen:
    """Tell what a migration would do, or why it is refused; nothing happens.

    Raises:
        NotFound: no such instance.
    """
    row = Instance.objects.only("state", "version", "workflow").filter(pk=instance_id).first()
    if row is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    head: dict[str, Any] = {"instance_id": instance_id, "state": row.state, "version": row.version}
    try:
        occurrence = _occurrence(instance_id, version, renames or {}, actor="", reason="")
        decision = decisions.ask(
            instance_id=instance_id,
            question=lambda slice_, now: decisions.looked_up(slice_, occurrence, now=now),
        )
    except Refused as refused:
        return Foreseen(**head, code=refused.code, message=refused.message, problems=refused.problems, moved={})
    return Foreseen(**head, **_told(decision))


def _told(decision: Decision) -> dict[str, Any]:
    migrated, *follows = decision.events
    data = migrated.data
    begins = [event.step for event in follows if event.type in BEGINNING]
    # A block is open before what stands in it: only what does something is named.
    begins = [path for path in begins if not decision.after.graph[path].is_container]
    return {
        "gone": tuple(data["gone"]),
        "moved": data["moved"],
        "passed": tuple(event.step for event in follows if event.type is EventType.STEP_SKIPPED),
        "begins": tuple(begins),
        "added": tuple(data["variables"]),
        "dropped": tuple(data["dropped"]),
    }


def _occurrence(instance_id: UUID, version: str, renames: Mapping[str, str], *, actor: str, reason: str) -> Migrate:
    if len(renames) > MOST_RENAMES:
        message = f"names {len(renames)} steps; at most {MOST_RENAMES} may be renamed at once"
        problem = Problem(code="INPUT_INVALID", path="map", message=message)
        raise InputInvalid(f"the map {message}", problems=[problem])
    evidence = interventions.evidence_of(instance_id)  # locks the instance
    row = Instance.objects.only("workflow", "overrides").filter(pk=instance_id).first()
    if row is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    found = target(workflow=row.workflow, version=version)
    _require_left_for_good(instance_id, version)
    overrides = _renamed(row.overrides, renames)
    return Migrate(
        graph=graphs.of_instance(found.pk, None if overrides is None else json.dumps(overrides)),
        actor=actor,
        evidence=evidence,
        used=_used(instance_id),
        renames=dict(renames),
        overrides=overrides if overrides != row.overrides else None,
        reason=reason,
    )


def _used(instance_id: UUID) -> frozenset[str]:
    """Return the names, outside of iterations, under which an instance has made attempts or called others."""
    attempts = Attempt.objects.filter(instance_id=instance_id).annotate(name=_outermost("path"))
    calls = Instance.objects.filter(parent_id=instance_id).annotate(name=_outermost("parent_path"))
    rows = attempts.values_list("name", flat=True).union(calls.values_list("name", flat=True))
    return frozenset(name for name in rows if name)


def _outermost(path: str) -> Func:
    return Func(F(path), Value(r"[\[-].*$"), Value(""), function="regexp_replace", output_field=TextField())


def _require_left_for_good(instance_id: UUID, version: str) -> None:
    """Refuse to go back to a version while a step runs that began before the instance left it.

    Its worker could not tell that the instance was away, and remembers steps as they were then.
    """
    left = Event.objects.filter(instance_id=instance_id, type=EventType.INSTANCE_MIGRATED, data__from=version)
    last = left.order_by("-sequence").values_list("at", flat=True).first()
    if last is None:
        return
    running = Attempt.objects.filter(instance_id=instance_id, state=AttemptState.RUNNING, started_at__lte=last)
    if path := running.values_list("path", flat=True).first():
        raise StateForbids(f"{path} runs since before the instance left {version}; wait for the end of its attempt")


def _renamed(overrides: Mapping[str, Any] | None, renames: Mapping[str, str]) -> dict[str, Any] | None:
    """Return an instance's overrides with those of renamed steps under their new names."""
    if not overrides:
        return None
    steps = {renames.get(name, name): own for name, own in overrides.get("steps", {}).items()}
    return {**overrides, **({"steps": steps} if steps else {})}
