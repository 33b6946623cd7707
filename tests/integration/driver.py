"""A worker and a sweeper in the test's own process and transaction, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tasks.execution import describe
from workflows_app import selectors
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Dispatch, Instance, Timer
from workflows_app.services import definitions, instances, steps, sweep
from workflows_app.services.steps import Claim

Perform = Callable[[Claim], Any]


def echo(claim: Claim) -> Any:
    """The simplest activity: its result is its parameters."""
    return claim.parameters


class Driver:
    """Publishes, starts and performs; what each step's activity does is given by path.

    Args:
        perform: path → function of the claim; steps without one echo their parameters.
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
            output = self.perform.get(claim.path if claim.role == "action" else f"undo_{claim.path}", echo)(claim)
        except Exception as raised:
            steps.failed(claim=claim, error=describe(raised), told=isinstance(raised, AttemptCancelled))
        else:
            steps.succeeded(claim=claim, output=output)

    def drain(self) -> None:
        """Perform what is dispatched until nothing is; time stands still."""
        while (claim := self.claim_next()) is not None:
            self.work(claim)

    def run(self, instance: Instance, *, limit: int = 200) -> dict[str, Any]:
        """Perform and move the clock from timer to timer until the instance ends; return its view."""
        for _ in range(limit):
            self.drain()
            view = selectors.instance_view(instance.pk)
            if view["ended_at"]:
                return view
            due = Timer.objects.filter(instance=instance).order_by("due_at").values_list("due_at", flat=True).first()
            if due is None:
                return view
            self.set_clock(max(self.now, due))
            sweep.fire_timers()
        raise AssertionError("the instance does not come to an end")
