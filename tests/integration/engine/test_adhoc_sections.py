"""Ad-hoc sections: people pick, add, repeat and skip steps of a set until it is done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import Refused, StateForbids
from workflows_app.engine.transitions import Act
from workflows_app.models import Event, Instance, Step
from workflows_app.selectors.section_views import views
from workflows_app.services import definitions, instances, sections, sweep, verification

CLAIM = """
workflow: claim
version: 1.0.0
variables: {seen: 0}
steps:
  - id: receive_claim
    activity: core.echo
    with: {claim: 7}
  - id: handle
    adhoc:
      steps:
        - id: inspect
          activity: core.echo
          with:
            claim: "${ steps.receive_claim.output.claim }"
            run: "${ index }"
            by: "${ item.by }"
            note: "${ item.data }"
        - id: call
          set: {seen: "${ vars.seen + 1 }"}
        - id: review
          parallel:
            branches:
              left: [{id: first, activity: core.echo, with: {side: left}}]
              right: [{id: second, activity: core.echo, with: {side: right}}]
  - id: close
    activity: core.echo
    with: {handled: "${ steps.handle.output }"}
output: "${ steps.close.output }"
"""


def begun(driver: Driver, document: str = CLAIM, input: Any = None) -> Instance:
    found = driver.start(document, input or {})
    driver.drain()
    return found


def choose(found: Instance, member: str, act: Act = Act.PICK, **options: Any) -> None:
    options = {"section": "handle", "person": "ann", **options}
    sections.choose(instance_id=found.pk, member=member, act=act, **options)


def fresh(found: Instance) -> Instance:
    return Instance.objects.get(pk=found.pk)


def test_nothing_begins_before_somebody_chooses(driver: Driver) -> None:
    found = begun(driver)

    assert [path for path, _ in driver.calls] == ["receive_claim"]
    assert views(fresh(found)) == [
        {
            "step": "handle",
            "name": "handle",
            "description": None,
            "assign": None,
            "members": [
                {"step": name, "name": name, "description": None, "planned": 1, "runs": 0, "state": None}
                for name in ("inspect", "call", "review")
            ],
        }
    ]


def test_the_section_is_done_when_everything_planned_was_picked_or_skipped(driver: Driver) -> None:
    found = begun(driver)

    choose(found, "call")
    choose(found, "inspect", data={"floor": 2})
    driver.drain()
    choose(found, "review", Act.SKIP, reason="a small claim")
    driver.drain()

    ended = fresh(found)
    assert ended.state == "completed"
    assert ended.output == {
        "handled": {
            "inspect": {"claim": 7, "run": 0, "by": "ann", "note": {"floor": 2}},
            "call": {"seen": 1},
            "review": None,
        }
    }
    assert verification.check_replay(found.pk) == []


def test_a_step_may_be_repeated_and_its_last_result_counts(driver: Driver) -> None:
    found = begun(driver)

    choose(found, "inspect", data="first")
    driver.drain()
    choose(found, "inspect", data="second", person="bob")
    driver.drain()
    choose(found, "call", Act.SKIP)
    choose(found, "review")
    driver.drain()

    ended = fresh(found)
    assert ended.output["handled"]["inspect"] == {"claim": 7, "run": 1, "by": "bob", "note": "second"}
    assert ended.output["handled"]["review"] == {"left": {"side": "left"}, "right": {"side": "right"}}
    assert [path for path, _ in driver.calls if "inspect" in path] == [
        "handle-inspect[0].inspect",
        "handle-inspect[1].inspect",
    ]
    assert verification.check_replay(found.pk) == []


def test_a_step_that_is_added_has_to_be_done_once_more(driver: Driver) -> None:
    found = begun(driver)
    for member in ("inspect", "review"):
        choose(found, member, Act.SKIP)

    choose(found, "call", Act.ADD)
    choose(found, "call")

    assert fresh(found).state == "running"
    choose(found, "call")
    driver.drain()
    assert fresh(found).output["handled"]["call"] == {"seen": 2}


def test_who_chose_what_is_in_the_history(driver: Driver) -> None:
    found = begun(driver)

    choose(found, "call", Act.ADD, reason="ask the neighbour too")
    choose(found, "inspect", person="bob", reason="roof")

    added, picked = Event.objects.filter(instance=found, actor__in=["ann", "bob"]).order_by("sequence")
    assert (added.type, added.step, added.actor) == ("section.added", "handle", "ann")
    assert added.data == {
        "member": "call",
        "plan": ["inspect", "call", "review", "call"],
        "reason": "ask the neighbour too",
    }
    assert (picked.step, picked.actor) == ("handle-inspect[0]", "bob")
    assert picked.data["input"]["item"] == {"by": "bob", "data": None, "reason": "roof"}


WHEN = """
workflow: claim
version: 1.0.0
steps:
  - id: handle
    adhoc:
      complete_when: steps.assess.state == 'completed' && steps.assess.output.sum < 100
      steps:
        - id: assess
          activity: core.echo
          with: {sum: "${ item.data }"}
        - id: call
          activity: core.echo
output: "${ steps.handle.output }"
"""


def test_a_condition_over_the_last_results_says_when_it_is_done(driver: Driver) -> None:
    found = begun(driver, WHEN)

    choose(found, "assess", data=500)
    driver.drain()
    still = fresh(found).state
    choose(found, "assess", data=50)
    driver.drain()

    ended = fresh(found)
    assert (still, ended.state) == ("running", "completed")
    assert ended.output == {"assess": {"sum": 50}, "call": None}
    assert verification.check_replay(found.pk) == []


def test_a_condition_is_looked_at_when_nothing_is_under_way_any_more(driver: Driver) -> None:
    found = begun(driver, WHEN)
    choose(found, "call")
    choose(found, "assess", data=50)

    claims = [driver.claim_next(), driver.claim_next()]
    by_path = {claim.path: claim for claim in claims}
    driver.work(by_path["handle-assess[0].assess"])
    between = fresh(found).state
    driver.work(by_path["handle-call[0].call"])

    assert (between, fresh(found).state) == ("running", "completed")


def test_a_condition_that_breaks_fails_the_section(driver: Driver) -> None:
    found = begun(driver, WHEN.replace("steps.assess.output.sum < 100", "steps.assess.output.total < 100"))

    choose(found, "assess", data=1)
    driver.drain()

    ended = fresh(found)
    assert (ended.state, ended.error["code"]) == ("failed", "EXPRESSION_ERROR")


@pytest.mark.parametrize(
    ("member", "options", "code"),
    [
        ("nobody_knows", {}, "UNKNOWN_STEP"),
        ("inspect", {"section": "receive_claim"}, "UNKNOWN_STEP"),
        ("inspect", {"section": "handle-inspect[0]"}, "UNKNOWN_STEP"),
        ("inspect", {"section": "x[1].y'; --"}, "UNKNOWN_STEP"),
        ("inspect", {"reason": "x" * 2001}, "INPUT_INVALID"),
        ("inspect", {"data": float("nan")}, "NOT_JSON"),
    ],
)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(
    driver: Driver, member: str, options: dict[str, Any], code: str
) -> None:
    found = begun(driver)
    before = fresh(found).sequence

    with pytest.raises(Refused) as refused:
        choose(found, member, **options)

    assert refused.value.code == code
    assert fresh(found).sequence == before


def test_a_step_under_way_is_not_begun_twice(driver: Driver) -> None:
    found = begun(driver)
    choose(found, "inspect")

    with pytest.raises(StateForbids, match="under way"):
        choose(found, "inspect")


def test_what_is_not_planned_cannot_be_skipped(driver: Driver) -> None:
    found = begun(driver)
    choose(found, "call", Act.SKIP)

    with pytest.raises(Refused) as refused:
        choose(found, "call", Act.SKIP)

    assert refused.value.code == "NOT_PLANNED"


def test_a_section_that_has_ended_takes_no_choice(driver: Driver) -> None:
    found = begun(driver)
    for member in ("inspect", "call", "review"):
        choose(found, member, Act.SKIP)

    with pytest.raises(StateForbids, match="handle is completed"):
        choose(found, "inspect")


@pytest.mark.parametrize(
    ("assign", "allowed", "refused"),
    [
        ("{user: '${ input.clerk }'}", {"person": "ann"}, {"person": "bob"}),
        ("{users: [ann, cid]}", {"person": "cid"}, {"person": "bob", "groups": ["ann"]}),
        ("{group: adjusters}", {"person": "bob", "groups": ["x", "adjusters"]}, {"person": "adjusters", "groups": []}),
        ("{expression: 'input.clerks'}", {"person": "cid"}, {"person": "bob"}),
        ("{expression: '${ input.clerk }'}", {"person": "ann"}, {"person": "bob"}),
    ],
)
def test_only_those_it_is_assigned_to_choose(
    driver: Driver, assign: str, allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    document = CLAIM.replace("    adhoc:\n", f"    adhoc:\n      assign: {assign}\n")
    found = begun(driver, document, {"clerk": "ann", "clerks": ["ann", "cid"]})

    with pytest.raises(Refused) as refusal:
        choose(found, "call", **refused)
    choose(found, "call", **allowed)

    assert refusal.value.code == "NOT_ASSIGNED"
    assert Step.objects.get(instance=found, path="handle-call[0].call").state == "completed"


def test_an_assignment_to_nobody_that_exists_fails_the_step(driver: Driver) -> None:
    found = begun(
        driver, CLAIM.replace("    adhoc:\n", "    adhoc:\n      assign: {expression: input.clerk}\n"), {"clerk": 7}
    )

    assert (fresh(found).state, fresh(found).error["code"]) == ("failed", "EXPRESSION_ERROR")


def test_cancel_stops_what_is_under_way_and_undoes_what_was_done(driver: Driver) -> None:
    action = 'with:\n            claim: "${ steps.receive_claim.output.claim }"\n'
    undo = 'compensate: {activity: core.echo, with: {back: "${ with.claim }"}}'
    found = begun(driver, CLAIM.replace(action, f"{undo}\n          {action}"))
    for _ in range(2):
        choose(found, "inspect")
        driver.drain()
    choose(found, "review")

    instances.cancel(instance_id=found.pk, actor="ann")
    driver.drain()

    assert fresh(found).state == "compensated"
    undone = [path for path, role in driver.calls if role == "compensation"]
    assert sorted(undone) == ["handle-inspect[0].inspect", "handle-inspect[1].inspect"]
    assert Step.objects.get(instance=found, path="handle").state == "cancelled"
    assert verification.check_replay(found.pk) == []


def test_a_deadline_ends_a_section_that_nobody_finishes(driver: Driver) -> None:
    found = begun(
        driver, CLAIM.replace("  - id: handle\n", "  - id: handle\n    deadline: 2d\n    on_error: continue\n")
    )
    choose(found, "call")

    driver.advance(2 * 86400 + 1)
    sweep.fire_timers()
    driver.drain()

    assert Step.objects.get(instance=found, path="handle").state == "timed_out"
    assert fresh(found).state == "completed"


def test_a_failed_step_fails_the_section_unless_it_is_tolerated(driver: Driver) -> None:
    fails = CLAIM.replace('          set: {seen: "${ vars.seen + 1 }"}\n', "          fail: {code: NO_ANSWER}\n")
    found = begun(driver, fails)

    choose(found, "call")

    assert (fresh(found).state, fresh(found).error["code"]) == ("failed", "NO_ANSWER")
    assert Step.objects.get(instance=found, path="handle").state == "failed"


def test_sections_stand_in_iterations_and_hold_blocks_that_repeat(driver: Driver) -> None:
    document = """
workflow: rounds
version: 1.0.0
steps:
  - id: each
    foreach:
      items: ["a", "b"]
      as: name
      steps:
        - id: handle
          adhoc:
            steps:
              - id: twice
                loop:
                  times: 2
                  steps: [{id: inner, activity: core.echo, with: {n: "${ iteration }", who: "${ name }"}}]
output: "${ steps.each.output }"
"""
    found = begun(driver, document)

    for index in (1, 0):
        choose(found, "twice", section=f"each[{index}].handle")
        driver.drain()

    assert fresh(found).output == [{"twice": {"n": 1, "who": name}} for name in "ab"]
    assert "each[1].handle-twice[0].twice[1].inner" in [path for path, _ in driver.calls]
    assert verification.check_replay(found.pk) == []


@pytest.mark.parametrize(
    ("replace", "by", "code", "path"),
    [
        ("- id: call\n", "- id: call\n          needs: [inspect]\n", "SCHEMA", "steps[1].adhoc.steps[1].needs"),
        ("vars.seen + 1", "steps.inspect.output.run", "NOT_UPSTREAM", "steps[1].adhoc.steps[1].set.seen"),
        ("${ steps.handle.output }", "${ steps.inspect.output }", "NOT_UPSTREAM", "steps[2].with.handled"),
        ("    adhoc:\n", "    adhoc:\n      assign: {role: clerk}\n", "NOT_AVAILABLE", "steps[1].adhoc.assign.role"),
        (
            "    adhoc:\n",
            "    adhoc:\n      complete_when: item.data\n",
            "UNKNOWN_NAME",
            "steps[1].adhoc.complete_when",
        ),
        (
            "    adhoc:\n",
            "    adhoc:\n      complete_when: steps.close.output\n",
            "NOT_UPSTREAM",
            "steps[1].adhoc.complete_when",
        ),
    ],
)
def test_an_unsound_section_is_refused_with_its_place(replace: str, by: str, code: str, path: str) -> None:
    assert replace in CLAIM
    problems = definitions.validate(text=CLAIM.replace(replace, by))

    assert (code, path) in [(problem.code, problem.path) for problem in problems]
