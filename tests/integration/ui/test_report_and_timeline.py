"""What an instance came to in numbers, and its time as bars: on pages, and the numbers at the prompt too."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_instance_page import plain
from workflows_app.drawing.timeline import Timeline
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Instance

STEPS = """
  - {id: quick, activity: core.echo, with: {}, compensate: {activity: core.echo}}
  - {id: slow, activity: core.echo, with: {}}
  - id: pick
    choice: [{when: "false", steps: [{id: never, activity: core.echo}]}]
  - id: each
    foreach: {items: input.items, steps: [{id: inner, activity: core.echo}]}
  - {id: last, activity: core.echo, with: {}}
"""


def taking(driver: Driver, seconds: float) -> Any:
    def perform(claim: Any) -> Any:
        driver.advance(seconds)
        return "done"

    return perform


def report(client: Client, instance: Instance) -> dict[str, Any]:
    found = client.get(f"/instances/{instance.pk}/report/").context["report"]
    assert isinstance(found, dict)
    return found


def failing(driver: Driver) -> Instance:
    """One step takes a second, one takes twenty, the last one fails; two items; what can be undone is."""
    driver.perform = {"quick": taking(driver, 1), "slow": taking(driver, 20), "last": fail("NO_WAY")}
    instance = driver.start(flow(STEPS), {"items": [1, 2]})
    driver.run(instance)
    return instance


def test_steps_are_counted_by_kind_and_by_state(driver: Driver, pages: Client) -> None:
    found = report(pages, failing(driver))

    assert found["by_kind"] == {"activity": 6, "choice": 1, "foreach": 1}
    assert found["by_state"] == {"compensated": 1, "completed": 5, "failed": 1, "skipped": 1}
    assert found["totals"] == {
        "steps": 8,
        "settled": 8,
        "completed": 6,
        "failed": 1,
        "skipped": 1,
        "open": 0,
        "attempts": 6,
        "attempts_failed": 1,
        "attempts_lost": 0,
    }
    assert found["completion_rate"] == pytest.approx(6 / 7, abs=1e-4)


def test_durations_name_the_slowest_and_what_takes_more_than_twice_the_mean(driver: Driver, pages: Client) -> None:
    found = report(pages, failing(driver))

    assert [(row["step"], row["seconds"]) for row in found["slowest"]][:2] == [("slow", 20.0), ("quick", 1.0)]
    assert found["step_seconds"] == {"mean": 4.2, "max": 20.0}
    assert [(row["step"], row["times_mean"]) for row in found["bottlenecks"]] == [("slow", 4.76)]
    assert found["seconds"] == 21.0


def test_failed_steps_stand_with_their_errors(driver: Driver, pages: Client) -> None:
    instance = failing(driver)

    assert [(row["step"], row["code"], row["message"]) for row in report(pages, instance)["failed"]] == [
        ("last", "NO_WAY", "it broke")
    ]
    assert "last failed 1 NO_WAY it broke" in plain(pages.get(f"/instances/{instance.pk}/report/").content.decode())


def test_what_has_not_begun_is_pending_and_nothing_is_divided_by_zero(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(STEPS), {"items": [1, 2]})

    found = report(pages, instance)

    assert found["by_state"] == {"pending": 5, "scheduled": 1}
    assert found["completion_rate"] == 0.0
    assert found["step_seconds"] == {"mean": None, "max": None}
    assert found["slowest"] == []


def test_the_report_costs_the_same_queries_whatever_happened(
    driver: Driver, pages: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    driver.perform = {"slow": taking(driver, 20)}
    instance = driver.start(flow(STEPS), {"items": list(range(40))})
    driver.run(instance)

    # Session, user, two for permissions, instance, counts, attempts, figures, slowest, last event, failures.
    with django_assert_num_queries(11):
        assert report(pages, instance)["totals"]["steps"] == 46


def test_the_command_prints_the_same_report(driver: Driver, pages: Client) -> None:
    instance = failing(driver)
    out, text = StringIO(), StringIO()

    call_command("workflow", "report", str(instance.pk), "--format", "json", stdout=out)
    call_command("workflow", "report", str(instance.pk), stdout=text)

    moving = {"seconds_since_change"}
    printed, shown = json.loads(out.getvalue()), report(pages, instance)
    assert {key: value for key, value in printed.items() if key not in moving} == {
        key: value for key, value in shown.items() if key not in moving
    }
    assert "steps: 8, 8 settled, 6 completed, 1 failed, 1 skipped, 0 open" in text.getvalue()
    assert "more than twice the mean:" in text.getvalue()


def test_a_report_of_nothing_is_not_found_and_demands_permission(pages: Client, stranger: Client) -> None:
    assert pages.get(f"/instances/{uuid4()}/report/").status_code == 404
    assert stranger.get(f"/instances/{uuid4()}/report/").status_code == 403


def timeline(client: Client, instance: Instance) -> Timeline | None:
    found = client.get(f"/instances/{instance.pk}/").context["timeline"]
    assert found is None or isinstance(found, Timeline)
    return found


def test_bars_stand_where_attempts_back_off_and_waits_were(driver: Driver, pages: Client) -> None:
    def charge(claim: Any) -> Any:
        driver.advance(2)
        if claim.number == 1:
            raise ActivityError("not yet", code="NOT_YET")
        return "done"

    driver.perform = {"charge": charge}
    retry = "retry: {max_attempts: 2, initial_interval: 4s, jitter: 0}"
    instance = driver.start(
        flow(f"\n  - {{id: charge, activity: core.echo, {retry}}}\n  - {{id: nap, wait: {{for: 12s}}}}")
    )
    driver.run(instance)

    drawn = timeline(pages, instance)

    assert drawn is not None
    first, second = drawn.rows
    assert [(bar.span.kind, bar.span.state) for bar in first.bars] == [
        ("attempt", "failed"),
        ("backoff", "retrying"),
        ("attempt", "succeeded"),
    ]
    widths = [bar.width for bar in (*first.bars, *second.bars)]
    assert [round(width / widths[0]) for width in widths] == [1, 2, 1, 6]
    assert [tick.label for tick in drawn.ticks] == ["0", "5 s", "10 s", "15 s", "20 s"]


def test_undos_stand_below_in_a_lane_of_their_own(driver: Driver, pages: Client) -> None:
    drawn = timeline(pages, failing(driver))

    assert drawn is not None
    assert [row.track.label for row in drawn.rows if row.track.undo] == ["undo quick"]
    assert drawn.undo_from is not None
    assert all(row.y < drawn.undo_from for row in drawn.rows if not row.track.undo)


def test_what_goes_on_is_drawn_until_now_and_nothing_is_no_timeline(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(STEPS), {"items": []})
    nothing = timeline(pages, instance)
    driver.claim_next()

    drawn = timeline(pages, instance)

    assert nothing is None
    assert drawn is not None
    assert [(bar.span.words, bar.span.end) for bar in drawn.rows[0].bars] == [("attempt 1: running", None)]
