"""What bounds a canvas: wide groups go out on their own, in chunks; long regions are cut."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.canvas.drawn import activity, flow
from tests.unit.engine.canvas.shown import region, shape, steps, whys
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Chain, Chord, Group, Task, growing
from workflows_app.engine.definition import Definition


def echo(path: str, **keys: Any) -> dict[str, Any]:
    """A step that needs the one before it."""
    return {"id": path, "activity": "core.echo", **keys}


def star(width: int, **keys: object) -> Definition:
    """One step, many that follow it, and two that follow all of these."""
    members = [activity(f"s{n}", "first", **keys) for n in range(width)]
    return flow(activity("first"), *members, activity("join", *(m["id"] for m in members)), activity("last", "join"))


def members(width: int) -> list[str]:
    return [f"s{n}" for n in range(width)]


def test_a_group_of_sixteen_stays_in_the_chain_and_a_wider_one_goes_out_at_its_own_frontier() -> None:
    assert isinstance(region(star(16), "first").plan, Chain)

    found = region(star(17), "first")

    assert shape(found.plan) == "first"
    assert whys(found) == ["a wide group of 17 begins: it is dispatched at its own frontier"]


@pytest.mark.parametrize(
    ("width", "sizes", "messages"),
    [(17, [17], "one message"), (100, [100], "one message"), (250, [84, 83, 83], "3 messages")],
)
def test_a_wide_group_of_light_steps_goes_out_in_chunks(width: int, sizes: list[int], messages: str) -> None:
    found = region(star(width), *members(width))

    assert [len(task.steps) for task in canvas.tasks(found.plan)] == sizes
    assert sorted(steps(found.plan)) == sorted(members(width))
    assert all(task.dispatches == tuple((path, 1) for path in task.steps) for task in canvas.tasks(found.plan))
    assert whys(found) == [f"`join` follows {width} steps in {messages}: its join is counted in the database"]


@pytest.mark.parametrize("keys", [{"timeout": "2h"}, {"batch": False}], ids=["long", "alone"])
def test_a_wide_group_without_chunks_is_a_chord_whose_body_is_its_join_alone(keys: dict) -> None:
    plan = region(star(100, **keys), *members(100)).plan

    assert isinstance(plan, Chord)
    assert all(isinstance(part, Task) and not part.mates for part in plan.header)
    assert plan.body == Task(step="join", generation=1, queue="default")


def test_a_wide_group_without_fusion_is_a_chord_and_what_follows_its_join_a_region_of_its_own() -> None:
    found = region(star(40), *members(40), fusing=False)

    assert isinstance(found.plan, Chord)
    assert whys(found) == ["`join` joins a wide group: what follows is a region of its own"]


def test_a_part_of_a_wide_group_is_no_chord() -> None:
    assert isinstance(region(star(40), *members(39), fusing=False).plan, Group)


def test_where_the_pace_is_known_a_chunk_is_as_large_as_it_says() -> None:
    plan = region(star(20), *members(12), chunk=5).plan

    assert [len(task.steps) for task in canvas.tasks(plan)] == [4, 4, 4]


def test_a_chunk_of_long_names_keeps_to_the_size_of_a_message() -> None:
    names = [f"s{n:03}_{'x' * 95}" for n in range(200)]

    plan = region(flow(*(activity(name) for name in names)), *names, chunk=1000).plan

    assert [len(task.steps) for task in canvas.tasks(plan)] == [100, 100]


def test_chunks_keep_to_their_queue() -> None:
    mixed = [activity(f"s{n}", queue="even" if n % 2 == 0 else "odd") for n in range(40)]

    plan = region(flow(*mixed), *members(40)).plan

    for task in canvas.tasks(plan):
        assert {int(path[1:]) % 2 for path in task.steps} == {0 if task.queue == "even" else 1}


# ------------------------------------------------------------------ bounds
def test_a_long_chain_is_cut_at_the_limit_and_goes_on_from_there() -> None:
    long = flow(*(echo(f"s{n}") for n in range(1000)))

    found = region(long, "s0", fusing=False)

    assert canvas.size(found.plan) <= 32_000
    assert isinstance(found.plan, Chain)
    length = len(found.plan.links)
    assert length > 100
    assert found.hand_overs[0].after == (f"s{length - 1}",)
    assert whys(found) == [f"`s{length}` does not fit any more: the region would exceed 32 kB"]


def test_a_fused_chain_is_cut_so_that_planning_costs_the_same_whatever_its_length() -> None:
    found = region(flow(*(echo(f"s{n}") for n in range(1000))), "s0")

    assert len(steps(found.plan)) == growing.STEPS_LIMIT
    assert whys(found) == ["`s256` is left for the next region: one holds at most 256 steps"]


def test_a_join_that_does_not_fit_leaves_the_strands_as_they_were() -> None:
    steps = [activity("a"), activity("b"), activity("c"), activity("d", "a", "b")]

    found = region(flow(*steps), "a", "b", "c", limit_bytes=3_500)

    assert shape(found.plan) == "[a | b | c]"
    assert whys(found) == ["`d` does not fit any more: the region would exceed 3 kB"]


def test_strands_grow_side_by_side_until_the_limit() -> None:
    rows = [activity(f"s{n}_{k}", *([f"s{n}_{k - 1}"] if k else [])) for k in range(50) for n in range(4)]

    found = region(flow(*rows), *(f"s{n}_0" for n in range(4)), fusing=False)

    assert isinstance(found.plan, Group)
    lengths = [len(steps(member)) for member in found.plan.members]
    assert 28_000 < canvas.size(found.plan) <= 32_000
    assert max(lengths) - min(lengths) <= 1
