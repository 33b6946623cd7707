"""Plain steps: what the graph alone says about the success of a step, and what it must leave to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import plain
from workflows_app.engine.definition import parse
from workflows_app.engine.graph import Graph
from workflows_app.engine.plain import Plain


def graph(*steps: dict[str, Any], **document: Any) -> Graph:
    return Graph(parse({"workflow": "w", "version": "1.0.0", "steps": list(steps), **document}))


def step(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "activity": "core.echo", **keys}


def after(path: str, *steps: dict[str, Any], **document: Any) -> Plain | None:
    return plain.after(graph(*steps, **document), path)


def known(path: str, *steps: dict[str, Any], **document: Any) -> Plain:
    """What is plain after a step, which must be something."""
    found = after(path, *steps, **document)
    assert found is not None
    return found


def next_path(found: Plain) -> str | None:
    return found.next.path if found.next else None


def test_in_a_row_each_step_begins_the_next_and_the_last_one_ends_all() -> None:
    row = [step("a"), step("b"), step("c")]

    assert [next_path(known(path, *row)) for path in "abc"] == ["b", "c", None]
    assert [known(path, *row).last for path in "abc"] == [False, False, True]
    assert known("a", *row).around == []
    assert known("a", *row).parent is None


def test_a_join_is_counted_down_with_what_it_waits_for_in_all() -> None:
    found = known("a", step("a"), step("b", needs=[]), step("c", needs=[]), step("join", needs=["a", "b", "c"]))

    assert (found.joins, found.join_needs, found.next) == (["join"], [3], None)


def test_a_step_may_begin_one_step_and_count_down_joins_at_once() -> None:
    found = known("a", step("a"), step("next"), step("x", needs=[]), step("join", needs=["a", "x"]))

    assert (next_path(found), found.joins) == ("next", ["join"])


def test_with_two_steps_to_begin_only_the_engine_can_say() -> None:
    assert after("a", step("a"), step("b", needs=["a"]), step("c", needs=["a"])) is None


@pytest.mark.parametrize(
    "follower",
    [
        {"when": "true"},
        {"disabled": True},
        {"deadline": "1m"},
        {"with": {"x": "${ vars.count }"}},
        {"with": {"x": "${ now }"}},
        {"with": {"x": {"deep": ["at ${ now }"]}}},
    ],
)
def test_a_follower_that_the_engine_must_look_at_is_not_plain(follower: dict[str, Any]) -> None:
    assert after("a", step("a"), step("b", **follower), variables={"count": 0}) is None
    assert after("a", step("a"), step("b", **{"with": {"x": "${ input.n }"}}), variables={"count": 0})


@pytest.mark.parametrize(
    "follower",
    [
        {"set": {"count": 1}},
        {"wait": {"for": "1s"}},
        {"return": {"output": 1}},
        {"fail": {"code": "NO", "message": "no"}},
        {"choice": [{"steps": [step("inner")]}]},
        {"parallel": {"branches": {"one": [step("inner")]}}},
    ],
)
def test_only_activities_are_begun(follower: dict[str, Any]) -> None:
    assert after("a", step("a"), {"id": "b", **follower}, variables={"count": 0}) is None


def test_what_is_not_an_activity_never_succeeds_on_the_hot_path() -> None:
    waiting = {"id": "a", "wait": {"for": "1s"}}

    assert after("a", waiting, step("b")) is None


def test_a_step_with_a_deadline_has_a_timer_to_clear() -> None:
    assert after("a", step("a", deadline="1m"), step("b")) is None


def test_names_that_are_known_ahead_may_be_read() -> None:
    reads = {"x": "${ input.n }", "y": "${ instance.id }", "z": "${ steps.a.output }"}

    assert next_path(known("a", step("a"), step("b", **{"with": reads}))) == "b"


def test_a_successor_that_does_not_wait_for_all_is_the_engines() -> None:
    before = [step("a"), step("b", needs=[])]

    assert after("a", *before, step("c", needs=["a", "b"], join="any")) is None
    assert known("a", *before, step("c", needs=["a", "b"])).joins == ["c"]


def in_branches(*steps: dict[str, Any], **block: Any) -> Graph:
    branches = {"one": list(steps), "two": [step("other")]}
    return graph({"id": "block", "parallel": {"branches": branches, **block}}, step("z"))


def test_the_last_step_of_a_branch_closes_it_and_its_block_is_counted_down() -> None:
    found = plain.after(in_branches(step("a"), step("b")), "b")

    assert found is not None
    assert (found.parent, found.block, found.around) == ("one", "block", ["one", "block"])
    first = plain.after(in_branches(step("a"), step("b")), "a")
    assert first is not None
    assert (next_path(first), first.parent, first.block) == ("b", "one", None)


def test_a_branch_with_several_ends_or_whose_output_is_another_steps_is_closed_by_the_engine() -> None:
    several = in_branches(step("a"), step("b", needs=[]))
    backwards = in_branches(step("a", needs=["b"]), step("b", needs=[]))

    assert [found.block for path in "ab" if (found := plain.after(several, path))] == [None, None]
    assert [found.block for path in "ab" if (found := plain.after(backwards, path))] == [None, None]


def test_inside_a_race_only_the_engine_can_say() -> None:
    assert plain.after(in_branches(step("a"), join="any"), "a") is None
    nested = {"id": "inner", "parallel": {"branches": {"x": [step("a")], "y": [step("b")]}}}
    assert plain.after(in_branches(nested, join="any"), "a") is None
    assert plain.after(in_branches(nested), "a") is not None


def test_a_case_is_never_closed_on_the_hot_path() -> None:
    choice = {"id": "choice", "choice": [{"when": "true", "steps": [step("a")]}, {"steps": [step("b")]}]}
    found = known("a", choice)

    assert (found.parent, found.block, found.last) == ("choice", None, False)


def test_a_case_inside_a_branch_is_not_closed_on_the_hot_path_either() -> None:
    choice = {"id": "choice", "choice": [{"when": "true", "steps": [step("a")]}]}

    found = plain.after(in_branches(choice, step("b", needs=[])), "a")

    assert found is not None
    assert (found.parent, found.block) == ("choice", None)


@pytest.mark.parametrize(
    ("steps", "document"),
    [
        ([step("a"), step("b", needs=[])], {}),
        ([step("a")], {"output": "${ vars.count }"}),
        ([step("a")], {"output": "at ${ now }"}),
        ([step("x"), step("y", needs=[]), step("z", needs=["x", "y"], join="any"), step("a")], {}),
    ],
)
def test_an_end_that_is_not_the_only_one_or_needs_more_than_is_known_is_the_engines(
    steps: list[dict[str, Any]], document: dict[str, Any]
) -> None:
    assert known("a", *steps, variables={"count": 0}, **document).last is False
