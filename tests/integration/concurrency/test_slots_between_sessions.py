"""Sessions that start and end instances at once: never one too many, nobody overtaken, none left behind."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, connections, transaction

from tests.integration.hot_path.test_starts import somebody_waits
from tests.services.processes import PATIENCE, eventually
from workflows_app.engine.errors import StateForbids
from workflows_app.models import Dispatch, Event, Instance, Slot, SlotKey
from workflows_app.services import definitions, instances, steps, sweep, verification

THREADS = 8
STARTS = 12
LIMIT = 3
KEYS = ("a", "b")

DOCUMENT = f"""
workflow: orders
version: 1.0.0
concurrency: {{limit: {LIMIT}, key: "${{ input.k }}"}}
steps:
  - {{id: a, activity: core.echo, when: "input.n != 0"}}
  - {{id: b, activity: core.echo, when: "input.n != 0"}}
"""
PLAIN = """
workflow: plain
version: 1.0.0
concurrency: {limit: 1}
steps:
  - {id: a, activity: core.echo}
"""
GRANTS = """
CREATE TABLE grants (seq bigserial PRIMARY KEY, slot bigint, key text);
CREATE FUNCTION log_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO grants (slot, key) VALUES (NEW.id, NEW.key); RETURN NULL; END $$;
CREATE TRIGGER log_grant AFTER UPDATE OF state ON workflows_app_slot
    FOR EACH ROW WHEN (NEW.state = 'granted' AND OLD.state = 'waiting') EXECUTE FUNCTION log_grant();
"""


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker: the threads of a test take dispatches from the database."""
    monkeypatch.setattr("workflows_app.dispatch.publish", lambda *_: True)


@pytest.fixture
def grants(committed_db: None) -> Iterator[Callable[[], list[tuple[int, str]]]]:
    """The slots in the order in which they were granted, written down by the database itself."""

    def logged() -> list[tuple[int, str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT slot, key FROM grants ORDER BY seq")
            return cursor.fetchall()

    with connection.cursor() as cursor:
        cursor.execute(GRANTS)
    yield logged
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER log_grant ON workflows_app_slot; DROP FUNCTION log_grant; DROP TABLE grants")


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in threads with sessions of their own; the first trouble of any fails the test."""
    trouble: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as problem:
            trouble.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if trouble:
        raise trouble[0]


def perform(chance: random.Random) -> bool:
    """Take a dispatched step, whichever, and complete it; ``False`` if there is none."""
    rows = list(Dispatch.objects.values_list("instance_id", "path", "generation"))
    if not rows:
        return False
    instance_id, path, generation = chance.choice(rows)
    claim = steps.claim(instance_id=instance_id, path=path, generation=generation, worker="w")
    if claim is not None:
        steps.succeeded(claim=claim, output=None)
    return True


def under_way() -> Counter[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT concurrency_key, count(*) FROM workflows_app_instance "
            "WHERE state <> 'pending' AND ended_at IS NULL GROUP BY 1"
        )
        return Counter(dict(cursor.fetchall()))


def test_never_above_the_limit_first_in_first_out_and_none_left_behind(grants: Any) -> None:
    definitions.publish(text=DOCUMENT, actor="ada")
    seen: Counter[str] = Counter()
    pending: list[bool] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        for turn in range(STARTS):
            value = {"k": chance.choice(KEYS), "n": chance.choice([0, 1, 1, 1])}
            started = instances.start(name="orders", actor="ada", input=value)
            pending.append(started.state == "pending")
            if turn % 5 == 4:
                end_one(chance)
            perform(chance)
            for key, count in under_way().items():
                seen[key] = max(seen[key], count)
        while perform(chance):
            pass

    in_threads(THREADS, work)
    rest = random.Random(0)
    while perform(rest):
        pass

    # No sweeper has run: each ending woke the next.
    assert not Instance.objects.filter(ended_at=None).exists()
    assert Instance.objects.count() == THREADS * STARTS
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()
    assert [verification.check_replay(pk) for pk in Instance.objects.values_list("pk", flat=True)] == [[]] * (
        THREADS * STARTS
    )
    assert set(seen) == set(KEYS)
    assert max(seen.values()) == LIMIT, "the limit was reached, and never passed"
    assert pending.count(True) > THREADS, "hardly anybody had to wait"
    by_key: dict[str, list[int]] = defaultdict(list)
    for slot, key in grants():
        by_key[key].append(slot)
    assert all(before < after for slots in by_key.values() for before, after in pairwise(slots))


def end_one(chance: random.Random) -> None:
    """Cancel or terminate somebody, running or pending; somebody else may have been faster."""
    open_ones = list(Instance.objects.filter(ended_at=None).values_list("pk", flat=True))
    if open_ones:
        end = chance.choice([instances.cancel, instances.terminate])
        try:
            end(instance_id=chance.choice(open_ones), actor="bob")
        except StateForbids:
            return


def test_the_process_that_ended_an_instance_starts_the_next(committed_db: None) -> None:
    definitions.publish(text=PLAIN, actor="ada")
    first, second = (instances.start(name="plain", actor="ada") for _ in range(2))
    claim = steps.claim(instance_id=first.pk, path="a", generation=1, worker="w")

    steps.succeeded(claim=claim, output=None)

    assert Instance.objects.get(pk=second.pk).state == "running"
    assert Dispatch.objects.get().instance_id == second.pk


def test_should_it_die_the_sweeper_does(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions.publish(text=PLAIN, actor="ada")
    first, second = (instances.start(name="plain", actor="ada") for _ in range(2))
    with monkeypatch.context() as dies:
        dies.setattr("workflows_app.services.slots.start_granted", lambda *_, **__: 0)
        instances.terminate(instance_id=first.pk, actor="ada")
    assert Instance.objects.get(pk=second.pk).state == "pending"

    assert sweep.run().begun == 1

    assert Instance.objects.get(pk=second.pk).state == "running"
    assert sweep.run().begun == 0


def test_a_start_waits_for_an_ending_that_is_not_committed_and_then_takes_its_slot(committed_db: None) -> None:
    definitions.publish(text=PLAIN, actor="ada")
    first = instances.start(name="plain", actor="ada")
    found: list[Instance] = []

    def second() -> None:
        try:
            found.append(instances.start(name="plain", actor="ada"))
        finally:
            connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        instances.terminate(instance_id=first.pk, actor="ada")
        thread.start()
        eventually(somebody_waits, PATIENCE, lambda: "the start waits for the key")
    thread.join(PATIENCE)

    assert [instance.state for instance in found] == ["running"]


def test_many_sweepers_start_a_granted_instance_once(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions.publish(text=PLAIN.replace("limit: 1", "limit: 5"), actor="ada")
    begun = [instances.start(name="plain", actor="ada") for _ in range(5)]
    waiting = [instances.start(name="plain", actor="ada") for _ in range(5)]
    with monkeypatch.context() as dies:
        dies.setattr("workflows_app.services.slots.start_granted", lambda *_, **__: 0)
        for instance in begun:
            instances.terminate(instance_id=instance.pk, actor="ada")

    in_threads(4, lambda _: sweep.run() and None)

    started = Event.objects.filter(type="instance.started", instance__in=waiting)
    assert sorted(started.values_list("instance_id", flat=True)) == sorted(i.pk for i in waiting)
