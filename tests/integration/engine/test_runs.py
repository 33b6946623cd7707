"""What the author of a definition gets from each kind and key when all goes well, over the real database."""

from __future__ import annotations

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.selectors import results
from workflows_app.services import sweep


def test_a_sequence_passes_outputs_along_and_maps_its_output(driver: Driver) -> None:
    instance = driver.start(
        flow(
            """
  - {id: a, activity: core.echo, with: {x: "${ input.x }"}}
  - {id: b, activity: core.echo, with: {y: "${ steps.a.output.x * 2 }"}}
""",
            head='output: {twice: "${ steps.b.output.y }"}',
        ),
        {"x": 21},
    )

    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["output"] == {"twice": 42}
    assert view["steps"] == {"a": "completed", "b": "completed"}


def test_variables_are_set_in_order(driver: Driver) -> None:
    instance = driver.start(
        flow(
            """
  - {id: one, set: {n: "${ vars.n + 1 }"}}
  - {id: two, set: {n: "${ vars.n * 10 }"}}
""",
            head='variables: {n: 1}\noutput: "${ vars.n }"',
        )
    )

    assert driver.run(instance)["output"] == 20


def test_a_choice_takes_the_first_branch_that_holds_and_skips_the_others(driver: Driver) -> None:
    document = flow(
        """
  - id: size
    choice:
      - when: input.n > 100
        steps: [{id: large, activity: core.echo, with: {is: large}}]
      - when: input.n > 10
        steps: [{id: middle, activity: core.echo, with: {is: middle}}]
      - steps: [{id: small, activity: core.echo, with: {is: small}}]
""",
        head='output: "${ steps.size.output.is }"',
    )

    view = driver.run(driver.start(document, {"n": 50}))

    assert view["output"] == "middle"
    assert view["steps"] == {"size": "completed", "large": "skipped", "middle": "completed", "small": "skipped"}


def test_parallel_branches_join_and_yield_their_last_outputs(driver: Driver) -> None:
    document = flow(
        """
  - id: both
    parallel:
      branches:
        left: [{id: l1, activity: core.echo, with: {v: 1}}, {id: l2, activity: core.echo, with: {v: 2}}]
        right: [{id: r1, activity: core.echo, with: {v: 3}}]
  - {id: after, activity: core.echo, with: {sum: "${ steps.both.output.left.v + steps.r1.output.v }"}}
""",
        head='output: "${ steps.after.output.sum }"',
    )

    view = driver.run(driver.start(document))

    assert view["output"] == 5


def test_the_first_branch_of_a_race_decides_and_the_losers_finish(driver: Driver) -> None:
    document = flow(
        """
  - id: race
    parallel:
      join: any
      branches:
        quick: [{id: q, activity: core.echo, with: {v: quick}}]
        slow: [{id: s1, wait: {for: 1h}}, {id: s2, activity: core.echo, with: {v: slow}}]
  - {id: after, activity: core.echo, with: {won: "${ steps.race.output }"}}
""",
        head='output: "${ steps.after.output.won }"',
    )
    instance = driver.start(document)

    driver.drain()
    halfway = results.instance_view(instance.pk)
    view = driver.run(instance)

    assert halfway["steps"]["after"] == "completed"
    assert halfway["state"] == "running"
    assert view["state"] == "completed"
    assert view["output"] == {"quick": {"v": "quick"}, "slow": None}
    assert view["steps"]["s2"] == "completed"


def test_a_race_survives_losing_branches_that_fail(driver: Driver) -> None:
    driver.perform = {"b": fail()}
    document = flow(
        """
  - id: race
    parallel:
      join: any
      branches: {one: [{id: a, wait: {for: 1m}}], two: [{id: b, activity: core.echo}]}
  - {id: after, activity: core.echo}
"""
    )

    view = driver.run(driver.start(document))

    assert view["state"] == "completed"
    assert view["steps"] == {"race": "completed", "a": "completed", "b": "failed", "after": "completed"}


def test_a_race_that_nobody_can_win_fails_with_join_unreachable(driver: Driver) -> None:
    driver.perform = {"a": fail(), "b": fail()}
    document = flow(
        """
  - id: race
    parallel:
      join: any
      branches: {one: [{id: a, activity: core.echo}], two: [{id: b, activity: core.echo}]}
"""
    )

    view = driver.run(driver.start(document))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "JOIN_UNREACHABLE"


def test_a_join_of_any_starts_after_the_first_dependency(driver: Driver) -> None:
    document = flow(
        """
  - {id: fast, activity: core.echo, needs: []}
  - {id: late, wait: {for: 1d}, needs: []}
  - {id: first, activity: core.echo, needs: [fast, late], join: any}
"""
    )
    instance = driver.start(document)

    driver.drain()

    assert results.instance_view(instance.pk)["steps"]["first"] == "completed"
    assert driver.run(instance)["state"] == "completed"


def test_a_skipped_step_lets_its_successors_run(driver: Driver) -> None:
    document = flow(
        """
  - {id: a, activity: core.echo, when: "false"}
  - {id: b, activity: core.echo, disabled: true}
  - {id: c, activity: core.echo, with: {got: "${ steps.a.output }"}}
""",
        head='output: "${ steps.c.output }"',
    )

    view = driver.run(driver.start(document))

    assert view["steps"] == {"a": "skipped", "b": "skipped", "c": "completed"}
    assert view["output"] == {"got": None}


def test_a_durable_wait_ends_when_its_time_has_come(driver: Driver) -> None:
    instance = driver.start(flow("  - {id: nap, wait: {for: 2d}}\n  - {id: a, activity: core.echo}"))

    driver.advance(2 * 86400 - 1)
    sweep.fire_timers()
    before = results.instance_view(instance.pk)["steps"]
    driver.advance(1)
    sweep.fire_timers()
    driver.drain()

    assert before == {"nap": "waiting", "a": "pending"}
    assert results.instance_view(instance.pk)["state"] == "completed"


def test_a_long_row_of_inline_steps_needs_no_worker_and_no_recursion(driver: Driver) -> None:
    rows = "\n".join(f'  - {{id: s{n}, set: {{n: "${{ vars.n + 1 }}"}}}}' for n in range(1200))
    instance = driver.start(flow(rows, head='variables: {n: 0}\noutput: "${ vars.n }"'))

    assert results.instance_view(instance.pk)["output"] == 1200
