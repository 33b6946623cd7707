"""A worker on the test's bench: real runs on a real database, without a broker, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.test import TestCase

from tasks import execution, runs
from tasks.leases import Hold
from tests.integration.driver import Driver
from workflows_app import dispatch
from workflows_app.activities import ActivityContext
from workflows_app.engine.commands import Dispatch as ToSend
from workflows_app.engine.graph import Graph
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.services import sweep
from workflows_app.services.steps import Claim

Perform = Callable[[Any, ActivityContext], Any]

ROW = "  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}\n  - {id: c, activity: core.echo}"
WIDE = "\n".join(f"  - {{id: s{n}, activity: core.echo, needs: []}}" for n in range(5))


class Workbench:
    """What a worker does with one message after the other.

    ``perform`` says by path what an activity does (an undo: ``undo_`` and the path); the others echo their parameters.
    ``performed`` lists them as they begin, ``sent`` what goes to the broker, call by call. ``seconds`` is the clock of
    the time budget; the database's clock is ``driver``'s.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.driver = Driver()
        self.perform: dict[str, Perform] = {}
        self.performed: list[str] = []
        self.sent: list[list[str]] = []
        self.chunks: list[int | None] = []
        self.seconds = 0.0
        self.slow: Callable[[], None] | None = None
        self.on_send: Callable[[], None] = lambda: None
        monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        monkeypatch.setattr(dispatch, "publish", self._publish)
        monkeypatch.setattr(execution, "registry", SimpleNamespace(get=lambda name: self._activity()))
        monkeypatch.setattr(execution, "keeper", SimpleNamespace(hold=self._hold))
        # The test's own transaction stays open around everything.
        monkeypatch.setattr(execution, "drop_open_transactions", lambda: None)

    def start(self, steps: str, input: Any = None, *, head: str = "", name: str = "w") -> Instance:
        """Publish a workflow with these steps (YAML) and start it; what it sends is not listed."""
        instance = self.driver.start(f"workflow: {name}\nversion: 1.0.0\n{head}\nsteps:\n{steps}", input)
        self.sent.clear()
        return instance

    def message(self, instance: Instance, *paths: str, chain: Sequence[Mapping[str, Any]] = ()) -> bool:
        """Let a worker have the message of dispatched steps: these, or all that are there.

        Args:
            chain: what Celery sends when the task returns normally, the next link last.

        Returns:
            Whether the message has to carry on.
        """
        rows = dict(Dispatch.objects.filter(instance=instance).order_by("id").values_list("path", "generation"))
        keys = [(path, rows.get(path, 1)) for path in paths or rows]
        request = SimpleNamespace(chain=list(chain), chord=None, callbacks=None)
        with TestCase.captureOnCommitCallbacks(execute=True):
            return runs.Run(instance.pk, keys, worker="w:1", request=request).perform()

    def finish(self, instance: Instance, *, most: int = 50) -> Instance:
        """Deliver message after message, and let the time come that timers wait for, until the instance ends."""
        for _ in range(most):
            instance.refresh_from_db()
            if instance.ended_at is not None:
                break
            if Dispatch.objects.filter(instance=instance).exists():
                self.message(instance)
            else:
                due = Timer.objects.filter(instance=instance).order_by("due_at").values_list("due_at", flat=True)[0]
                self.driver.set_clock(max(due, self.driver.now))
                sweep.fire_timers()
        return instance

    def _publish(
        self, instance_id: UUID, graph: Graph, dispatches: Sequence[ToSend], *, chunk: int | None = None
    ) -> bool:
        self.sent.append([each.step for each in dispatches])
        self.chunks.append(chunk)
        self.on_send()
        return True

    def _activity(self) -> Any:
        def perform(parameters: Any, context: ActivityContext) -> Any:
            path = context.step if context.role == "action" else f"undo_{context.step}"
            self.performed.append(path)
            return self.perform.get(path, lambda given, context: given)(parameters, context)

        return SimpleNamespace(perform=perform)

    @contextmanager
    def _hold(self, claim: Claim, slow: Callable[[], None] | None = None) -> Iterator[Hold]:
        self.slow = slow
        yield Hold(claim, slow)


def history(instance: Instance) -> list[tuple[str, str, Any]]:
    """What happened to an instance, without times, ids and who did it."""
    rows = Event.objects.filter(instance=instance).order_by("sequence").values_list("type", "step", "data")
    forgotten = {"due_at", "worker", "correlation_id"}
    return [(type_, step, {k: v for k, v in data.items() if k not in forgotten}) for type_, step, data in rows]


def states(instance: Instance) -> dict[str, str]:
    """The stored states of its steps."""
    return dict(Step.objects.filter(instance=instance).values_list("path", "state"))


def waiting(instance: Instance) -> list[str]:
    """The steps that a message may still claim."""
    return sorted(Dispatch.objects.filter(instance=instance).values_list("path", flat=True))
