"""The page of an instance that repeats steps: how far each block is, and the iterations that matter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.models import Instance
from workflows_app.services import instances
from workflows_app.ui import iterations
from workflows_app.ui.outline import Line

SQUARES = """
  - id: each
    name: Square them
    foreach:
      items: input.numbers
%s      steps:
        - {id: square, activity: core.echo, with: {n: "${ item }"}}
        - {id: note, name: Note it, activity: core.echo}
"""
POLL = """
  - id: poll
    loop:
      until: steps.ask.output.done
      steps:
        - {id: ask, activity: core.echo, with: {done: "${ iteration == 2 }"}}
        - {id: pause, wait: {for: 1000d}}
"""
NESTED = """
  - id: rows
    foreach:
      items: input.rows
      as: row
      steps:
        - id: cells
          foreach:
            items: row
            tolerate: 1
            steps: [{id: cell, activity: core.echo}]
"""


def squares(**keys: Any) -> str:
    return SQUARES % "".join(f"      {key}: {value}\n" for key, value in keys.items())


def page(client: Client, instance: Instance) -> Any:
    response = client.get(f"/instances/{instance.pk}/")
    assert response.status_code == 200
    return response


def block(client: Client, instance: Instance, path: str = "each") -> Line:
    (found,) = [line for line in page(client, instance).context["steps"] if line.path == path]
    return found


def sentence(client: Client, instance: Instance) -> str:
    return str(page(client, instance).context["sentence"])


def text(client: Client, instance: Instance) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page(client, instance).content.decode()).split())


def shown(line: Line) -> list[str]:
    return [each.path for each in line.iterations]


# ---------------------------------------------------------------- how far
def test_a_foreach_under_way_says_how_many_items_are_done_under_way_and_failed(driver: Driver, pages: Client) -> None:
    driver.perform = {"each[1].square": fail("BROKEN")}
    instance = driver.start(flow(squares(max_concurrency=4, tolerate=2)), {"numbers": list(range(10))})
    for _ in range(7):
        driver.work(driver.claim_next())

    line = block(pages, instance)

    assert line.progress == "2 of 10 done, 4 under way, 1 failed"
    assert "Square them each foreach waiting" in text(pages, instance)
    assert "2 of 10 done, 4 under way, 1 failed" in text(pages, instance)


def test_a_foreach_says_what_became_of_all_its_items(driver: Driver, pages: Client) -> None:
    driver.perform = {"each[1].square": fail("BROKEN")}
    tolerant = driver.start(flow(squares(tolerate=1), name="tolerant"), {"numbers": [1, 2, 3]})
    strict = driver.start(flow(squares(max_concurrency=2), name="strict"), {"numbers": [1, 2, 3]})
    empty = driver.start(flow(squares(), name="empty"), {"numbers": []})
    race = driver.start(flow(squares(join="any", rest="cancel"), name="race"), {"numbers": [1, 2, 3]})
    wrong = driver.start(flow(squares(), name="wrong"), {"numbers": "none"})
    for instance in (tolerant, strict, empty, race):
        driver.run(instance)

    assert block(pages, tolerant).progress == "2 of 3 done, 1 failed"
    assert block(pages, strict).progress == "2 of 3 begun, 1 failed", "one of them was cancelled: nobody says done"
    assert block(pages, empty).progress == "0 of 0 done"
    assert block(pages, race).progress.startswith("3 of 3 begun")
    assert block(pages, wrong).progress == ""


def test_a_loop_says_which_iteration_it_is_in_and_how_many_there_were(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(POLL))
    driver.drain()
    assert block(pages, instance, "poll").progress == "iteration 1"
    assert "“poll”, iteration 1. " in sentence(pages, instance)

    counted = driver.start(flow(POLL.replace("until: steps.ask.output.done", "times: 5"), name="counted"))
    driver.drain()
    assert block(pages, counted, "poll").progress == "iteration 1 of 5"

    driver.run(instance)
    assert block(pages, instance, "poll").progress == "3 iterations"


def test_a_block_that_has_not_begun_says_nothing(driver: Driver, pages: Client) -> None:
    steps = "\n  - {id: first, activity: core.echo}" + squares()
    instance = driver.start(flow(steps), {"numbers": [1]})

    line = block(pages, instance)

    assert (line.state, line.progress, line.iterations, line.left_out) == ("pending", "", [], 0)


# ---------------------------------------------------------------- which iterations
def test_an_iteration_is_shown_with_its_steps_and_their_states(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(squares(max_concurrency=1)), {"numbers": [7, 8]})
    driver.work(driver.claim_next())

    (only,) = block(pages, instance).iterations

    assert (only.path, only.state) == ("each[0]", "waiting")
    assert [(line.path, line.name, line.state) for line in only.children] == [
        ("each[0].square", "square", "completed"),
        ("each[0].note", "Note it", "scheduled"),
    ]
    html = page(pages, instance).content.decode()
    assert '<details class="iteration">' in html, "collapsed"
    assert "iteration 0 each[0] waiting" in text(pages, instance)


def test_failed_iterations_and_those_under_way_come_first_then_the_latest(driver: Driver, pages: Client) -> None:
    driver.perform = {"each[3].square": fail("BROKEN")}
    instance = driver.start(flow(squares(tolerate=1, max_concurrency=30)), {"numbers": list(range(60))})
    for _ in range(30):
        driver.work(driver.claim_next())
    held = driver.claim_next()
    assert held is not None
    assert held.path == "each[0].note"
    for _ in range(40):
        driver.work(driver.claim_next())

    line = block(pages, instance)

    assert len(line.iterations) == 20
    assert shown(line)[:2] == ["each[3]", "each[0]"]
    assert [each.state for each in line.iterations[:2]] == ["failed", "waiting"]
    assert line.left_out == line.row.opened - 20
    assert f"{line.left_out} more iterations not shown here" in text(pages, instance)
    assert "BROKEN it broke" in text(pages, instance)


def test_of_an_ended_block_the_latest_iterations_are_shown(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(squares()), {"numbers": list(range(25))})
    driver.run(instance)

    line = block(pages, instance)

    assert shown(line) == [f"each[{index}]" for index in range(24, 4, -1)]
    assert line.left_out == 5


def test_blocks_inside_iterations_show_theirs_too(driver: Driver, pages: Client) -> None:
    driver.perform = {"rows[0].cells[1].cell": fail("BROKEN")}
    instance = driver.start(flow(NESTED), {"rows": [list(range(9)), [1]]})
    driver.run(instance)

    rows = block(pages, instance, "rows")
    (cells,) = next(each for each in rows.iterations if each.path == "rows[0]").children

    assert cells.progress == "8 of 9 done, 1 failed"
    assert shown(cells) == ["rows[0].cells[1]"] + [f"rows[0].cells[{index}]" for index in (8, 7, 6, 5)]
    assert cells.left_out == 4
    assert cells.iterations[0].children[0].row.error_code == "BROKEN"


def test_an_iteration_whose_undo_failed_is_among_the_first(driver: Driver, pages: Client) -> None:
    steps = """
  - id: each
    foreach:
      items: input.numbers
      steps: [{id: book, activity: core.echo, compensate: {activity: core.echo}}]
  - {id: last, activity: core.fail, with: {code: NO}}
"""
    driver.perform = {"last": fail("NO"), "undo_each[2].book": fail("NO_REFUND")}
    instance = driver.start(flow(steps), {"numbers": list(range(30))})
    driver.run(instance)

    assert shown(block(pages, instance))[0] == "each[2]"
    said = sentence(pages, instance)
    assert "The undo of “each[2].book” with NO_REFUND: it broke did not work" in said


def test_all_iterations_of_a_page_have_so_many_lines_at_most(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iterations, "LINES", 10)
    instance = driver.start(flow(squares()), {"numbers": list(range(25))})

    line = block(pages, instance)

    assert len(line.iterations) == 3
    assert line.left_out == 22


# ---------------------------------------------------------------- the sentence
def test_the_sentence_names_a_step_inside_by_its_path(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(squares(max_concurrency=1)), {"numbers": [1, 2]})
    driver.work(driver.claim_next())
    driver.claim_next()

    assert sentence(pages, instance) == (
        "Repeating: “Square them” (each), 0 of 2 done, 1 under way. Running “Note it” (each[0].note) for 0 ms."
    )


def test_the_sentence_says_which_step_inside_failed(driver: Driver, pages: Client) -> None:
    driver.perform = {"each[1].square": fail("NO_STOCK")}
    instance = driver.start(flow(squares()), {"numbers": list(range(40))})
    driver.run(instance)

    assert sentence(pages, instance) == "“each[1].square” failed with NO_STOCK: it broke. Nothing was undone."


def test_the_sentence_tells_a_few_and_counts_others(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(squares()), {"numbers": list(range(40))})

    assert re.search(
        r"0 of 40 done, 40 under way\. “each\[0\]\.square” waits .* One thing more is under way\.",
        sentence(pages, instance),
    )
    for _ in range(30):
        driver.claim_next()

    assert sentence(pages, instance).endswith("5 things more are under way.")


def test_the_sentence_counts_every_undone_step(driver: Driver, pages: Client) -> None:
    steps = """
  - id: each
    foreach:
      items: input.numbers
      steps: [{id: book, activity: core.echo, compensate: {activity: core.echo}}]
  - {id: last, activity: core.echo}
"""
    driver.perform = {"last": fail()}
    instance = driver.start(flow(steps), {"numbers": list(range(30))})
    driver.run(instance)

    assert "What had been done was undone: 30 steps, each successfully." in sentence(pages, instance)


def test_a_cancelled_instance_shows_what_became_of_its_iterations(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(squares()), {"numbers": [1, 2]})
    instances.cancel(instance_id=instance.pk, actor="ada")

    line = block(pages, instance)

    assert (line.state, line.progress) == ("cancelled", "2 of 2 begun")
    assert {each.state for each in line.iterations} == {"cancelled"}


# ---------------------------------------------------------------- what it costs
def queries(client: Client, instance: Instance) -> int:
    with CaptureQueriesContext(connection) as context:
        page(client, instance)
    return len(context)


STORE = """
    WITH begun AS (
        SELECT step.instance_id, format('each[%%s]', index) AS path, step.started_at,
               CASE WHEN index < 2 + %(failed)s THEN 'failed' WHEN index %% 10 = 9 THEN 'waiting'
                    ELSE 'completed' END AS state
        FROM workflows_app_step AS step, generate_series(2, %(items)s - 1) AS index
        WHERE step.instance_id = %(instance)s AND step.path = 'each'
    ), sent AS (
        INSERT INTO workflows_app_dispatch
               (instance_id, path, generation, queue, timeout, created_at, publications)
        SELECT instance_id, path || '.square', 1, 'default', 60, started_at, 0 FROM begun WHERE state = 'waiting'
        RETURNING 1
    ), stored AS (
        INSERT INTO workflows_app_step
               (instance_id, path, state, role, generation, attempts, failures, losses, needs_settled, needs_completed,
                open_children, stopping, effect_unknown, started_at, ended_at)
        SELECT instance_id, path, state, 'action', 0, 0, 0, 0, 0, 0, 0, false, false, started_at,
               CASE WHEN state NOT IN ('waiting', 'scheduled') THEN started_at END
        FROM (TABLE begun UNION ALL
              SELECT instance_id, path || '.square', started_at,
                     CASE state WHEN 'waiting' THEN 'scheduled' ELSE state END FROM begun) AS each
    )
    UPDATE workflows_app_step SET planned = %(items)s, opened = %(items)s, failures = %(failed)s,
           open_children = 2 + (SELECT count(*) FROM sent)
    WHERE instance_id = %(instance)s AND path = 'each'
"""


def begin(instance: Instance, *, items: int, failed: int) -> None:
    """Store so many iterations as the engine would have; every tenth still waits for a worker."""
    with connection.cursor() as cursor:
        cursor.execute(STORE, {"instance": instance.pk, "items": items, "failed": failed})


@pytest.mark.parametrize("items", [10, 20_000])
def test_the_page_costs_the_same_queries_however_many_items_there_are(pages: Client, items: int) -> None:
    # Not the fixture: it would hold what is stored against a history that these items do not have.
    instance = Driver().start(flow(squares(max_concurrency=2, tolerate=100_000)), {"numbers": [1, 2, 3]})
    begin(instance, items=items, failed=3)

    # Beside the thirteen of every page, while it is open ten for what it waits for, three for what is under way, one
    # for what has failed, one for the steps of the iterations.
    assert queries(pages, instance) == 28
    line = block(pages, instance)
    assert shown(line)[:3] == ["each[2]", "each[3]", "each[4]"]
    assert len(line.iterations) == min(items, 20)
    assert line.progress.startswith(f"{line.row.opened - line.row.open_children - 3:,} of {items:,} done")


def test_levels_cost_a_query_each_and_their_blocks_nothing(driver: Driver, pages: Client) -> None:
    small = driver.start(flow(NESTED, name="small"), {"rows": [[1]]})
    large = driver.start(flow(NESTED, name="large"), {"rows": [list(range(6))] * 15})

    assert queries(pages, small) == queries(pages, large) == 28
