"""Events between sessions: whoever commits first, publisher or waiter, the other one sees it; nothing waits in vain.

Real connections in threads, held open where they would overtake each other. No sweeper runs unless a test says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from tests.conftest import make_url
from tests.integration.robustness.test_sessions import together
from tests.services.processes import PATIENCE, eventually
from workflows_app import dispatch
from workflows_app.models import Consumption, Event, Instance, PublishedEvent, Subscription, Wakeup
from workflows_app.services import definitions, instances, signals, sweep, verification

ROOT = Path(__file__).resolve().parents[3]
WAITS = "{id: hear, receive: {event: said, correlate: k}}"
SAYS = "{id: say, emit: {event: said, correlate: k, data: 1}}"

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)


def publish_definition(*steps: str, name: str = "events") -> str:
    written = "".join(f"  - {step}\n" for step in steps)
    definitions.publish(text=f"workflow: {name}\nversion: 1.0.0\nsteps:\n{written}", actor="ada")
    return name


def start(name: str = "events", **options: Any) -> Instance:
    return instances.start(name=name, actor="ada", **options)


def state(instance_id: UUID) -> str:
    return str(Instance.objects.get(pk=instance_id).state)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return bool(cursor.fetchone()[0])


class Held:
    """Does something in a session of its own and does not commit until it is told to."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done, self.go = threading.Event(), threading.Event()
        self.result: Any = None
        self.problem: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(work,))
        self.thread.start()
        assert self.done.wait(PATIENCE)

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            with transaction.atomic():
                self.result = work()
                self.done.set()
                self.go.wait(PATIENCE)
        except BaseException as problem:
            self.problem = problem
        finally:
            self.done.set()
            connections.close_all()

    def commit(self) -> Any:
        self.go.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert self.problem is None
        return self.result


class Beside:
    """Does something in a session of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.result: Any = None
        self.problem: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(work,))
        self.thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self.result = work()
        except BaseException as problem:
            self.problem = problem
        finally:
            connections.close_all()

    def end(self) -> Any:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        assert self.problem is None
        return self.result


def say() -> None:
    signals.publish(event="said", correlate="k", data=1, actor="bank")


def test_a_waiter_that_begins_while_an_event_is_not_committed_yet_gets_it() -> None:
    publish_definition(WAITS)
    publisher = Held(say)

    waiter = Beside(start)
    eventually(somebody_waits_for_a_lock, PATIENCE, "the waiter waits for the publisher")
    publisher.commit()
    instance = waiter.end()

    assert state(instance.pk) == "completed", "without a sweep"
    assert not Wakeup.objects.exists()


def test_an_event_that_is_published_while_its_waiter_is_not_committed_yet_reaches_it() -> None:
    publish_definition(WAITS)
    waiter = Held(start)

    publisher = Beside(say)
    eventually(somebody_waits_for_a_lock, PATIENCE, "the publisher waits for the waiter")
    instance = waiter.commit()
    publisher.end()

    assert state(instance.pk) == "completed", "without a sweep"


def test_a_signal_and_the_waiting_of_its_instance_come_one_after_the_other() -> None:
    publish_definition("{id: pause, wait: {for: 1ms}}", "{id: hear, receive: {event: said}}")
    instance = start()

    signaller = Held(lambda: signals.signal(instance_id=instance.pk, event="said", actor="ada"))
    time.sleep(0.01)
    sweep.fire_timers()
    assert not Subscription.objects.exists(), "the instance is locked"
    signaller.commit()
    sweep.fire_timers()

    assert state(instance.pk) == "completed"


def test_who_only_waits_for_the_same_does_not_wait_for_each_other() -> None:
    publish_definition(WAITS)
    one = Held(start)

    other = start()
    one.commit()

    say()
    assert {state(one.result.pk), state(other.pk)} == {"completed"}


def test_two_instances_that_publish_for_each_other_do_not_lock_each_other_up() -> None:
    publish_definition(
        "{id: a, needs: [], emit: {event: e1, correlate: k}}",
        "{id: b, needs: [], emit: {event: e2, correlate: k}}",
        "{id: c, needs: [], receive: {event: e3, correlate: k}}",
        name="forth",
    )
    publish_definition(
        "{id: a, needs: [], emit: {event: e3, correlate: k}}",
        "{id: b, needs: [], emit: {event: e2, correlate: k}}",
        "{id: c, needs: [], receive: {event: e1, correlate: k}}",
        name="back",
    )

    def several(name: str) -> Callable[[], None]:
        def work() -> None:
            for _ in range(12):
                start(name)

        return work

    raised = together(several("forth"), several("back"), several("forth"), several("back"))
    for _ in range(50):
        if not sweep.run().events and not Wakeup.objects.exists():
            break

    assert raised == []
    assert set(Instance.objects.values_list("state", flat=True)) == {"completed"}
    for instance in Instance.objects.all():
        assert verification.check_replay(instance.pk) == []


def test_publishers_and_waiters_all_at_once_leave_nobody_waiting_and_nothing_taken_twice() -> None:
    publish_definition(WAITS, "{id: again, receive: {event: said, correlate: k}}")

    def publisher() -> None:
        for _ in range(10):
            say()

    def waiters() -> None:
        for _ in range(10):
            start()

    raised = together(publisher, waiters, publisher, waiters)
    for _ in range(50):
        sweep.run()
        if not Wakeup.objects.exists():
            break

    assert raised == []
    assert set(Instance.objects.values_list("state", flat=True)) == {"completed"}
    first, second = sorted(PublishedEvent.objects.values_list("id", flat=True))[:2]
    for instance in Instance.objects.all():
        rows = Event.objects.filter(instance=instance, type="step.completed").order_by("sequence")
        taken = [row.data["output"]["id"] for row in rows]
        assert taken == [first, second], "the oldest two, in order of arrival"
        assert verification.check_replay(instance.pk) == []
    assert Consumption.objects.count() == 40


def test_a_process_that_dies_between_the_commit_and_the_handing_over_loses_nothing() -> None:
    publish_definition(WAITS)
    instance = start()
    database = connection.settings_dict
    server = {key: str(database[key.upper()]) for key in ("host", "port", "user", "password") if database[key.upper()]}
    server.setdefault("host", database.get("OPTIONS", {}).get("host", ""))
    environment = {
        **os.environ,
        "DATABASE_URL": make_url(database["NAME"], server),
        "ORCHESTRATOR_FAILPOINTS": "event.committed=kill",
        "ORCHESTRATOR_ENV": "dev",
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)

    ended = subprocess.run(
        [sys.executable, "manage.py", "workflow", "signal", str(instance.pk), "said"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=PATIENCE,
    )

    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert state(instance.pk) == "running"
    assert Wakeup.objects.count() == 1
    assert sweep.run().events == 1
    assert state(instance.pk) == "completed"


def test_a_long_row_of_instances_that_wake_each_other_needs_no_deep_stack() -> None:
    publish_definition(
        "{id: hear, receive: {event: e, correlate: '${ input.a }'}}",
        "{id: say, emit: {event: e, correlate: '${ input.b }'}}",
        name="link",
    )
    for number in range(150):
        start("link", input={"a": str(number), "b": str(number + 1)})

    signals.publish(event="e", correlate="0", actor="ada")
    handed_over = Instance.objects.filter(state="completed").count()
    for _ in range(50):
        if not sweep.run().events:
            break

    assert handed_over == 50, "the others are for the sweeper"
    assert Instance.objects.filter(state="completed").count() == 150


def test_one_instance_that_cannot_take_its_event_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    publish_definition(WAITS)
    broken, sound = start(), start()
    with connection.cursor() as cursor:  # a row as no decision leaves it: the step does not wait
        cursor.execute("UPDATE workflows_app_step SET state = 'failed' WHERE instance_id = %s", [broken.pk])

    say()

    assert state(sound.pk) == "completed"
    assert Wakeup.objects.get().instance_id == broken.pk, "left alone for a while"
    assert sweep.run().events == 0
