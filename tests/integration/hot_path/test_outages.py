"""The database drops a worker's connection at any statement or commit: nothing is lost, and nothing is done twice."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import InterfaceError, OperationalError, connection

from tests.integration.hot_path.outages import Moment, outage
from tests.integration.hot_path.workbench import Workbench
from workflows_app.models import Dispatch, Event, Instance
from workflows_app.services import steps, sweep, verification

STEPS = """
  - {id: x, activity: core.echo, needs: []}
  - {id: a, activity: core.echo, needs: []}
  - {id: b, activity: core.echo, needs: [a], with: {in: "${ input.n }"}}
  - {id: c, activity: core.echo, needs: [b], when: "true"}
  - {id: y, activity: core.echo, needs: []}
  - {id: join, activity: core.echo, needs: [c, x, y]}
  - {id: last, activity: core.echo}
"""
UNDONE = """
  - {id: a, activity: core.echo, compensate: {activity: core.echo}}
  - {id: b, activity: core.echo, compensate: {activity: core.echo}}
  - {id: c, activity: core.echo}
"""
MOST = 60


@pytest.fixture
def bench(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A worker on real commits and the real clock, which does not wait before it reports again."""
    monkeypatch.setattr(steps, "RECONNECT_SECONDS", (0.0, 0.0))
    bench = Workbench(monkeypatch)
    use_the_real_clock()
    return bench


def use_the_real_clock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('orchestrator.now', '', false)")


def finish(bench: Workbench, instance: Instance) -> None:
    """Do what the sweeper and other workers do once leases have expired."""
    for _ in range(MOST):
        instance.refresh_from_db()
        if instance.ended_at is not None:
            return
        with connection.cursor() as cursor:
            cursor.execute("UPDATE workflows_app_attempt SET lease_expires_at = now() WHERE state = 'running'")
        sweep.end_overdue_attempts()
        if Dispatch.objects.filter(instance=instance).exists():
            bench.message(instance)
    raise AssertionError("the instance does not come to an end")


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("undone", [False, True], ids=["completed", "undone"])
def test_wherever_the_connection_drops_each_step_is_performed_and_recorded_once(
    bench: Workbench, moment: Moment, undone: bool
) -> None:
    for turn in range(MOST):
        bench.performed.clear()
        instance = bench.start(UNDONE if undone else STEPS, {"n": 1}, name="undone" if undone else "all")
        if undone:
            bench.perform["c"] = breaks

        with outage(moment, turn) as dropped:
            try:
                bench.message(instance)
            except (OperationalError, InterfaceError):
                connection.close()  # as Celery does between tasks
        if dropped.happened:
            finish(bench, instance)

        instance.refresh_from_db()
        place = f"{moment}, the {turn + 1}th"
        expected = ["a", "b", "c", "undo_a", "undo_b"] if undone else ["a", "b", "c", "join", "last", "x", "y"]
        assert instance.state == ("compensated" if undone else "completed"), place
        assert sorted(bench.performed) == expected, place
        assert settled_twice(instance) == [], place
        assert verification.verify_history(instance.pk) is None, place
        assert verification.check_replay(instance.pk) == [], place
        if not dropped.happened:
            break
    else:
        raise AssertionError("the run never got through")
    assert turn > 1, "there were hardly any such moments in the run"


def breaks(*_: object) -> None:
    raise RuntimeError("it broke")


def settled_twice(instance: Instance) -> list[str]:
    kinds = ("step.completed", "step.failed", "step.compensated")
    rows = Event.objects.filter(instance=instance, type__in=kinds).values_list("type", "step")
    return [f"{kind} {path}" for (kind, path), count in Counter(rows).items() if count > 1]
