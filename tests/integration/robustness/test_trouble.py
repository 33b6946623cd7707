"""Trouble on one row, one connection, one plugin or one broker stays there: nothing else stops, nothing is lost."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection, connections, transaction

from tasks import execution, leases
from tasks.steps import discover_activities
from tests.services.processes import PATIENCE, eventually
from workflows_app import dispatch
from workflows_app.activities import activity, registry
from workflows_app.models import Dispatch, Instance, Step
from workflows_app.services import definitions, instances, slices, steps, sweep

WAITS = "steps: [{id: a, wait: {for: 1ms}}, {id: b, activity: core.echo}]"
UNTIL = 'steps: [{id: a, wait: {for: 1ms}}, {id: b, wait: {until: "${ input.at }"}}]'
BRANCHES = ", ".join(f"b{n}: [{{id: s{n}, activity: core.echo}}]" for n in range(60))
OUTPUTS = ", ".join(f'k{n}: "${{ steps.s{n}.output }}"' for n in range(60))
PUBLISH = dispatch.publish
TWO = "steps: [{id: a, activity: core.echo}, {id: b, activity: core.echo}]"


@pytest.fixture(autouse=True)
def quiet(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "publish", lambda *_: True)
    monkeypatch.setattr(dispatch, "depth", lambda _: 0)


def start(steps_: str, input: Any = None, **more: Any) -> Instance:
    name = f"w{time.time_ns():x}"
    definitions.publish(text=f"workflow: {name}\nversion: 1.0.0\n{steps_}", actor="ada")
    return instances.start(name=name, input=input, actor="ada", **more)


def claim(instance: Instance) -> steps.Claim:
    row = Dispatch.objects.filter(instance=instance).order_by("id")[0]
    found = steps.claim(instance_id=instance.pk, path=row.path, generation=row.generation, worker="w")
    assert found
    return found


def drain(instance: Instance) -> None:
    while Dispatch.objects.filter(instance=instance).exists():
        held = claim(instance)
        steps.succeeded(claim=held, output=held.parameters)


def state(instance: Instance, path: str) -> str:
    return Step.objects.get(instance=instance, path=path).state


class Session(threading.Thread):
    """Something done in a database session of its own."""

    def __init__(self, work: Any) -> None:
        super().__init__(daemon=True)
        self.work, self.raised = work, None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as problem:
            self.raised = problem
        finally:
            connections.close_all()


def test_a_locked_instance_does_not_hold_up_the_sweep() -> None:
    first, second = start(WAITS), start(WAITS)
    time.sleep(0.05)
    ready, done = threading.Event(), threading.Event()

    def hold() -> None:  # a worker whose machine vanished in the midst of a transaction
        with transaction.atomic():
            Instance.objects.select_for_update().get(pk=first.pk)
            ready.set()
            done.wait(PATIENCE)

    holder = Session(hold)
    assert ready.wait(PATIENCE)
    sweeper = Session(sweep.run)
    sweeper.join(PATIENCE / 2)
    try:
        assert state(second, "a") == "completed"
    finally:
        done.set()
        holder.join()
        sweeper.join()


@pytest.mark.parametrize("at", ["2030-01-01T00:00:00+23:00", "0001-01-01T00:00:00+14:00"])
def test_a_row_that_the_database_refuses_does_not_stop_the_sweep(at: str) -> None:
    start(UNTIL, {"at": at})
    good = start("steps: [{id: a, wait: {for: 300ms}}, {id: b, activity: core.echo}]")

    def swept() -> bool:
        try:
            sweep.run()
        except Exception as problem:
            print(type(problem).__name__, problem)
        return state(good, "a") == "completed"

    eventually(swept, PATIENCE, "the other one goes on")


def test_a_wait_beyond_the_calendar_can_still_be_cancelled() -> None:
    instance = start('steps: [{id: a, wait: {until: "${ input.at }"}}]', {"at": "9999-12-31T23:59:59-14:00"})
    if instance.state == "running":
        assert instances.cancel(instance_id=instance.pk, actor="ada").state == "cancelled"


def test_an_outcome_survives_a_dropped_connection() -> None:
    instance = start(TWO)
    held = claim(instance)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, %s)", [pid, int(PATIENCE * 1000)])
            gone.append(cursor.fetchone()[0])

    gone: list[bool] = []
    Session(drop).join()
    assert gone == [True]
    try:
        assert steps.succeeded(claim=held, output=1)
        assert state(instance, "a") == "completed"
    finally:
        connections.close_all()


def test_a_decision_that_cannot_be_recorded_does_not_repeat_the_effect_five_times() -> None:
    instance = start(
        'steps: [{id: a, activity: core.echo}, {id: b, wait: {until: "${ input.at }"}}]',
        {"at": "2030-01-01T00:00:00+23:00"},
    )
    performed = 0
    while Dispatch.objects.filter(instance=instance).exists() and performed < 6:
        held = claim(instance)
        performed += 1
        try:
            steps.succeeded(claim=held, output=1)
        except Exception as problem:
            print(type(problem).__name__)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE workflows_app_attempt SET lease_expires_at = now() WHERE state = 'running'")
        sweep.end_overdue_attempts()
    assert performed == 1


@pytest.mark.parametrize(
    "document",
    [
        f"steps: [{{id: p, parallel: {{branches: {{{BRANCHES}}}}}}}]",
        f"steps: [{{id: p, parallel: {{branches: {{{BRANCHES}}}}}}}]\noutput: {{{OUTPUTS}}}",
    ],
)
def test_closing_a_wide_block_loads_a_handful_of_slices(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = start(document)
    loads: list[int] = []
    load = slices.load
    monkeypatch.setattr(slices, "load", lambda *a, **k: loads.append(1) or load(*a, **k))
    most = 0
    while Dispatch.objects.filter(instance=instance).exists():
        held = claim(instance)
        loads.clear()
        steps.succeeded(claim=held, output=1)
        most = max(most, len(loads))
    assert most <= 5


@activity("trouble.no_autocommit", version="1.0.0", description="x")
def no_autocommit() -> int:
    transaction.set_autocommit(False)
    return 1


@activity("trouble.open_block", version="1.0.0", description="x")
def open_block() -> int:
    transaction.atomic().__enter__()
    return 1


@pytest.mark.parametrize("name", ["trouble.no_autocommit", "trouble.open_block"])
def test_an_activity_that_leaves_a_transaction_open_does_not_swallow_its_outcome(name: str) -> None:
    registry.discover()
    instance = start(f"steps: [{{id: a, activity: {name}}}]")
    worker = Session(lambda: execution.run(claim(instance)))
    worker.join(PATIENCE)
    assert (worker.raised, state(instance, "a")) == (None, "completed")


class Held:
    instance_id, path, number = "x", "p", 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_keeper_survives_an_unexpected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def renew(**_: Any) -> bool:
        calls.append("x")
        if len(calls) == 1:
            raise MemoryError
        return False

    monkeypatch.setattr(steps, "renew", renew)
    with leases.Keeper().hold(Held()):  # type: ignore[arg-type]
        eventually(lambda: len(calls) > 1, PATIENCE, "it renews again")


def test_two_threads_of_a_pool_start_one_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = leases.Keeper()
    monkeypatch.setattr(steps, "renew", lambda **_: False)
    condition = threading.Condition

    def slow(*lock: Any) -> threading.Condition:
        if not lock:  # the keeper's own; the threading module passes a lock
            time.sleep(0.3)
        return condition(*lock)

    monkeypatch.setattr(leases.threading, "Condition", slow)

    def hold() -> None:
        with keeper.hold(Held()):  # type: ignore[arg-type]
            time.sleep(0.5)

    first = Session(hold)
    time.sleep(0.1)
    second = Session(hold)
    first.join()
    second.join()
    assert (first.raised, second.raised) == (None, None)


def test_a_broken_plugin_does_not_lose_the_steps_of_the_others(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.discover()
    instance = start(TWO)
    settings.ORCHESTRATOR_ACTIVITY_MODULES = [*settings.ORCHESTRATOR_ACTIVITY_MODULES, "no.such.module"]
    monkeypatch.setattr(registry, "_is_discovered", False)
    worker = Session(lambda: (discover_activities(), execution.run(claim(instance))))
    worker.join(PATIENCE)
    assert (worker.raised, state(instance, "a")) == (None, "completed")


def test_a_sweep_asks_a_broker_that_is_away_once(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.ORCHESTRATOR_RESEND_SECONDS = PATIENCE
    monkeypatch.setattr(dispatch, "publish", PUBLISH)
    tried: list[int] = []

    def away(*_: Any) -> None:
        tried.append(1)
        raise OSError("away")  # after 2 s (Redis that hangs: 4 s)

    monkeypatch.setattr(dispatch, "send", away)
    for _ in range(10):
        start(WAITS)
    time.sleep(0.05)
    sweep.fire_timers()
    assert len(tried) == 1


def test_the_undo_of_an_unknown_effect_does_not_see_the_substitute_output() -> None:
    instance = start("""steps:
  - id: a
    activity: core.echo
    on_error: {output: {id: made-up}}
    compensate: {activity: core.echo, with: {id: "${ output }"}}
  - {id: b, activity: core.echo}""")
    error = {"code": "X", "message": "", "details": {"effect": "unknown"}, "recoverable": False}
    steps.failed(claim=claim(instance), error=error)
    steps.failed(claim=claim(instance), error={**error, "details": {}})
    undo = claim(instance)
    assert (undo.path, undo.parameters) == ("a", {"id": None})


@pytest.mark.parametrize("number", [-0.0, 1e16, 1e19, 1e300])
def test_the_same_start_again_is_the_same_start(number: float) -> None:
    first = start(TWO, {"x": number}, idempotency_key="k")
    assert instances.start(name=first.workflow, input={"x": number}, idempotency_key="k", actor="ada").pk == first.pk


@pytest.mark.parametrize("number", [1e19, 1e300])
def test_a_large_float_stays_one(number: float) -> None:
    instance = start('steps: [{id: a, activity: core.echo, with: {x: "${ input.x }"}}]', {"x": number})
    drain(instance)
    assert Instance.objects.get(pk=instance.pk).state == "completed"


@pytest.mark.parametrize("reason", ["\x00", "\udcff"])
def test_a_reason_that_cannot_be_stored_is_refused_in_words(reason: str) -> None:
    from workflows_app.engine.errors import OrchestratorError

    instance = start(TWO)
    with pytest.raises(OrchestratorError):
        instances.cancel(instance_id=instance.pk, actor="ada", reason=reason)


def test_a_settle_reads_as_many_rows_in_a_long_chain_as_in_a_short_one() -> None:
    def read(length: int) -> float:
        chain = ", ".join(f"{{id: s{n}, activity: core.echo}}" for n in range(length))
        instance = start(f"steps: [{chain}]")
        for _ in range(length - 10):
            steps.succeeded(claim=claim(instance), output=1)
        before = rows()
        for _ in range(5):
            steps.succeeded(claim=claim(instance), output=1)
        return (rows() - before) / 5

    def rows() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables "
                "WHERE relname IN ('workflows_app_step', 'workflows_app_attempt')"
            )
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        # For small tables the planner chooses by statistics, which come whenever they come.
        cursor.execute("SET enable_seqscan = off")
    read(12)
    assert read(400) < 3 * read(20)
