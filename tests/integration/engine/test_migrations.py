"""An operator lets an instance go on by another version: what is done stays, and what begins is the new version's."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.engine.test_pauses import check, states, types
from workflows_app.engine.errors import StateForbids
from workflows_app.models import AuditEntry, Dispatch, Event, Instance, Subscription, Timer
from workflows_app.selectors import results
from workflows_app.services import definitions, migrating, signals, steps
from workflows_app.services.claims import Onward

pytestmark = pytest.mark.django_db

UNDO = "compensate: {activity: core.echo, with: {undo: '${ output }'}}"
ORDER = flow(
    f"""
  - {{id: stock, activity: core.echo, with: {{v: 1}}, {UNDO}}}
  - {{id: pay, activity: core.echo, with: {{v: 2}}}}
  - {{id: ship, activity: core.echo, with: {{v: 3}}}}
""",
    head='variables: {n: 1, old: 2}\noutput: "${ steps.ship.output.v }"',
)
NEWER = flow(
    f"""
  - {{id: stock, activity: core.echo, with: {{v: 1}}, {UNDO}}}
  - {{id: check, activity: core.echo, with: {{v: 7}}}}
  - {{id: pay, activity: core.echo, with: {{v: 2}}}}
  - {{id: pack, activity: core.echo, with: {{v: "${{ vars.fresh }}"}}}}
  - {{id: ship, activity: core.echo, with: {{v: "${{ steps.pack.output.v + vars.n }}"}}}}
""",
    head='variables: {n: 5, fresh: 40}\noutput: "${ steps.ship.output.v }"',
).replace("1.0.0", "2.0.0")


@pytest.fixture
def driver() -> Driver:
    return Driver()


def publish(document: str) -> None:
    definitions.publish(text=document, actor="ada")


def migrate(instance: Instance, version: str = "2.0.0", **renames: str) -> Instance:
    return migrating.migrate(
        instance_id=instance.pk, version=version, actor="ada", renames=renames, reason="the new tariff"
    )


def refused(instance: Instance, version: str = "2.0.0", **renames: str) -> list[tuple[str, str]]:
    before = Event.objects.filter(instance=instance).count()
    with pytest.raises(StateForbids) as refusal:
        migrate(instance, version, **renames)
    assert Event.objects.filter(instance=instance).count() == before
    return [(each.code, each.path) for each in refusal.value.problems]


def test_a_running_instance_goes_on_by_the_new_version(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(NEWER)

    migrated = migrate(instance)

    assert (migrated.version, migrated.state, migrated.variables) == ("2.0.0", "running", {"n": 1, "fresh": 40})
    check(instance)
    view = driver.run(instance)
    assert (view["state"], view["version"], view["output"]) == ("completed", "2.0.0", 41)
    assert view["steps"] == {
        **dict.fromkeys(("stock", "pay", "pack", "ship"), "completed"),
        "check": "skipped",
    }
    assert [path for path, _ in driver.calls] == ["stock", "pay", "pack", "ship"], "nothing twice, nothing too late"
    check(instance)


def test_the_history_and_the_audit_trail_say_who_did_it_and_why(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(NEWER)

    migrate(instance)

    event = Event.objects.get(instance=instance, type="instance.migrated")
    assert (event.actor, event.data) == (
        "ada",
        {
            "from": "1.0.0",
            "to": "2.0.0",
            "map": {},
            "gone": [],
            "moved": {},
            "anew": [],
            "variables": {"fresh": 40},
            "dropped": ["old"],
            "reason": "the new tariff",
        },
    )
    assert types(instance)[-1] == "step.skipped"
    entry = AuditEntry.objects.get(action="instance.migrated")
    assert (entry.actor, entry.target, entry.data) == (
        "ada",
        str(instance.pk),
        {"reason": "the new tariff", "to": "2.0.0"},
    )


def test_a_worker_that_began_before_reports_by_the_new_version(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(NEWER)
    claim = driver.claim_next()
    migrate(instance)
    onward = Onward(goes_on=lambda: True)

    steps.succeeded(claim=claim, output={"v": 2}, onward=onward)

    assert states(instance)["pack"] == "scheduled", "what it knew would have been ship"
    assert onward.next is None, "it leaves the next step to the queue"
    check(instance)
    assert driver.run(instance)["output"] == 41


def test_it_goes_back_to_a_version_once_nothing_runs_that_began_by_it(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(ORDER.replace("1.0.0", "2.0.0").replace("id: ship", "id: ship, queue: quick"))
    claim = driver.claim_next()
    migrate(instance)

    with pytest.raises(StateForbids, match=r"pay runs since before the instance left 1\.0\.0"):
        migrate(instance, "1.0.0")

    steps.succeeded(claim=claim, output={"v": 2})
    migrate(instance, "1.0.0")
    check(instance)
    assert driver.run(instance)["state"] == "completed"
    check(instance)


def test_a_preview_tells_what_the_act_does_and_changes_nothing(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    driver.work(driver.claim_next())
    publish(NEWER)
    before = types(instance)

    foreseen = migrating.foresee(instance_id=instance.pk, version="2.0.0")

    assert types(instance) == before
    assert (foreseen.is_possible, foreseen.passed, foreseen.begins) == (True, ("check", "pack"), ())
    assert (foreseen.added, foreseen.dropped) == (("fresh",), ("old",))


def test_a_refusal_names_every_problem_with_its_place(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(
        flow("  - {id: other, activity: core.echo}", head="input: {type: object, required: [amount]}").replace(
            "1.0.0", "2.0.0"
        )
    )

    assert refused(instance) == [
        ("UNDO_LOST", "stock"),
        ("STEP_GONE", "pay"),
        ("INPUT_INVALID", "input.amount"),
    ]
    foreseen = migrating.foresee(instance_id=instance.pk, version="2.0.0")
    assert (foreseen.is_possible, foreseen.code, len(foreseen.problems)) == (False, "NOT_MIGRATABLE", 3)


# ---------------------------------------------------------------- renamed steps
def test_a_renamed_step_keeps_its_result_its_key_and_its_undo(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(ORDER.replace("1.0.0", "2.0.0").replace("id: stock", "id: reserve"))
    migrate(instance, stock="reserve")
    check(instance)

    view = driver.run(instance)

    assert (view["state"], view["steps"]["reserve"]) == ("compensated", "compensated")
    assert driver.calls[-1] == ("reserve", "compensation")
    undo = view["attempts"][-1]
    assert (undo["number"], undo["idempotency_key"]) == (2, f"{instance.pk}:stock:0:undo")
    assert instance.steps.get(path="reserve").undo_input == {"undo": {"v": 1}}
    check(instance)


def test_a_step_that_waits_goes_on_waiting_under_its_new_name(driver: Driver) -> None:
    document = flow("""
  - {id: nap, wait: {for: 1h}}
  - {id: paid, needs: [], receive: {event: paid}, deadline: 2h}
  - {id: flaky, needs: [], activity: core.echo, retry: {max_attempts: 3, initial_interval: 30m, jitter: 0}}
  - {id: queued, needs: [], activity: core.echo}
""")
    driver.perform = {"flaky": fail()}
    instance = driver.start(document)
    while (claim := driver.claim_next()).path != "flaky":
        steps.postponed(claim=claim, error={"code": "X", "message": "", "details": {}}, seconds=1)
    driver.work(claim)
    newer = document.replace("1.0.0", "2.0.0")
    for name in ("nap", "paid", "flaky", "queued"):
        newer = newer.replace(f"id: {name}", f"id: {name}_2")
    publish(newer)

    migrate(instance, **{name: f"{name}_2" for name in ("nap", "paid", "flaky", "queued")})

    assert set(Timer.objects.values_list("path", flat=True)) <= {"nap_2", "paid_2", "flaky_2", "queued_2"}
    assert [row.path for row in Subscription.objects.all()] == ["paid_2"]
    assert set(Dispatch.objects.values_list("path", flat=True)) <= {"queued_2"}
    check(instance)
    driver.perform = {}
    signals.signal(instance_id=instance.pk, event="paid", data=1, actor="ada")
    view = driver.run(instance)
    assert (view["state"], set(view["steps"].values())) == ("completed", {"completed"})
    check(instance)


# ---------------------------------------------------------------- what else an instance has
def test_the_time_of_the_whole_instance_counts_from_its_start(driver: Driver) -> None:
    document = flow("  - {id: nap, wait: {for: 9d}}", head="timeout: 1d")
    instance = driver.start(document)
    driver.advance(3600)
    publish(document.replace("1.0.0", "2.0.0").replace("1d", "2d"))
    publish(document.replace("1.0.0", "3.0.0").replace("timeout: 1d", ""))
    publish(document.replace("1.0.0", "4.0.0").replace("1d", "30m"))

    assert refused(instance, "4.0.0") == [("TIMEOUT", "timeout")]
    migrate(instance)
    due = Timer.objects.get(instance=instance, kind="instance").due_at

    assert (due - instance.started_at).days == 2
    migrate(instance, "3.0.0")
    assert not Timer.objects.filter(instance=instance, kind="instance").exists()
    check(instance)


def test_overrides_go_with_their_step(driver: Driver) -> None:
    overrides = {"steps": {"pay": {"timeout": "9s"}, "ship": {"timeout": "8s"}}}
    instance = driver.start(ORDER, overrides=overrides)
    driver.work(driver.claim_next())
    publish(NEWER.replace("id: pay", "id: charge"))

    migrated = migrate(instance, pay="charge")

    assert Dispatch.objects.get().timeout == 9.0
    assert migrated.overrides == {"steps": {"charge": {"timeout": 9.0}, "ship": {"timeout": 8.0}}}
    check(instance)
    assert driver.run(instance)["output"] == 41
    check(instance)


def test_what_waits_for_a_worker_waits_in_the_queue_that_the_new_version_names(driver: Driver) -> None:
    instance = driver.start(ORDER)
    publish(ORDER.replace("1.0.0", "2.0.0").replace("v: 1}", "v: 1}, queue: gpu"))

    migrate(instance)

    row = Dispatch.objects.get()
    assert (row.path, row.queue, row.generation) == ("stock", "gpu", 1)
    check(instance)


def test_repeats_and_blocks_go_on_where_they_stand(driver: Driver) -> None:
    document = flow("""
  - id: each
    foreach: {items: "[1, 2, 3]", as: n, max_concurrency: 1, steps: [{id: x, activity: core.echo, with: {v: "${ n }"}}]}
  - id: both
    parallel:
      branches:
        left: [{id: l, activity: core.echo}]
        right: [{id: r, activity: core.echo}]
  - {id: last, activity: core.echo}
""")
    instance = driver.start(document)
    driver.work(driver.claim_next())
    publish(
        document.replace("1.0.0", "2.0.0")
        .replace('v: "${ n }"', 'v: "${ n * 10 }"')
        .replace("{id: l, activity: core.echo}", "{id: l, activity: core.echo}, {id: l2, activity: core.echo}")
    )

    migrate(instance)
    check(instance)
    view = driver.run(instance)

    assert view["state"] == "completed"
    values = [instance.steps.get(path=f"each[{n}].x").output["v"] for n in range(3)]
    assert values == [1, 2, 30], "the second had been given its parameters"
    assert view["steps"]["l2"] == "completed"
    check(instance)


def test_what_an_instance_has_left_behind_can_be_looked_at(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    driver.work(driver.claim_next())
    publish(ORDER.replace("1.0.0", "2.0.0").replace("  - {id: pay, activity: core.echo, with: {v: 2}}\n", ""))

    migrate(instance)

    view = results.instance_view(instance.pk)
    assert list(view["steps"]) == ["stock", "ship"]
    assert [each["step"] for each in view["attempts"]] == ["stock", "pay"]
    check(instance)
