"""An operator pauses a workflow, a queue or everything: no worker begins a step of it until it goes on."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.test_pauses import check
from workflows_app.engine.errors import InputInvalid, NotFound, StateForbids
from workflows_app.models import AuditEntry, Dispatch, Hold, Instance
from workflows_app.selectors import results
from workflows_app.services import advancing, holds, instances, steps, sweep
from workflows_app.services.claims import Onward
from workflows_app.services.holds import Kind

pytestmark = pytest.mark.django_db

ONE = "workflow: one\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}, {id: b, activity: core.echo}]"
TWO = "workflow: two\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, queue: gpu}]"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def hold(kind: Kind, name: str = "") -> Hold:
    return holds.hold(kind=kind, name=name, actor="ada", reason="the bank is down")


def release(kind: Kind, name: str = "") -> None:
    holds.release(kind=kind, name=name, actor="bob", reason="it answers")


def claim(instance: Instance, path: str = "a") -> object:
    return steps.claim(instance_id=instance.pk, path=path, generation=1, worker="w")


@pytest.mark.parametrize(
    ("kind", "name", "held"),
    [
        (Kind.DEFINITION, "one", {"one"}),
        (Kind.QUEUE, "gpu", {"two"}),
        (Kind.QUEUE, "default", {"one"}),
        (Kind.ALL, "", {"one", "two"}),
    ],
)
def test_no_worker_begins_what_is_held_and_all_of_it_goes_on(
    driver: Driver, kind: Kind, name: str, held: set[str]
) -> None:
    started = {"one": driver.start(ONE), "two": driver.start(TWO)}
    hold(kind, name)

    published = set(Dispatch.objects.exclude(published_at=None).values_list("instance__workflow", flat=True))
    assert published == set(started) - held
    sweep.run()
    for workflow, instance in started.items():
        if workflow in held:
            assert claim(instance) is None
            assert Dispatch.objects.get(instance=instance).published_at is None
            check(instance)
        else:
            assert claim(instance) is not None

    release(kind, name)
    sweep.run()

    assert not Dispatch.objects.filter(published_at=None).exists()
    for workflow in held:
        driver.run(started[workflow])
        assert Instance.objects.get(pk=started[workflow].pk).state == "completed"
        check(started[workflow])


@pytest.mark.parametrize("fused", [True, False])
def test_what_follows_a_running_step_waits(driver: Driver, fused: bool) -> None:
    instance = driver.start(ONE)
    running = claim(instance)
    hold(Kind.DEFINITION, "one")
    onward = Onward(goes_on=lambda: False)
    if fused:
        steps.succeeded(claim=running, output=1, onward=onward)
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(advancing, "_after", lambda *_: (None, None))
            steps.succeeded(claim=running, output=1, onward=Onward(goes_on=lambda: True))

    assert claim(instance, "b") is None
    assert results.instance_view(instance.pk)["steps"] == {"a": "completed", "b": "scheduled"}
    check(instance)

    release(Kind.DEFINITION, "one")
    assert driver.run(instance)["state"] == "completed"


@pytest.mark.parametrize(("kind", "name"), [(Kind.DEFINITION, "one"), (Kind.ALL, "")])
def test_a_held_workflow_is_not_started(driver: Driver, kind: Kind, name: str) -> None:
    instances.start(name=driver.start(ONE).workflow, actor="ada")
    hold(kind, name)

    for version in (None, "1.0.0"):
        with pytest.raises(StateForbids, match="is paused by ada: the bank is down; start it when") as refused:
            instances.start(name="one", version=version, actor="eve")
        assert refused.value.code == "PAUSED"
    with pytest.raises(NotFound):
        instances.start(name="nobody", actor="eve")
    assert Instance.objects.count() == 2

    release(kind, name)
    assert instances.start(name="one", actor="eve").state == "running"


def test_who_holds_an_instance_up_is_said_of_those_that_it_concerns(driver: Driver) -> None:
    one, two = driver.start(ONE), driver.start(TWO)
    hold(Kind.QUEUE, "gpu")

    assert results.instance_view(one.pk)["paused"] is None
    said = results.instance_view(two.pk)["paused"]
    assert said["sentence"] == "The queue gpu is paused by ada since 2026-01-01 00:00:00 UTC: the bank is down"
    hold(Kind.DEFINITION, "one")
    assert "The workflow one is paused by ada" in results.instance_view(one.pk)["paused"]["sentence"]
    release(Kind.DEFINITION, "one")
    driver.drain()
    assert results.instance_view(one.pk)["paused"] is None


def test_holding_twice_and_letting_go_of_nothing_are_refused(driver: Driver) -> None:
    driver.start(ONE)
    hold(Kind.DEFINITION, "one")
    with pytest.raises(StateForbids, match="the workflow one is paused already, by ada"):
        hold(Kind.DEFINITION, "one")
    with pytest.raises(NotFound):
        hold(Kind.DEFINITION, "nobody")
    with pytest.raises(InputInvalid):
        hold(Kind.QUEUE, "")
    with pytest.raises(StateForbids, match="everything is not paused"):
        release(Kind.ALL)
    release(Kind.DEFINITION, "one")
    hold(Kind.ALL)
    release(Kind.ALL)

    trail = AuditEntry.objects.exclude(action="definition.published").order_by("sequence")
    assert list(trail.values_list("actor", "action", "target")) == [
        ("ada", "definition.paused", "one"),
        ("bob", "definition.resumed", "one"),
        ("ada", "all.paused", "all"),
        ("bob", "all.resumed", "all"),
    ]
