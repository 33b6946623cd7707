"""What has begun keeps its place and its meaning in the version to come, or the instance is not migrated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.migration.standings import NOW, codes, graph, planned, standing
from workflows_app.engine.migration import plan

ROW = """
id: a, activity: core.echo
id: b, activity: core.echo
id: c, activity: core.echo
"""


def test_what_is_the_same_in_both_versions_changes_nothing() -> None:
    found = planned(ROW, ROW, {"a": "completed", "b": "running"})

    assert (found.problems, found.gone, found.moved, found.passed) == ((), (), {}, {})


def test_a_settled_step_that_is_gone_stays_in_the_history_only() -> None:
    found = planned(ROW, "id: b, activity: core.echo\nid: c, activity: core.echo", {"a": "completed", "b": "running"})

    assert (codes(found), found.gone) == ([], ("a",))


@pytest.mark.parametrize("state", ["scheduled", "running", "waiting", "retrying"])
def test_a_step_under_way_that_is_gone_is_a_problem(state: str) -> None:
    found = planned(ROW, "id: a, activity: core.echo\nid: c, activity: core.echo", {"a": "completed", "b": state})

    assert codes(found) == [("STEP_GONE", "b")]
    assert found.problems[0].message == f"is {state}, and 2.0.0 has no such step; let it end, skip it or map it"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("activity: core.echo", "activity: core.log, with: {message: x}", "ACTIVITY_CHANGED"),
        ("activity: core.echo", "wait: {for: 1h}", "KIND_CHANGED"),
        ("receive: {event: paid}", "receive: {event: shipped}", "EVENT_CHANGED"),
        ("call: {workflow: other}", "call: {workflow: another}", "WORKFLOW_CHANGED"),
        ("call: {workflow: other}", "call: {workflow: other, wait: false}", "WORKFLOW_CHANGED"),
    ],
)
def test_a_step_under_way_must_mean_the_same(before: str, after: str, code: str) -> None:
    assert codes(planned(f"id: a, {before}", f"id: a, {after}", {"a": "waiting"})) == [(code, "a")]


def test_another_time_retry_and_condition_of_a_step_under_way_are_taken_over() -> None:
    after = "id: a, activity: core.echo@2.0.0, timeout: 9s, retry: {max_attempts: 9}, with: {n: 2}, when: 'true'"

    assert codes(planned("id: a, activity: core.echo", after, {"a": "retrying"})) == []


def test_a_settled_step_may_be_another_one_now_but_no_call() -> None:
    settled = {"a": {"state": "completed"}}

    assert codes(planned("id: a, activity: core.echo", "id: a, wait: {for: 1h}", settled)) == []
    assert codes(planned("id: a, activity: core.echo", "id: a, call: {workflow: other}", settled)) == [
        ("KIND_CHANGED", "a")
    ]


def test_what_has_begun_does_not_move_to_another_list() -> None:
    after = "id: p, parallel: {branches: {x: [{id: a, activity: core.echo}], y: [{id: z, activity: core.echo}]}}"

    found = planned("id: a, activity: core.echo\nid: b, activity: core.echo", after, {"a": "completed"})

    assert codes(found) == [("STEP_MOVED", "a")]
    assert found.problems[0].message == "has begun in the outermost list, in 2.0.0 it stands in x"


# ---------------------------------------------------------------- undo
UNDO = "id: pay, activity: core.echo, compensate: {activity: core.echo}\nid: b, activity: core.echo"


@pytest.mark.parametrize(
    "after", ["id: b, activity: core.echo", "id: pay, activity: core.echo\nid: b, activity: core.echo"]
)
def test_an_undo_that_may_be_needed_is_never_lost(after: str) -> None:
    assert codes(planned(UNDO, after, {"pay": "completed", "b": "running"})) == [("UNDO_LOST", "pay")]


def test_a_step_without_effect_needs_no_undo() -> None:
    assert codes(planned(UNDO, "id: b, activity: core.echo", {"pay": "skipped", "b": "running"})) == []


def test_mapped_to_a_step_that_has_an_undo_it_is_kept() -> None:
    after = UNDO.replace("pay", "charge")

    found = planned(UNDO, after, {"pay": "completed", "b": "running"}, renames={"pay": "charge"})

    assert (codes(found), found.moved, found.gone) == ([], {"pay": "charge"}, ())


# ---------------------------------------------------------------- renames
@pytest.mark.parametrize(
    ("step", "row", "allowed"),
    [
        ("activity: core.echo", "scheduled", True),
        ("activity: core.echo", "retrying", True),
        ("activity: core.echo", "running", False),
        ("wait: {for: 1h}", "waiting", True),
        ("receive: {event: paid}", "waiting", True),
        ("call: {workflow: other}", "waiting", False),
        ("choice: [{steps: [{id: x, activity: core.echo}]}]", "waiting", False),
    ],
)
def test_what_others_know_by_its_name_keeps_it(step: str, row: str, allowed: bool) -> None:
    found = planned(f"id: a, {step}", f"id: z, {step}", {"a": row}, renames={"a": "z"})

    assert codes(found)[:1] == ([] if allowed else [("CANNOT_BE_RENAMED", "a")])


@pytest.mark.parametrize(
    ("renames", "code"),
    [
        ({"nobody": "a"}, "UNKNOWN_STEP"),
        ({"a": "nobody"}, "UNKNOWN_STEP"),
        ({"a": "b"}, "CANNOT_BE_RENAMED"),
        ({"a": "c", "b": "c"}, "CANNOT_BE_RENAMED"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(renames: dict[str, str], code: str) -> None:
    found = planned(ROW, ROW, {"a": "completed", "b": "completed"}, renames=renames)

    assert code in [found_code for found_code, _ in codes(found)]


def test_a_step_does_not_go_by_the_name_of_another_one_that_has_run() -> None:
    states, after = {"b": "completed", "c": "running"}, ROW
    before = "id: b, activity: core.echo\nid: c, activity: core.echo"

    found = plan(
        replace(standing(graph(before), graph(after, "2.0.0"), states), used=frozenset({"a", "b", "c"})), now=NOW
    )

    assert codes(found) == [("NAME_USED", "a")], "it had run before, by a version that has it as well"


def test_a_map_for_a_step_that_has_not_begun_means_nothing() -> None:
    found = planned(ROW, ROW.replace("id: c", "id: z"), {"a": "running"}, renames={"c": "z"})

    assert (codes(found), found.moved) == ([], {})


# ---------------------------------------------------------------- blocks
def each(inside: str, **more: Any) -> str:
    options = "".join(f", {key}: {value}" for key, value in more.items())
    return f"id: each, foreach: {{items: '[1, 2, 3]', steps: [{inside}]{options}}}"


IN = "{id: x, activity: core.echo}"
OPEN = {"each": {"state": "waiting", "opened": 2, "planned": 3, "open_children": 1}, "each[1]": "waiting"}


def test_a_block_that_repeats_may_have_other_parameters_and_times() -> None:
    after = each("{id: x, activity: core.echo, timeout: 9s, with: {n: 1}}", max_concurrency=1)

    assert codes(planned(each(IN), after, OPEN | {"each[1].x": "running"})) == []


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (each(f"{IN}, {{id: y, activity: core.echo}}"), "BLOCK_CHANGED"),
        (each("{id: x, wait: {for: 1h}}"), "BLOCK_CHANGED"),
        (each(IN, batch_size=2), "BLOCK_CHANGED"),
        (each(IN, join="any"), "BLOCK_CHANGED"),
        (each("{id: x, activity: core.log, with: {message: x}}"), "ACTIVITY_CHANGED"),
    ],
)
def test_what_has_begun_to_repeat_keeps_its_steps(after: str, code: str) -> None:
    found = planned(each(IN), after, OPEN | {"each[1].x": "running"})

    assert [found_code for found_code, _ in codes(found)] == [code]


def test_a_block_that_is_over_may_go_unless_its_undo_goes_with_it() -> None:
    settled = {"each": {"state": "completed", "opened": 3, "planned": 3}, "b": "running"}
    undone = "{id: x, activity: core.echo, compensate: {activity: core.echo}}"
    after = "id: b, activity: core.echo"

    assert codes(planned(f"{each(IN)}\n{after}", after, settled)) == []
    assert codes(planned(f"{each(undone)}\n{after}", after, settled)) == [("UNDO_LOST", "each")]


def test_a_block_that_is_being_stopped_is_waited_for() -> None:
    block = "id: p, parallel: {branches: {x: [{id: a, activity: core.echo}], y: [{id: b, activity: core.echo}]}}"
    states = {"p": {"state": "waiting", "stopping": True}, "x": "waiting", "a": "running", "y": "completed"}

    assert codes(planned(block, block, states)) == [("BLOCK_STOPPING", "p")]


# ---------------------------------------------------------------- the whole
def test_the_input_has_to_meet_the_new_schema() -> None:
    old = graph(ROW)
    new = graph(ROW, "2.0.0", input={"type": "object", "required": ["amount"]})

    found = plan(standing(old, new, {"a": "running"}, input={}), now=NOW)

    assert codes(found) == [("INPUT_INVALID", "input.amount")]
    assert found.problems[0].message == "is missing, as 2.0.0 wants it"


def test_variables_are_kept_get_their_initial_value_or_go() -> None:
    old = graph(ROW, variables={"n": 1, "old": 2})
    new = graph(ROW, "2.0.0", variables={"n": 7, "new": [3]})

    found = plan(standing(old, new, {"a": "running"}, variables={"n": 5, "old": 2}), now=NOW)

    assert (found.variables, found.added, found.dropped) == ({"n": 5, "new": [3]}, ("new",), ("old",))
