"""What the hot path decides: the next step begins or is sent, a join is counted, a branch closes, the instance ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import decide
from tests.integration.hot_path.situations import ERROR, ROW, claim, done, events, start, step_row
from workflows_app.services import decisions, steps, sweep

JOIN = "steps: [{id: a, activity: core.echo, needs: []}, {id: b, activity: core.echo, needs: []}, {id: c, %s}]"
BLOCK = """
steps:
  - id: block
    parallel:
      branches:
        one: [{id: a, activity: core.echo}, {id: a2, activity: core.echo}]
        two: [{id: b, activity: core.echo}]
"""


def test_the_next_step_begins(driver: Driver) -> None:
    pair = decide(claim(start(driver, ROW), "a"), {"n": 1})

    assert events(pair) == ["step.completed a", "step.scheduled b", "step.started b"]
    assert pair.hot.next is not None
    assert (pair.hot.next.path, pair.hot.next.number, pair.hot.next.timeout) == ("b", 1, 60.0)


@pytest.mark.parametrize("keys", ["batch: false", "queue: other", "timeout: 2m", "queue: other, timeout: 2h"])
def test_a_step_that_is_not_for_this_worker_is_sent(driver: Driver, keys: str) -> None:
    instance = start(driver, f"steps: [{{id: a, activity: core.echo}}, {{id: b, activity: core.echo, {keys}}}]")

    pair = decide(claim(instance, "a"))

    assert events(pair) == ["step.completed a", "step.scheduled b"]


def test_a_worker_without_time_sends_the_next_step(driver: Driver) -> None:
    pair = decide(claim(start(driver, ROW), "a"), goes_on=False)

    assert events(pair) == ["step.completed a", "step.scheduled b"]
    assert pair.hot.next is None


@pytest.mark.parametrize(
    ("window", "queue", "published"), [(1, "default", False), (2, "default", True), (1, "other", True)]
)
def test_what_is_sent_is_held_back_while_the_window_of_its_queue_is_full(
    driver: Driver, settings: Any, window: int, queue: str, published: bool
) -> None:
    instance = start(driver, ROW)
    held = claim(instance, "a")
    start(driver, f"steps: [{{id: a, activity: core.echo, queue: {queue}}}]", name="waiting")
    settings.ORCHESTRATOR_WINDOW = window

    pair = decide(held, goes_on=False)

    assert events(pair) == ["step.completed a", "step.scheduled b"]
    assert ('"published_at": null' not in pair.hot.rows["dispatch"][0]) is published


def test_the_last_step_ends_the_instance_and_clears_its_timer(driver: Driver) -> None:
    output = 'output: {c: "${ steps.c.output }", in: "${ input }", of: "${ instance.workflow }"}'
    instance = start(driver, f"timeout: 1h\n{ROW}\n{output}", {"x": 1e16})
    done(instance, "a", "b")

    pair = decide(claim(instance, "c"), [1e16, -0.0])

    assert events(pair) == ["step.completed c", "instance.completed"]
    assert len(pair.before["timer"]) == 1
    assert pair.hot.rows["timer"] == []


@pytest.mark.parametrize("output", ["", "output: null", 'output: "${ steps.c.output }"'])
def test_an_instance_may_end_without_an_output(driver: Driver, output: str) -> None:
    instance = start(driver, f"{ROW}\n{output}")
    done(instance, "a", "b")

    assert events(decide(claim(instance, "c"))) == ["step.completed c", "instance.completed"]


@pytest.mark.parametrize(
    "join",
    ["activity: core.echo", "set: {x: 1}", "wait: {for: 1s}", "choice: [{steps: [{id: inner, activity: core.echo}]}]"],
)
def test_what_waits_for_another_step_too_is_counted(driver: Driver, join: str) -> None:
    instance = start(driver, "variables: {x: 0}\n" + JOIN % f"needs: [a, b], {join}")

    pair = decide(claim(instance, "a"))

    assert events(pair) == ["step.completed a"]
    row = step_row(pair.hot.rows, "c")
    assert (row["state"], row["needs_settled"], row["needs_completed"]) == ("pending", 1, 1)


def test_a_join_counts_what_failed_as_settled_only(driver: Driver) -> None:
    instance = start(
        driver,
        """
steps:
  - {id: a, activity: core.echo, needs: []}
  - {id: b, activity: core.echo, needs: [], on_error: continue}
  - {id: c, activity: core.echo, needs: []}
  - {id: join, activity: core.echo, needs: [a, b, c]}
""",
    )
    steps.failed(claim=claim(instance, "b"), error=ERROR)

    pair = decide(claim(instance, "a"))

    assert events(pair) == ["step.completed a"]
    row = step_row(pair.hot.rows, "join")
    assert (row["needs_settled"], row["needs_completed"]) == (2, 1)


def test_the_next_step_begins_and_joins_are_counted_at_once(driver: Driver) -> None:
    instance = start(
        driver,
        """
steps:
  - {id: a, activity: core.echo}
  - {id: next, activity: core.echo}
  - {id: join, activity: core.echo, needs: [a, next]}
""",
    )

    pair = decide(claim(instance, "a"))

    assert events(pair) == ["step.completed a", "step.scheduled next", "step.started next"]
    assert step_row(pair.hot.rows, "join")["needs_settled"] == 1


def test_inside_a_block_the_next_step_begins(driver: Driver) -> None:
    pair = decide(claim(start(driver, BLOCK), "a"))

    assert events(pair) == ["step.completed a", "step.scheduled a2", "step.started a2"]
    assert step_row(pair.hot.rows, "one")["open_children"] == 1


def test_a_branch_closes_while_another_is_open(driver: Driver) -> None:
    instance = start(driver, BLOCK)
    done(instance, "a")

    pair = decide(claim(instance, "a2"), {"result": 1})

    assert events(pair) == ["step.completed a2", "step.completed one"]
    assert step_row(pair.hot.rows, "one")["output"] == {"result": 1}
    assert step_row(pair.hot.rows, "block")["open_children"] == 1


def test_inside_a_case_the_next_step_begins(driver: Driver) -> None:
    instance = start(
        driver, "steps: [{id: c, choice: [{steps: [{id: a, activity: core.echo}, {id: b, activity: core.echo}]}]}]"
    )

    assert events(decide(claim(instance, "a"))) == ["step.completed a", "step.scheduled b", "step.started b"]


def test_a_second_attempt_leaves_no_trace_of_the_first_ones_error(driver: Driver) -> None:
    instance = start(driver, "steps: [{id: a, activity: core.echo, retry: {jitter: 0}}, {id: b, activity: core.echo}]")
    error = {**ERROR, "details": {"effect": "unknown"}, "recoverable": True}
    steps.failed(claim=claim(instance, "a"), error=error)
    driver.advance(2)
    sweep.fire_timers()

    pair = decide(claim(instance, "a"), 1)

    assert events(pair) == ["step.completed a", "step.scheduled b", "step.started b"]
    before, after = step_row(pair.before, "a"), step_row(pair.hot.rows, "a")
    assert (before["error"]["code"], before["effect_unknown"]) == ("NO", True)
    assert (after["error"], after["effect_unknown"], after["failures"]) == (None, False, 1)


def test_a_step_that_was_lost_and_comes_back_counts_no_losses_any_more(driver: Driver) -> None:
    instance = start(driver, ROW)
    claim(instance, "a")
    driver.advance(9)
    sweep.end_overdue_attempts()

    pair = decide(claim(instance, "a"), 1)

    assert pair.accepted
    assert (step_row(pair.before, "a")["losses"], step_row(pair.hot.rows, "a")["losses"]) == (1, 0)


def test_the_engine_is_not_asked_about_what_is_plain(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = start(driver, ROW)
    monkeypatch.setattr(decisions, "take", None)

    done(instance, "a", "b", "c")

    instance.refresh_from_db()
    assert instance.state == "completed"
