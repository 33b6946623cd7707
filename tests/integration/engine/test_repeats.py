"""``foreach`` and ``loop``: what runs how often, in which order, with which values, over the real database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, verification

SQUARES = """
  - id: each
    foreach:
      items: input.numbers
%s      steps:
        - {id: square, activity: core.echo, with: {n: "${ item * item }", at: "${ index }"}}
"""
OUTPUT = 'output: "${ steps.each.output }"'


def squares(**keys: Any) -> str:
    return SQUARES % "".join(f"      {key}: {value}\n" for key, value in keys.items())


def view(instance: Instance) -> dict[str, Any]:
    return dict(results.instance_view(instance.pk))


def opened(instance: Instance) -> list[str]:
    return [path for path in view(instance)["steps"] if "[" in path]


# ---------------------------------------------------------------- foreach
def test_a_foreach_runs_its_steps_once_per_item_and_collects_in_the_order_of_the_items(driver: Driver) -> None:
    instance = driver.start(flow(squares(), head=OUTPUT), {"numbers": [3, 1, 2]})

    ended = driver.run(instance)

    assert ended["state"] == "completed"
    assert ended["output"] == [{"n": 9, "at": 0}, {"n": 1, "at": 1}, {"n": 4, "at": 2}]
    assert list(ended["steps"]) == ["each", "each[0].square", "each[1].square", "each[2].square"]
    assert verification.check_replay(instance.pk) == []


def test_a_block_in_an_iteration_names_its_branches_as_they_are_written(driver: Driver) -> None:
    steps = """
  - id: each
    foreach:
      items: [1]
      collect: "${ [steps.both.output, steps.one.output] }"
      steps:
        - id: both
          parallel:
            branches: {left: [{id: a, activity: core.echo, with: {n: 1}}], right: [{id: b, set: {v: 2}}]}
        - id: one
          parallel:
            join: any
            branches: {first: [{id: c, set: {v: 3}}], second: [{id: d, wait: {for: 1h}}]}
"""
    instance = driver.start(flow(steps, head=OUTPUT), {"numbers": []})

    ended = driver.run(instance)

    assert ended["output"] == [[{"left": {"n": 1}, "right": {"v": 2}}, {"first": {"v": 3}, "second": None}]]


def test_a_foreach_over_nothing_completes_with_an_empty_list(driver: Driver) -> None:
    instance = driver.start(flow(squares(), head=OUTPUT), {"numbers": []})

    ended = driver.run(instance)

    assert (ended["state"], ended["output"]) == ("completed", [])


@pytest.mark.parametrize("items", ["a text", {"a": 1}, 3, None])
def test_items_that_are_no_list_fail_the_step_with_that_reason(driver: Driver, items: Any) -> None:
    instance = driver.start(flow(squares()), {"numbers": items})

    ended = driver.run(instance)

    assert ended["state"] == "failed"
    assert ended["error"]["code"] == "EXPRESSION_ERROR"
    assert "foreach.items is no list" in ended["error"]["message"]


def test_only_so_many_items_are_open_at_once_as_max_concurrency_says(driver: Driver) -> None:
    instance = driver.start(flow(squares(max_concurrency=2)), {"numbers": [1, 2, 3, 4, 5]})

    assert opened(instance) == ["each[0].square", "each[1].square"]
    driver.work(driver.claim_next(instance.pk))
    assert opened(instance) == ["each[0].square", "each[1].square", "each[2].square"]

    assert driver.run(instance)["state"] == "completed"


def test_with_batch_size_an_item_is_a_list(driver: Driver) -> None:
    steps = squares(batch_size=2).replace('"${ item * item }"', '"${ sum(item) }"')
    instance = driver.start(flow(steps, head=OUTPUT), {"numbers": [1, 2, 3, 4, 5]})

    ended = driver.run(instance)

    assert [each["n"] for each in ended["output"]] == [3, 7, 5]


def test_collect_says_what_is_kept_of_each_item(driver: Driver) -> None:
    steps = squares(**{"as": "number", "collect": "\"${ {'from': number, 'to': steps.square.output.n} }\""})
    instance = driver.start(flow(steps.replace("item * item", "number * number"), head=OUTPUT), {"numbers": [2, 3]})

    ended = driver.run(instance)

    assert ended["output"] == [{"from": 2, "to": 4}, {"from": 3, "to": 9}]


def test_tolerated_failures_yield_null_and_are_listed(driver: Driver) -> None:
    driver.perform = {"each[1].square": fail("BROKEN")}
    head = 'output: {all: "${ steps.each.output }", bad: "${ steps.each.failures }", state: "${ steps.each.state }"}'
    instance = driver.start(flow(squares(tolerate=1), head=head), {"numbers": [1, 2, 3]})

    ended = driver.run(instance)

    assert [each and each["n"] for each in ended["output"]["all"]] == [1, None, 9]
    assert ended["output"]["bad"] == [{"index": 1, "code": "BROKEN", "message": "it broke"}]
    assert ended["output"]["state"] == "completed"
    assert verification.check_replay(instance.pk) == []


def test_one_failure_more_than_is_tolerated_stops_what_is_open_and_begins_nothing_new(driver: Driver) -> None:
    driver.perform = {"each[0].square": fail("FIRST"), "each[1].square": fail("SECOND")}
    instance = driver.start(flow(squares(tolerate=1, max_concurrency=2)), {"numbers": [1, 2, 3, 4]})

    ended = driver.run(instance)

    assert (ended["state"], ended["error"]["code"]) == ("failed", "SECOND")
    assert ended["steps"]["each"] == "failed"
    assert ended["steps"]["each[2].square"] == "cancelled"
    assert "each[3].square" not in ended["steps"]
    assert not Dispatch.objects.filter(instance=instance).exists()
    assert verification.check_replay(instance.pk) == []


def test_steps_inside_read_each_other_and_what_stands_before_the_block(driver: Driver) -> None:
    steps = """
  - {id: base, activity: core.echo, with: {n: 10}}
  - id: each
    foreach:
      items: [1, 2]
      steps:
        - {id: add, activity: core.echo, with: {n: "${ item + steps.base.output.n }"}}
        - {id: twice, activity: core.echo, with: {n: "${ steps.add.output.n * 2 }"}}
        - {id: text, activity: core.echo, with: {t: "${ item }: ${ steps.twice.output.n }"}}
"""
    instance = driver.start(flow(steps, head=OUTPUT))

    ended = driver.run(instance)

    assert ended["output"] == [{"t": "1: 22"}, {"t": "2: 24"}]
    assert verification.check_replay(instance.pk) == []


def test_blocks_nest_and_each_level_has_its_own_item_and_index(driver: Driver) -> None:
    steps = """
  - id: rows
    foreach:
      items: [[1, 2], [3]]
      as: row
      steps:
        - id: cells
          foreach:
            items: row
            as: cell
            steps:
              - id: kind
                choice:
                  - when: cell > 2
                    steps: [{id: large, activity: core.echo, with: {large: "${ cell }"}}]
                  - steps: [{id: small, activity: core.echo, with: {small: "${ cell }", of: "${ size(row) }"}}]
"""
    instance = driver.start(flow(steps, head='output: "${ steps.rows.output }"'))

    ended = driver.run(instance)

    assert ended["output"] == [[{"small": 1, "of": 2}, {"small": 2, "of": 2}], [{"large": 3}]]
    assert ended["steps"]["rows[1].cells[0].small"] == "skipped"
    assert verification.check_replay(instance.pk) == []


def test_many_items_begin_in_portions_and_the_block_joins_once(driver: Driver) -> None:
    instance = driver.start(flow(squares(), head=OUTPUT), {"numbers": list(range(300))})

    assert len(opened(instance)) == 128
    ended = driver.run(instance)

    assert [each["n"] for each in ended["output"]] == [n * n for n in range(300)]
    ends = Event.objects.filter(instance=instance, step="each", type="step.completed")
    assert ends.count() == 1
    assert verification.check_replay(instance.pk) == []


def test_items_that_wait_do_not_hold_up_the_others(driver: Driver) -> None:
    steps = """
  - id: each
    foreach:
      items: input.numbers
      steps: [{id: pause, wait: {for: 2d}}]
"""
    instance = driver.start(flow(steps), {"numbers": list(range(300))})

    driver.run_for(instance, seconds=10)

    assert len(opened(instance)) == 300
    assert driver.run(instance, limit=1000)["state"] == "completed"


def test_completed_iterations_are_undone_with_their_own_item_the_latest_first(driver: Driver) -> None:
    steps = """
  - id: each
    foreach:
      items: [1, 2]
      steps:
        - {id: book, activity: core.echo, with: {n: "${ item }"},
           compensate: {activity: core.echo, with: {n: "${ item }", was: "${ output.n }", at: "${ index }"}}}
        - {id: pay, activity: core.echo, compensate: {activity: core.echo}}
  - {id: last, activity: core.echo}
"""
    driver.perform = {"last": fail()}
    instance = driver.start(flow(steps))

    ended = driver.run(instance)

    undone = [path for path, role in driver.calls if role == "compensation"]
    assert ended["state"] == "compensated"
    assert sorted(undone) == ["each[0].book", "each[0].pay", "each[1].book", "each[1].pay"]
    assert undone.index("each[1].pay") < undone.index("each[1].book")
    assert undone.index("each[0].pay") < undone.index("each[0].book")
    assert Step.objects.get(instance=instance, path="each[1].book").undo_input == {"n": 2, "was": 2, "at": 1}
    assert verification.check_replay(instance.pk) == []


def test_a_cancel_reaches_what_is_open_in_every_iteration(driver: Driver) -> None:
    instance = driver.start(flow(squares()), {"numbers": [1, 2, 3]})
    first = driver.claim_next(instance.pk)
    driver.work(driver.claim_next(instance.pk))

    instances.cancel(instance_id=instance.pk, actor="ada", reason="no more")

    def told(claim: Any) -> Any:
        raise AttemptCancelled("told to stop")

    driver.perform = {"each[0].square": told}
    driver.work(first)
    ended = driver.run(instance)
    assert ended["state"] == "cancelled"
    states = {path: state for path, state in ended["steps"].items() if "[" in path}
    assert states == {"each[0].square": "cancelled", "each[1].square": "completed", "each[2].square": "cancelled"}
    assert verification.check_replay(instance.pk) == []


# ---------------------------------------------------------------- loop
COUNTING = """
  - id: again
    loop:
      %s
      steps:
        - {id: inc, set: {n: "${ vars.n + 1 }"}}
        - {id: tell, activity: core.echo, with: {n: "${ vars.n }", iteration: "${ iteration }"}}
"""
HEAD = 'variables: {n: 0}\noutput: {n: "${ vars.n }", last: "${ steps.again.output }"}'


@pytest.mark.parametrize(
    ("bound", "times"),
    [
        ("while: vars.n < 3", 3),
        ("while: vars.n > 3", 0),
        ("until: vars.n >= 3", 3),
        ("until: 'true'", 1),
        ("until: steps.tell.output.n == 2", 2),
        ("times: 4", 4),
        ("times: 0", 0),
        ("times: input.many", 2),
        ("while: iteration < 2", 2),
    ],
)
def test_a_loop_repeats_its_steps_as_often_as_it_says(driver: Driver, bound: str, times: int) -> None:
    instance = driver.start(flow(COUNTING % bound, head=HEAD), {"many": 2})

    ended = driver.run(instance)

    assert ended["state"] == "completed"
    assert ended["output"]["n"] == times
    assert ended["output"]["last"] == ({"n": times, "iteration": times - 1} if times else None)
    assert [path for path in ended["steps"] if path.endswith(".inc")] == [f"again[{n}].inc" for n in range(times)]
    assert verification.check_replay(instance.pk) == []


def test_a_loop_that_does_not_end_fails_at_its_limit(driver: Driver) -> None:
    instance = driver.start(flow(COUNTING % "while: 'true'\n      max_iterations: 5", head=HEAD))

    ended = driver.run(instance)

    assert (ended["state"], ended["error"]["code"]) == ("failed", "LOOP_LIMIT")
    assert ended["steps"]["again[4].tell"] == "completed"


def test_a_loop_of_steps_in_place_never_becomes_one_endless_decision(driver: Driver) -> None:
    steps = """
  - id: again
    loop: {times: 2000, steps: [{id: inc, set: {n: "${ vars.n + 1 }"}}]}
"""
    instance = driver.start(flow(steps, head='variables: {n: 0}\noutput: "${ vars.n }"'))

    assert Timer.objects.filter(instance=instance, kind="repeat").exists()
    ended = driver.run(instance)
    assert (ended["state"], ended["output"]) == ("completed", 2000)
    assert verification.check_replay(instance.pk) == []


def test_iterations_of_a_loop_are_undone_from_the_last_to_the_first(driver: Driver) -> None:
    steps = """
  - id: again
    loop:
      times: 3
      steps:
        - {id: book, activity: core.echo, with: {n: "${ iteration }"}, compensate: {activity: core.echo}}
  - {id: last, activity: core.echo}
"""
    driver.perform = {"last": fail()}
    instance = driver.start(flow(steps))

    ended = driver.run(instance)

    assert ended["state"] == "compensated"
    undone = [path for path, role in driver.calls if role == "compensation"]
    assert undone == ["again[2].book", "again[1].book", "again[0].book"]
    assert verification.check_replay(instance.pk) == []
