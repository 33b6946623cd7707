"""An operator sees to an undo that failed: it runs again, was done by hand, or nobody is going to do it."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.engine.test_calls import PACK, SAGA, child, publish
from tests.integration.engine.test_pauses import check
from workflows_app.engine.errors import InputInvalid, NotFound, StateForbids
from workflows_app.models import AuditEntry, Event, Instance, Notice, Slot
from workflows_app.selectors import results
from workflows_app.services import instances, steps, undos
from workflows_app.services.steps import Claim

UNDO = (
    "compensate: {activity: core.echo, with: {back: '${ output.v }'}, retry: {max_attempts: 2, initial_interval: 1s}}"
)
ROW = flow(f"""
  - {{id: pay, activity: core.echo, with: {{v: 1}}, {UNDO}}}
  - {{id: book, activity: core.echo, with: {{v: 2}}, {UNDO}}}
  - {{id: last, fail: {{code: NO}}}}
""")


class Bank:
    """An undo that fails until it is mended, and keeps what it was asked."""

    def __init__(self) -> None:
        self.mended = False
        self.asked: list[tuple[str, object]] = []

    def __call__(self, claim: Claim) -> object:
        self.asked.append((claim.idempotency_key, claim.parameters))
        return claim.parameters if self.mended else fail("NO_REFUND")(claim)


def retry(instance: Instance, step: str) -> Instance:
    return undos.retry(instance_id=instance.pk, step=step, actor="ada", reason="the bank answers again")


def skip(instance: Instance, step: str) -> Instance:
    return undos.skip(instance_id=instance.pk, step=step, actor="ada", reason="it is a cent")


def done(instance: Instance, step: str) -> Instance:
    return undos.done(instance_id=instance.pk, step=step, actor="ada", reason="paid back at the counter")


def test_an_undo_that_failed_runs_again_with_its_key_its_parameters_and_its_whole_policy(driver: Driver) -> None:
    bank = Bank()
    driver.perform = {"undo_pay": bank}
    instance = driver.start(ROW)
    assert driver.run(instance)["state"] == "compensation_failed"
    assert len(bank.asked) == 2

    going = retry(instance, "pay")

    assert (going.state, going.ended_at, going.cause) == ("compensating", None, "failure")
    check(instance)
    assert driver.run(instance)["state"] == "compensation_failed"
    assert len(bank.asked) == 4, "the policy grants as many attempts as at first"
    bank.mended = True
    retry(instance, "pay")
    view = driver.run(instance)

    assert (view["state"], view["steps"]["pay"], view["failed_undos"]) == ("compensated", "compensated", [])
    assert set(map(repr, bank.asked)) == {repr((f"{instance.pk}:pay:0:undo", {"back": 1}))}
    assert [c for c in driver.calls if c == ("book", "compensation")] == [("book", "compensation")]
    event = Event.objects.filter(instance=instance, type="step.undo_retried").first()
    assert (event.step, event.actor, event.data) == ("pay", "ada", {"reason": "the bank answers again"})
    trail = AuditEntry.objects.filter(action="step.undo_retried")
    assert [entry.data for entry in trail] == [{"step": "pay", "reason": "the bank answers again"}] * 2
    check(instance)


def test_it_ends_compensated_only_when_the_last_failed_undo_is_seen_to(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail(), "undo_book": fail()}
    instance = driver.start(ROW)
    driver.run(instance)

    assert done(instance, "pay").state == "compensation_failed"
    ended = done(instance, "book")

    assert ended.state == "compensated"
    assert ended.ended_at == driver.now
    event = Event.objects.get(instance=instance, type="step.compensated", step="pay")
    assert (event.actor, event.data) == ("ada", {"output": None, "by_hand": "paid back at the counter"})
    check(instance)
    with pytest.raises(StateForbids, match="the instance is compensated"):
        retry(instance, "pay")


def test_what_nobody_undoes_leaves_it_failed_and_says_why(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail("NO_REFUND")}
    instance = driver.start(ROW)
    driver.run(instance)

    assert skip(instance, "pay").state == "compensation_failed"

    (found,) = results.instance_view(instance.pk)["failed_undos"]
    assert (found["step"], found["error"]["code"], found["error"]["message"]) == ("pay", "UNDO_SKIPPED", "it is a cent")
    assert found["error"]["details"]["by"] == "ada"
    assert found["error"]["details"]["failed_with"]["code"] == "NO_REFUND"
    check(instance)
    with pytest.raises(StateForbids, match="was skipped already: it is a cent"):
        skip(instance, "pay")
    driver.perform = {}
    retry(instance, "pay")
    assert driver.run(instance)["state"] == "compensated", "it may be undone all the same"
    check(instance)


def test_while_others_are_undone_a_failed_undo_waits_but_may_be_called_done(driver: Driver) -> None:
    steps_ = f"""
  - {{id: slow, needs: [], activity: core.echo, compensate: {{activity: core.echo}}}}
  - {{id: quick, needs: [], activity: core.echo, {UNDO.replace("output.v", "1")}}}
  - {{id: last, fail: {{code: NO}}, needs: [slow, quick]}}
"""
    driver.perform = {"undo_quick": fail()}
    instance = driver.start(flow(steps_))
    slow = None
    while "quick" not in {each["step"] for each in results.instance_view(instance.pk)["failed_undos"]}:
        claim = driver.claim_next()
        if claim is None:
            driver.run_for(instance, seconds=2)
        elif (claim.path, claim.role) == ("slow", "compensation"):
            slow = claim
        else:
            driver.work(claim)
    with pytest.raises(StateForbids, match="other steps are still being undone; quick has its turn again when"):
        retry(instance, "quick")
    assert done(instance, "quick").state == "compensating"
    driver.work(slow)

    assert results.instance_view(instance.pk)["state"] == "compensated"
    check(instance)


def test_a_late_report_of_the_undo_that_failed_changes_nothing(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail()}
    instance = driver.start(ROW)
    driver.run(instance)
    retry(instance, "pay")
    claim = driver.claim_next()
    late = claim.__class__(**{f: getattr(claim, f) for f in claim.__slots__} | {"number": claim.number - 1})

    assert steps.succeeded(claim=late, output=1) is False
    driver.work(claim)
    check(instance)


def test_parameters_that_could_not_be_evaluated_are_evaluated_again(driver: Driver) -> None:
    instance = driver.start(ROW.replace("output.v", "output.nothing"))
    assert driver.run(instance)["state"] == "compensation_failed"

    assert retry(instance, "pay").state == "compensation_failed"

    (*_, found) = results.instance_view(instance.pk)["failed_undos"]
    assert found["error"]["code"] == "EXPRESSION_ERROR"
    assert Event.objects.filter(instance=instance, step="pay", type="step.compensation_failed").count() == 2
    check(instance)


def test_terminating_it_fences_off_the_retried_undo_which_can_be_taken_up_again(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail()}
    instance = driver.start(ROW)
    driver.run(instance)
    retry(instance, "pay")

    instances.terminate(instance_id=instance.pk, actor="ada", reason="it hangs")

    view = results.instance_view(instance.pk)
    assert (view["state"], view["steps"]["pay"]) == ("compensation_failed", "compensation_failed")
    assert view["failed_undos"][0]["error"]["message"] == "it hangs"
    check(instance)
    driver.perform = {}
    retry(instance, "pay")
    assert driver.run(instance)["state"] == "compensated"
    check(instance)


def test_what_is_no_failed_undo_is_refused_with_the_reason(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail()}
    going, instance = driver.start(ROW.replace("flow: flow", "flow: other")), driver.start(ROW)
    with pytest.raises(StateForbids, match="the instance is running"):
        skip(going, "pay")
    driver.run(instance)

    for act in (retry, skip, done):
        with pytest.raises(StateForbids, match="book is compensated; only an undo that has failed can be seen to"):
            act(instance, "book")
        with pytest.raises(NotFound):
            act(instance, "nobody")
    for act in (undos.skip, undos.done):
        with pytest.raises(InputInvalid) as refused:
            act(instance_id=instance.pk, step="pay", actor="ada", reason=" ")
        assert refused.value.code == "REASON_MISSING"
    check(instance)


def test_a_retried_undo_takes_a_place_under_a_limit(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail()}
    instance = driver.start(ROW.replace("version: 1.0.0\n", "version: 1.0.0\nconcurrency: {limit: 1}\n"))
    driver.run(instance)
    assert not Slot.objects.exists()

    retry(instance, "pay")

    assert Slot.objects.get().instance_id == instance.pk
    driver.run(instance)
    assert not Slot.objects.exists()


def test_the_migration_counts_what_had_failed_before_there_was_a_count(driver: Driver) -> None:
    driver.perform = {"undo_pay": fail(), "undo_book": fail()}
    instance = driver.start(ROW)
    driver.run(instance)
    Instance.objects.update(undo_failed=1)  # as a mark becomes a number
    migration = import_module("workflows_app.migrations.0020_leaving_a_failed_saga")

    with connection.schema_editor() as editor:
        migration.count(None, editor)

    assert Instance.objects.get(pk=instance.pk).undo_failed == 2


# ---------------------------------------------------------------- calls
def work_or_tell(driver: Driver) -> None:
    """Perform one step, or else hand over what is to be told."""
    claim = driver.claim_next()
    if claim is None:
        driver.hand_over()
    else:
        driver.work(claim)


def both_failed(driver: Driver) -> tuple[Instance, Instance]:
    """A caller and what it called, both ``compensation_failed`` for the same undo below."""
    publish(PACK)
    driver.perform = {"last": fail(), "undo_take": fail("GLUED")}
    saga = driver.start(SAGA)
    assert driver.run(saga)["state"] == "compensation_failed"
    driver.perform = {}
    return saga, child(saga, "pack")


@pytest.mark.parametrize("act", [retry, done])
def test_what_is_seen_to_below_is_true_above_as_well(driver: Driver, act) -> None:
    saga, below = both_failed(driver)

    act(below, "take")
    driver.drain()

    assert Instance.objects.get(pk=below.pk).state == "compensated"
    view = results.instance_view(saga.pk)
    assert (view["state"], view["steps"]["pack"]) == ("compensated", "compensated")
    (*_, event) = Event.objects.filter(instance=saga, step="pack").order_by("sequence")
    assert (event.type, event.actor) == ("step.compensated", f"instance:{below.pk}")
    assert not Notice.objects.exists()
    for instance in (saga, below):
        check(instance)


def test_above_nobody_can_say_what_only_the_instance_below_knows(driver: Driver) -> None:
    saga, below = both_failed(driver)

    for act in (retry, done):
        with pytest.raises(StateForbids, match=f"pack is undone by the instance {below.pk}; see to its steps there"):
            act(saga, "pack")
    skip(saga, "pack")
    with pytest.raises(StateForbids, match=f"pack is undone by the instance {below.pk}"):
        done(saga, "pack")
    done(below, "take")
    driver.drain()

    assert results.instance_view(saga.pk)["state"] == "compensated"


def test_of_an_instance_below_that_was_terminated_only_people_can_tell(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail()}
    saga = driver.start(SAGA)
    while not Instance.objects.filter(parent=saga, state="compensating").exists():
        work_or_tell(driver)
    instances.terminate(instance_id=child(saga, "pack").pk, actor="ada")
    driver.drain()
    assert results.instance_view(saga.pk)["state"] == "compensation_failed"

    with pytest.raises(StateForbids, match="was terminated while it was undone; say done or skip"):
        retry(saga, "pack")
    assert done(saga, "pack").state == "compensated"
    check(saga)


def test_an_end_below_that_is_taken_back_before_it_was_told_is_not_told(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail(), "undo_take": fail("GLUED")}
    saga = driver.start(SAGA)
    told = Notice.objects.filter(kind="ended")
    while not told.filter(child__in=Instance.objects.filter(state="compensation_failed").values("pk")).exists():
        work_or_tell(driver)
    driver.perform = {}

    retry(child(saga, "pack"), "take")
    driver.drain()

    assert results.instance_view(saga.pk)["state"] == "compensated"
    assert not Event.objects.filter(instance=saga, type="step.compensation_failed").exists()
