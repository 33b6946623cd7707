"""Starting in one statement: what is stored, what comes back, which version is taken, and what one key stands for."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.driver import Driver
from tests.integration.hot_path.documents import inputs, mixed_documents, text_of
from tests.integration.hot_path.situations import ROW, claim, start
from tests.integration.hot_path.stored import everything, identical
from tests.services.processes import PATIENCE, eventually
from tests.strategies.definitions import documents as any_documents
from workflows_app.engine.errors import Conflict, InputInvalid, NotFound
from workflows_app.models import DefinitionVersion, Dispatch, Event, Instance, Step, Timer
from workflows_app.services import definitions, graphs, instances, verification

FOUND_BY_THE_DATABASE = {"head_hash"}
"""What the returned object does not know: the hash over the history."""


def publish(version: str, *, deprecated: bool = False, name: str = "w") -> None:
    definitions.publish(text=f"workflow: {name}\nversion: {version}\n{ROW}", actor="ada")
    DefinitionVersion.objects.filter(version=version).update(deprecated=deprecated)


def started(version: str | None = None, **options: Any) -> Instance:
    return instances.start(name="w", version=version, actor="ada", **options)


@pytest.mark.django_db
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    document=mixed_documents() | any_documents(("core.echo",), decisions=False),
    input=inputs(),
    key=st.sampled_from([None, "k"]),
)
def test_the_instance_that_comes_back_is_the_one_that_is_stored(
    document: dict[str, Any], input: Any, key: str | None
) -> None:
    point = transaction.savepoint()
    returned = Driver().start(text_of(document), input, idempotency_key=key)

    row = Instance.objects.get(pk=returned.pk)
    for field in Instance._meta.concrete_fields:
        if field.name not in FOUND_BY_THE_DATABASE:
            mine, theirs = getattr(returned, field.attname), getattr(row, field.attname)
            assert identical(mine, theirs), (field.attname, mine, theirs)
    assert verification.verify_history(row.pk) is None
    assert verification.check_replay(row.pk) == []
    transaction.savepoint_rollback(point)


@pytest.mark.parametrize("key", [None, "k"])
def test_a_start_is_recorded_with_its_time_its_author_and_its_first_steps(driver: Driver, key: str | None) -> None:
    publish("1.0.0")

    instance = started(input={"x": 1}, correlation_id="c-1", idempotency_key=key)

    assert (instance.created_at, instance.started_at) == (driver.now, driver.now)
    assert (instance.correlation_id, instance.started_by) == ("c-1", "ada")
    assert started().correlation_id != instance.correlation_id
    rows = Event.objects.filter(instance=instance).values_list("sequence", "type", "step", "at", "actor")
    assert list(rows) == [
        (1, "instance.started", "", driver.now, "ada"),
        (2, "step.scheduled", "a", driver.now, "engine"),
    ]
    assert Event.objects.get(instance=instance, sequence=1).data == {
        "input": {"x": 1},
        "variables": {},
        "correlation_id": "c-1",
        "workflow": "w",
        "version": "1.0.0",
    }
    sent = Dispatch.objects.filter(instance=instance).values_list("path", "generation", "published_at", "publications")
    assert list(sent) == [("a", 1, driver.now, 1)]


def test_a_start_without_a_correlation_is_its_own(driver: Driver) -> None:
    instance = start(driver, ROW)

    assert instance.correlation_id == str(instance.pk)


def test_starts_queue_up_behind_those_that_are_held_back(driver: Driver, settings: Any) -> None:
    publish("1.0.0")
    settings.ORCHESTRATOR_WINDOW = 2
    first, second, third = started(), started(), started()
    claim(first, "a")

    fourth = started()

    held_back = Dispatch.objects.filter(published_at=None).values_list("instance_id", flat=True)
    assert set(held_back) == {third.pk, fourth.pk}
    assert second.pk not in held_back


@pytest.mark.parametrize(
    ("published", "taken"),
    [
        (["1.0.0"], "1.0.0"),
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["2.0.0", "10.0.0-rc.1"], "2.0.0"),
        (["1.0.0", "1.0.1", "!1.0.2"], "1.0.1"),
        (["0.9.0", "!1.0.0", "2.0.0-a"], "0.9.0"),
    ],
)
def test_a_start_takes_the_highest_version_that_is_meant_for_it(
    driver: Driver, published: list[str], taken: str
) -> None:
    for version in published:
        publish(version.lstrip("!"), deprecated=version.startswith("!"))

    assert started().version == taken
    assert definitions.find(name="w").version == taken


def test_a_start_after_a_start_takes_the_version_that_is_the_highest_by_then(driver: Driver) -> None:
    publish("1.0.0")
    taken = [started().version]

    publish("1.1.0")
    taken.append(started().version)
    DefinitionVersion.objects.filter(version="1.1.0").update(deprecated=True)
    taken.append(started().version)

    assert taken == ["1.0.0", "1.1.0", "1.0.0"]


def test_a_version_that_a_restore_took_away_is_looked_up_anew(driver: Driver) -> None:
    publish("1.0.0")
    before = transaction.savepoint()
    publish("2.0.0")
    assert started().version == "2.0.0"

    transaction.savepoint_rollback(before)
    graphs.of_version.cache_clear()

    assert started().version == "1.0.0"
    with pytest.raises(NotFound):
        started("2.0.0")


def test_an_input_is_held_against_the_version_that_is_the_highest_by_then(driver: Driver) -> None:
    texts = "input: {type: object, required: [x]}", "input: {type: object}"
    for number, schema in enumerate(texts):
        definitions.publish(text=f"workflow: w\nversion: {number}.0.0\n{schema}\n{ROW}", actor="ada")
        started(input={"x": 1})

    assert started(input={}).version == "1.0.0"
    definitions.publish(text=f"workflow: w\nversion: 2.0.0\n{texts[0]}\n{ROW}", actor="ada")
    with pytest.raises(InputInvalid, match="1 problem"):
        started(input={})
    assert Instance.objects.count() == 3


TIMED = [
    "steps: [{id: a, activity: core.echo, with: {at: '${ now }'}}]",
    "steps: [{id: a, activity: core.echo, with: {at: '${ instance.started_at }'}}]",
    "steps: [{id: a, activity: core.echo, deadline: 1h}]",
    "steps: [{id: a, set: {v: '${ now }'}}]\nvariables: {v: null}",
    "steps: [{id: a, wait: {for: 1h}}]",
    "steps: [{id: a, activity: core.echo}]\ntimeout: 1h",
    "steps: [{id: a, activity: core.echo}]",
    "steps: [{id: a, return: {output: '${ now }'}}]",
]


@pytest.mark.parametrize("steps", TIMED)
def test_each_start_happens_at_the_databases_time(driver: Driver, steps: str) -> None:
    definitions.publish(text=f"workflow: w\nversion: 1.0.0\n{steps}", actor="ada")
    before = started()
    driver.advance(3600)

    later = started()

    assert later.started_at - before.started_at == timedelta(hours=1)
    assert later.started_at == Instance.objects.get(pk=later.pk).created_at
    assert written(later) == written(before)
    assert verification.check_replay(later.pk) == []


def written(instance: Instance) -> str:
    """Everything that the start of an instance wrote, without what is different for each."""
    events = Event.objects.filter(instance=instance).values_list("sequence", "type", "step", "at", "data")
    steps = Step.objects.filter(instance=instance).order_by("path")
    rows = steps.values_list("path", "state", "input", "output", "started_at", "due_at", "ended_at")
    timers = Timer.objects.filter(instance=instance).order_by("path").values_list("path", "kind", "due_at")
    # As seconds: an hour later all times are an hour later.
    due = [(path, kind, (due_at - instance.created_at).total_seconds()) for path, kind, due_at in timers]
    text = json.dumps([list(events), [row[:5] for row in rows], due], default=lambda at: at.isoformat())
    text = text.replace(str(instance.pk), "the instance")
    for hours, word in ((0, "now"), (1, "in an hour")):
        text = text.replace((instance.created_at + timedelta(hours=hours)).isoformat()[:13], word)
    return text


@pytest.mark.parametrize("version", ["1.0.0-rc.1", "0.5.0"])
def test_any_version_may_be_started_by_its_number(driver: Driver, version: str) -> None:
    publish("2.0.0")
    publish("1.0.0-rc.1")
    publish("0.5.0", deprecated=True)

    assert started(version).version == version


@pytest.mark.parametrize(
    ("published", "version", "code", "reason"),
    [
        ([], None, "WORKFLOW_NOT_FOUND", "no workflow 'w'"),
        ([], "1.0.0", "WORKFLOW_NOT_FOUND", "no workflow 'w'"),
        (["1.0.0-rc.1"], None, "VERSION_NOT_FOUND", "no version that may be started; published: 1.0.0-rc.1"),
        (["!1.0.0"], None, "VERSION_NOT_FOUND", "no version that may be started; published: 1.0.0"),
        (["1.0.0"], "1.0", "VERSION_NOT_FOUND", "no version '1.0'; published: 1.0.0"),
        (["1.0.0"], "", "VERSION_NOT_FOUND", "no version ''; published: 1.0.0"),
    ],
)
def test_where_there_is_nothing_to_start_the_reason_is_given(
    driver: Driver, published: list[str], version: str | None, code: str, reason: str
) -> None:
    for each in published:
        publish(each.lstrip("!"), deprecated=each.startswith("!"))

    with pytest.raises(NotFound, match=reason) as refused:
        started(version)

    assert refused.value.code == code
    assert not Instance.objects.exists()


def test_a_key_stands_for_one_start(driver: Driver) -> None:
    publish("1.0.0")
    first = started(input={"a": 1e16, "b": 2}, idempotency_key="k")
    before = everything(first.pk)

    again = started(input={"b": 2, "a": 10**16}, idempotency_key="k")

    assert again.pk == first.pk
    assert everything(first.pk) == before
    assert Instance.objects.count() == 1


def test_a_key_stands_for_its_start_whatever_became_of_it(driver: Driver) -> None:
    publish("1.0.0")
    first = started(idempotency_key="k")
    driver.drain()
    publish("2.0.0")

    again = started(idempotency_key="k")

    assert (again.pk, again.version, again.state) == (first.pk, "1.0.0", "completed")


def test_a_key_with_another_input_is_refused(driver: Driver) -> None:
    publish("1.0.0")
    first = started(input={"a": 1}, idempotency_key="k")
    before = everything(first.pk)

    with pytest.raises(Conflict) as refused:
        started(input={"a": 2}, idempotency_key="k")

    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    assert everything(first.pk) == before
    assert Instance.objects.count() == 1


def test_other_keys_and_other_workflows_are_other_starts(driver: Driver) -> None:
    publish("1.0.0")
    publish("1.0.0", name="v")
    first = started(idempotency_key="k")

    others = [started(idempotency_key="l"), started(), started()]
    others.append(instances.start(name="v", actor="ada", idempotency_key="k"))

    assert len({first.pk, *[other.pk for other in others]}) == 5


def test_a_second_start_with_a_key_waits_for_the_first(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows_app.dispatch.publish", lambda *_: True)
    publish("1.0.0")
    found: list[Instance] = []

    def second() -> None:
        try:
            found.append(started(input={"n": 1}, idempotency_key="k"))
        finally:
            connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        first = started(input={"n": 1}, idempotency_key="k")
        thread.start()
        eventually(somebody_waits, PATIENCE, lambda: "the second start waits")
        assert found == []
    thread.join(120)

    assert [instance.pk for instance in found] == [first.pk]
    assert Instance.objects.count() == 1


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def test_a_start_that_fails_at_once_is_stored_with_its_end(driver: Driver) -> None:
    document = {"steps": [{"id": "no", "fail": {"code": "NO", "message": "no"}}]}

    instance = start(driver, json.dumps(document)[1:-1])

    assert (instance.state, instance.error["code"], instance.ended_at) == ("failed", "NO", driver.now)
    assert not Dispatch.objects.exists()
