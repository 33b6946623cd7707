"""Finished instances are deleted whole; what stays proves which they were."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, shell  # noqa: F401 - a fixture
from workflows_app.engine.errors import ActivityError, InputInvalid, NotFound, StateForbids
from workflows_app.models import AuditEntry, Event, Instance, PublishedEvent
from workflows_app.services import audit, interventions, purging, signals, undos, verification

pytestmark = pytest.mark.django_db

ECHO = "workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"
BELOW = "workflow: below\nversion: 1.0.0\nsteps: [{id: x, wait: {for: 1h}}]"
ABOVE = "workflow: above\nversion: 1.0.0\nsteps: [{id: a, call: {workflow: below%s}}]"


def purge(driver: Driver, **options: object) -> purging.Purged:
    return purging.purge(**{"before": driver.now, "actor": "ada", "reason": "two years are over", **options})


def check_trail() -> None:
    assert verification.verify_audit() is None
    assert verification.verify_checkpoints() == []


def left() -> int:
    """How many rows of instances there are, of whatever kind."""
    tables = ("event", "step", "attempt", "timer", "dispatch", "subscription", "consumption", "wakeup", "slot")
    with connection.cursor() as cursor:
        found = 0
        for table in (*tables, "artifact"):
            cursor.execute(f"SELECT count(*) FROM workflows_app_{table}")
            found += cursor.fetchone()[0]
    return found


def test_what_ended_before_goes_whole_and_a_signed_checkpoint_stays(driver: Driver) -> None:
    old = driver.start(ECHO)
    driver.drain()
    heads = {str(i.pk): (i.sequence, bytes(i.head_hash).hex()) for i in Instance.objects.all()}
    driver.advance(3600)
    young = driver.start(ECHO)
    driver.drain()
    before = driver.now - timedelta(minutes=1)
    events = Event.objects.filter(instance=old).count()

    would = purge(driver, before=before, dry_run=True)
    assert Instance.objects.count() == 2
    found = purge(driver, before=before)

    assert found.counts == would.counts
    assert found.counts == {"instance": 1, "event": events, "step": 1, "attempt": 1, "artifact": 0}
    assert list(Instance.objects.values_list("pk", flat=True)) == [young.pk]
    assert not Event.objects.filter(instance_id=old.pk).exists()
    entry = AuditEntry.objects.get(sequence=found.checkpoints[0])
    assert (entry.actor, entry.action) == ("ada", "instances.purged")
    assert entry.data["reason"] == "two years are over"
    assert entry.data["events"] == events
    assert entry.data["instances"] == {
        str(old.pk): {
            "workflow": "plain",
            "version": "1.0.0",
            "state": "completed",
            "events": heads[str(old.pk)][0],
            "head": heads[str(old.pk)][1],
        }
    }
    check_trail()
    assert purge(driver, before=before).counts["instance"] == 0
    assert AuditEntry.objects.filter(action="instances.purged").count() == 1


def test_nothing_of_a_purged_instance_is_left(driver: Driver) -> None:
    instance = driver.start(
        "workflow: hears\nversion: 1.0.0\nconcurrency: {limit: 1}\nsteps: [{id: a, receive: {event: e}}, "
        "{id: b, receive: {event: never, timeout: 1s}, on_error: continue}]"
    )
    signals.signal(instance_id=instance.pk, event="e", actor="eve")
    signals.signal(instance_id=instance.pk, event="other", actor="eve")
    driver.hand_over()
    driver.run(instance)
    driver.advance(1)

    purge(driver)

    assert left() == 0
    assert not PublishedEvent.objects.filter(target_instance=instance.pk).exists()
    check_trail()


def test_what_was_called_goes_with_its_caller_and_only_when_all_have_ended(driver: Driver) -> None:
    driver.start(BELOW)
    Instance.objects.all()
    waiting = driver.start(ABOVE % "")
    driver.hand_over()
    aside = driver.start(ABOVE.replace("above", "aside") % ", wait: false")
    driver.hand_over()
    driver.drain()
    assert Instance.objects.get(pk=aside.pk).state == "completed"
    driver.advance(60)

    assert purge(driver).counts["instance"] == 0
    with pytest.raises(StateForbids, match="which it called, is running"):
        purging.delete(instance_id=aside.pk, actor="ada")

    driver.run(waiting)
    driver.run(aside)
    driver.advance(3600)
    called = Instance.objects.get(parent=waiting)
    with pytest.raises(StateForbids, match=f"{waiting.pk} called it: the two are deleted together"):
        purging.delete(instance_id=called.pk, actor="ada")

    assert purging.delete(instance_id=waiting.pk, actor="ada").counts["instance"] == 2
    assert purge(driver).counts["instance"] >= 2
    assert left() == Event.objects.count() == Instance.objects.count() == 0
    check_trail()


def test_many_go_batch_by_batch_each_with_its_checkpoint(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 3)
    for _ in range(7):
        driver.start(ECHO)
    driver.drain()
    driver.advance(1)

    found = purge(driver)

    assert (found.counts["instance"], len(found.checkpoints)) == (7, 3)
    check_trail()


def test_what_somebody_else_has_just_purged_leaves_no_second_checkpoint(driver: Driver) -> None:
    gone = driver.start(ECHO)
    driver.drain()
    driver.advance(1)
    purge(driver)

    assert purging.take([gone.pk], before=driver.now, actor="eve", reason="") == ({}, None)

    assert AuditEntry.objects.filter(action="instances.purged").count() == 1


def test_what_has_not_ended_or_does_not_exist_is_refused(driver: Driver) -> None:
    instance = driver.start(ECHO)

    with pytest.raises(StateForbids, match="cannot be deleted: it is running"):
        purging.delete(instance_id=instance.pk, actor="ada")
    with pytest.raises(NotFound):
        purging.delete(instance_id=uuid4(), actor="ada")
    with pytest.raises(InputInvalid):
        purge(driver, reason="x" * 3000)
    driver.advance(1)
    assert purge(driver).counts["instance"] == 0


def breaks(claim: object) -> None:
    raise ActivityError("no")


def test_a_failed_instance_that_goes_on_stays(driver: Driver) -> None:
    driver.perform = {"a": breaks}
    failed = driver.start(ECHO)
    driver.drain()
    interventions.retry(instance_id=failed.pk, actor="ada")
    driver.advance(10)

    assert purge(driver).counts["instance"] == 0


def test_what_waits_for_an_operator_is_deleted_by_name_only(driver: Driver) -> None:
    driver.perform = {"undo_a": breaks}
    undo = "compensate: {activity: core.echo}"
    steps = f"[{{id: a, activity: core.echo, {undo}}}, {{id: b, fail: {{code: B}}}}]"
    instance = driver.start(f"workflow: broken\nversion: 1.0.0\nsteps: {steps}")
    assert driver.run(instance)["state"] == "compensation_failed"
    driver.advance(10)

    assert purge(driver).counts["instance"] == 0
    assert purging.delete(instance_id=instance.pk, actor="ada").counts["instance"] == 1


def test_what_nobody_is_going_to_undo_waits_for_nobody(driver: Driver) -> None:
    driver.perform = {"undo_a": breaks, "undo_b": breaks}
    undo = "activity: core.echo, compensate: {activity: core.echo}"
    steps = f"[{{id: a, {undo}}}, {{id: b, {undo}}}, {{id: c, fail: {{code: C}}}}]"
    instance = driver.start(f"workflow: given-up\nversion: 1.0.0\nsteps: {steps}")
    assert driver.run(instance)["state"] == "compensation_failed"
    driver.advance(10)

    undos.skip(instance_id=instance.pk, step="a", actor="ada", reason="a cent")
    assert purge(driver).counts["instance"] == 0
    undos.skip(instance_id=instance.pk, step="b", actor="ada", reason="a cent")
    assert purge(driver).counts["instance"] == 1


def refused(statement: str, *parameters: object) -> str:
    with pytest.raises(DatabaseError) as problem, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return str(problem.value)


def test_a_history_goes_only_with_its_checkpoint_whoever_asks(driver: Driver) -> None:
    instance = driver.start(ECHO)
    driver.drain()
    event = "DELETE FROM workflows_app_event WHERE instance_id = %s"

    assert "append-only: DELETE is refused" in refused(event, instance.pk)
    assert "append-only: DELETE is refused" in refused("SELECT wf_purge(%s)", [instance.pk])
    audit.record(actor="eve", action="instances.purged", target="x", data={"instances": {str(uuid4()): {}}})
    assert "append-only: DELETE is refused" in refused(event, instance.pk)
    assert "append-only: UPDATE is refused" in refused("UPDATE workflows_app_event SET data = '{}'")


def test_a_checkpoint_that_nobody_signed_is_found(driver: Driver) -> None:
    instance = driver.start(ECHO)
    driver.drain()
    driver.advance(1)
    purge(driver)
    signed = AuditEntry.objects.get(action="instances.purged")
    assert str(instance.pk) in signed.data["instances"]

    audit.record(actor="ada", action="instances.purged", target="x", data={**signed.data, "events": 0})
    audit.record(actor="eve", action="instances.purged", target="x", data=signed.data)

    assert [fault.sequence for fault in verification.verify_checkpoints()] == [signed.sequence + 1, signed.sequence + 2]
    with override_settings(SECRET_KEY="another key", SECRET_KEY_FALLBACKS=[]):
        assert len(verification.verify_checkpoints()) == 3


def test_the_commands(driver: Driver, shell: Shell) -> None:  # noqa: F811
    first, second = driver.start(ECHO), driver.start(ECHO)
    driver.drain()

    assert shell.run("workflow", "delete", str(uuid4()))[0] == 1
    code, told = shell.json("workflow", "delete", str(first.pk), "--reason", "asked to")
    assert (code, told["instances"], told["dry_run"], len(told["checkpoints"])) == (0, 1, False, 1)
    code, told = shell.json("workflow", "purge", "--before", "2026-01-01", "--dry-run")
    assert (code, told["instances"]) == (0, 0)
    code, told = shell.json("workflow", "purge", "--before", "2026-01-02T00:00:00Z", "--dry-run")
    assert (code, told["instances"], told["checkpoints"]) == (0, 1, [])
    assert Instance.objects.get().pk == second.pk
    code, text = shell.run("workflow", "purge", "--before", "2026-01-02")
    assert code == 0
    assert "1 instances" in text
    assert "audit entry" in text
    assert shell.json("audit", "verify")[1]["faults"] == []
    assert shell.json("replay", "--check") == (0, {"checked": 0, "different": {}})
