"""Callers and called ones in sessions of their own: whoever commits first, none waits for the other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, transaction

from tests.integration.engine.outcomes import flow
from tests.integration.robustness.test_sessions import sweeper, together, worker
from tests.services.processes import PATIENCE
from workflows_app import dispatch
from workflows_app.engine.errors import StateForbids
from workflows_app.models import Dispatch, Instance, Notice
from workflows_app.services import definitions, instances, steps, sweep, verification
from workflows_app.services.steps import Claim

BELOW = flow("  - {id: work, activity: core.echo, compensate: {activity: core.echo}}", name="below")
ABOVE = flow("  - {id: below, call: {workflow: below}}\n  - {id: after, activity: core.echo}", name="above")


@pytest.fixture(autouse=True)
def no_broker(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(dispatch, "depth", lambda queue: None)


@pytest.fixture
def above() -> Instance:
    for document in (BELOW, ABOVE):
        definitions.publish(text=document, actor="ada")
    return instances.start(name="above", actor="ada")


@contextmanager
def held_open(work: Callable[[], Any]) -> Iterator[None]:
    """Do something in another session, whose commit comes only when the block ends; it must not fail."""
    done, commit = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                assert commit.wait(PATIENCE)
        except BaseException as problem:
            raised.append(problem)
        finally:
            done.set()
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(PATIENCE)
    try:
        yield
    finally:
        commit.set()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the sessions wait for each other"
    assert raised == []


def claim(of: Instance) -> Claim:
    row = Dispatch.objects.get(instance=of)
    taken = steps.claim(instance_id=of.pk, path=row.path, generation=row.generation, worker="test")
    assert taken is not None
    return taken


def undo_whatever_is_left() -> None:
    for _ in range(20):
        sweep.run()
        for row in Dispatch.objects.all():
            taken = steps.claim(instance_id=row.instance_id, path=row.path, generation=row.generation, worker="test")
            if taken is not None:
                steps.succeeded(claim=taken, output=None)
        if not Notice.objects.exists() and not Dispatch.objects.exists():
            return
    raise AssertionError("it does not come to an end")


def check(above: Instance, below: Instance) -> None:
    for instance in (above, below):
        instance.refresh_from_db()
        assert instance.ended_at is not None
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []
    assert not Notice.objects.exists()


def test_a_start_begins_what_it_calls_and_an_end_wakes_the_caller_without_any_sweep(above: Instance) -> None:
    below = Instance.objects.get(parent=above)
    assert below.state == "running"

    steps.succeeded(claim=claim(below), output=1)
    assert [row.path for row in Dispatch.objects.all()] == ["after"]
    steps.succeeded(claim=claim(above), output=2)

    check(above, below)
    assert (above.state, below.state) == ("completed", "completed")


def test_what_was_called_ends_while_its_caller_is_being_cancelled(above: Instance) -> None:
    below = Instance.objects.get(parent=above)
    work = claim(below)

    with held_open(lambda: instances.cancel(instance_id=above.pk, actor="ada", compensate=True)):
        steps.succeeded(claim=work, output=1)
        below.refresh_from_db()
        assert below.state == "completed", "it has not waited for its caller"
        above.refresh_from_db()
        assert above.ending is None, "that is not committed yet"

    undo_whatever_is_left()
    check(above, below)
    assert (above.state, below.state) == ("compensated", "compensated")


def test_a_caller_is_cancelled_while_what_it_called_is_ending(above: Instance) -> None:
    below = Instance.objects.get(parent=above)
    work = claim(below)

    with held_open(lambda: steps.succeeded(claim=work, output=1)):
        instances.cancel(instance_id=above.pk, actor="ada", compensate=True)
        above.refresh_from_db()
        assert (above.ending, above.state) == ("cancelled", "running"), "it waits for the end, its session does not"

    undo_whatever_is_left()
    check(above, below)
    assert (above.state, below.state) == ("compensated", "compensated")


def test_many_ends_at_once_wake_the_caller_once_each() -> None:
    branches = "\n".join(f"      b{n}: [{{id: c{n}, call: {{workflow: below}}}}]" for n in range(8))
    for document in (BELOW, flow(f"  - id: all\n    parallel:\n     branches:\n{branches}", name="wide")):
        definitions.publish(text=document, actor="ada")
    wide = instances.start(name="wide", actor="ada")
    claims = [claim(below) for below in Instance.objects.filter(parent=wide)]
    assert len(claims) == 8
    raised: list[BaseException] = []

    def finish(claim: Claim) -> None:
        try:
            steps.succeeded(claim=claim, output=1)
        except BaseException as problem:
            raised.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=finish, args=(each,)) for each in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    undo_whatever_is_left()

    assert raised == []
    for below in Instance.objects.filter(parent=wide):
        check(wide, below)
    assert wide.state == "completed"


def test_a_long_row_of_calls_that_end_at_once_needs_no_recursion() -> None:
    quick = flow("  - {id: a, set: {x: 1}}", name="quick", head="variables: {x: 0}")
    row = "\n".join(f"  - {{id: c{n}, call: {{workflow: quick}}}}" for n in range(150))
    for document in (quick, flow(row, name="row")):
        definitions.publish(text=document, actor="ada")

    started = instances.start(name="row", actor="ada")
    undo_whatever_is_left()

    started.refresh_from_db()
    assert started.state == "completed"
    assert Instance.objects.filter(parent=started, state="completed").count() == 150


def test_trees_that_fail_and_are_cancelled_while_workers_and_sweepers_run_leave_nothing_behind(settings: Any) -> None:
    settings.ORCHESTRATOR_RESEND_SECONDS = 0.001
    undo = "compensate: {activity: core.echo}"
    low = flow(f"  - {{id: a, activity: core.echo, {undo}}}\n  - {{id: b, activity: core.echo, {undo}}}", name="low")
    mid = flow(f"  - {{id: low, call: {{workflow: low}}}}\n  - {{id: c, activity: core.echo, {undo}}}", name="mid")
    calls = ", ".join(f"b{n}: [{{id: m{n}, call: {{workflow: mid}}}}]" for n in range(3))
    top = flow(f"  - {{id: all, parallel: {{branches: {{{calls}}}}}}}\n  - {{id: d, activity: core.echo}}", name="top")
    for document in (low, mid, top):
        definitions.publish(text=document, actor="ada")
    started = [instances.start(name="top", actor="ada") for _ in range(6)]

    def sometimes(chance: random.Random) -> dict[str, Any] | None:
        error = {"code": "BOOM", "message": "no", "details": {}, "recoverable": False}
        return error if chance.random() < 0.08 else None

    def operator() -> None:
        cancelled = [started[0], started[1], *Instance.objects.filter(parent=started[2])[:1]]
        for instance in cancelled:
            try:
                instances.cancel(instance_id=instance.pk, actor="ada", compensate=True)
            except StateForbids:
                continue

    raised = together(*[worker(seed, sometimes) for seed in range(3)], sweeper, sweeper, operator)

    assert raised == []
    undo_whatever_is_left()
    assert not Notice.objects.exists()
    for instance in Instance.objects.all():
        assert instance.ended_at is not None
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []
        above = instance.parent
        if above is not None and above.state == "compensated":
            assert instance.state in ("compensated", "compensation_failed", "cancelled", "failed")
