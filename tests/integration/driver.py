"""A worker and a sweeper in the test's own process and transaction, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tasks.execution import describe
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Dispatch, Instance, Notice, Timer
from workflows_app.selectors import results
from workflows_app.services import decisions, definitions, instances, slots, steps, sweep
from workflows_app.services.steps import Claim

Perform = Callable[[Claim], Any]


def echo(claim: Claim) -> Any:
    """The simplest activity: its result is its parameters."""
    return claim.parameters


class Driver:
    """Publishes, starts and performs; what each step's activity does is given by path.

    Args:
        perform: path → function of the claim, of a fallback ``instead_<path>``, of an undo ``undo_<path>``; steps
            without one echo their parameters.
    """

    def __init__(self, **perform: Perform) -> None:
        self.perform: Mapping[str, Perform] = perform
        self.calls: list[tuple[str, str]] = []
        self.now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
        self.set_clock(self.now)

    def set_clock(self, now: datetime) -> None:
        self.now = now
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('orchestrator.now', %s, false)", [now.isoformat()])

    def advance(self, seconds: float) -> None:
        self.set_clock(self.now + timedelta(seconds=seconds))

    def start(self, document: str, input: Any = None, **options: Any) -> Instance:
        version = definitions.publish(text=document, actor="ada")
        return instances.start(
            name=version.definition.name, version=version.version, input=input, actor="ada", **options
        )

    def claim_next(self, instance_id: UUID | None = None) -> Claim | None:
        rows = Dispatch.objects.order_by("id")
        if instance_id:
            rows = rows.filter(instance_id=instance_id)
        row = rows.first()
        if row is None:
            return None
        return steps.claim(instance_id=row.instance_id, path=row.path, generation=row.generation, worker="test")

    def work(self, claim: Claim) -> None:
        """Perform one claimed step and report."""
        self.calls.append((claim.path, claim.role.value))
        try:
            prefix = {"action": "", "fallback": "instead_", "compensation": "undo_"}[claim.role]
            output = self.perform.get(prefix + claim.path, echo)(claim)
        except Exception as raised:
            steps.failed(claim=claim, error=describe(raised), told=isinstance(raised, AttemptCancelled))
        else:
            steps.succeeded(claim=claim, output=output)

    def drain(self) -> None:
        """Perform what is dispatched, hand over events and notices, until nothing is left; time stands still."""
        while True:
            claim = self.claim_next()
            if claim is not None:
                self.work(claim)
            elif not self.hand_over():
                return

    def work_off(self) -> None:
        """Drain, and start what got a slot by it, until nothing is left."""
        self.drain()
        while self.begin_granted():
            self.drain()

    def begin_granted(self) -> int:
        """Start what got a slot, as the process does that gave it up; return how many."""
        return slots.start_granted(decisions.begin, limit=sweep.BATCH)

    def hand_over(self) -> bool:
        """Hand over what a process hands over after its commit, which in a test never comes; whether there was any."""
        events = sweep.hand_over_events()
        waiting = Notice.objects.filter(due_at__lte=self.now).exists()
        sweep.hand_over()
        return waiting or bool(events)

    def run_for(self, instance: Instance, *, seconds: float) -> None:
        """Perform what is dispatched and fire what is due, for so long by the clock."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.drain()
            sweep.fire_timers()
            self.advance(1)

    def run(self, instance: Instance, *, limit: int = 200) -> dict[str, Any]:
        """Perform and move the clock from timer to timer until the instance ends; return its view."""
        for _ in range(limit):
            self.drain()
            view = results.instance_view(instance.pk)
            if view["ended_at"]:
                return view
            family = Timer.objects.filter(instance__correlation_id=instance.correlation_id)
            due = family.order_by("due_at").values_list("due_at", flat=True).first()
            if due is None:
                return view
            self.set_clock(max(self.now, due))
            sweep.fire_timers()
        raise AssertionError("the instance does not come to an end")
