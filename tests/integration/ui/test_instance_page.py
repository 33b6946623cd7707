"""The page of one instance."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, fail_times, flow
from workflows_app.models import Instance
from workflows_app.services import definitions, holds, instances, interventions
from workflows_app.ui import instance as views

SAGA = """
  - {id: reserve, name: Reserve it, activity: core.echo, with: {x: 1}, compensate: {activity: core.echo, with: {}}}
  - {id: ship, name: Ship it, activity: core.echo, with: {x: 2}}
"""
BLOCKS = """
  - {id: first, activity: core.echo, with: {x: 1}}
  - id: size
    name: How big?
    choice:
      - when: input.n > 100
        steps: [{id: large, activity: core.echo, with: {}}]
      - steps:
          - id: both
            parallel:
              branches:
                left: [{id: one, activity: core.echo, with: {}}]
                right: [{id: pause, wait: {for: 2h}}]
  - {id: final, set: {v: 1}}
"""


def show(client: Client, instance: Instance, **query: Any) -> str:
    response = client.get(f"/instances/{instance.pk}/", query)
    assert response.status_code == 200
    return response.content.decode()


def sentence(client: Client, instance: Instance) -> str:
    return str(client.get(f"/instances/{instance.pk}/").context["sentence"])


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_completed_instance_shows_everything_about_it(driver: Driver, pages: Client) -> None:
    instance = driver.start(
        flow(SAGA, head='title: Small order\noutput: {done: "${ steps.ship.output.x }"}'),
        {"n": 7},
        correlation_id="order 7",
    )
    driver.run(instance)

    text = plain(show(pages, instance))

    assert "Small order completed Completed: every step that was due has run." in text
    for shown in ("flow 1.0.0", "order 7", "ada", str(instance.pk), "2026-01-01 00:00:00"):
        assert shown in text
    assert "Reserve it reserve core.echo completed" in text
    assert "reserve 1 action succeeded" in text
    assert "&quot;n&quot;: 7" in text
    assert "&quot;done&quot;: 2" in text
    assert "instance.completed" in text
    assert "Nobody has intervened." in text


def test_steps_stand_in_the_order_of_the_document_nested_by_their_blocks(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(BLOCKS, head="variables: {v: 0}"), {"n": 5})
    driver.drain()

    steps = pages.get(f"/instances/{instance.pk}/").context["steps"]

    def tree(lines: Any) -> Any:
        return [(line.path or line.name, line.state, tree(line.children)) for line in lines]

    assert tree(steps) == [
        ("first", "completed", []),
        (
            "size",
            "waiting",
            [
                ("when input.n > 100", "pending", [("large", "skipped", [])]),
                (
                    "otherwise",
                    "pending",
                    [
                        (
                            "both",
                            "waiting",
                            [
                                ("left", "completed", [("one", "completed", [])]),
                                ("right", "waiting", [("pause", "waiting", [])]),
                            ],
                        )
                    ],
                ),
            ],
        ),
        ("final", "pending", []),
    ]


def test_blocks_may_be_nested_as_deeply_as_the_language_allows(driver: Driver, pages: Client) -> None:
    steps = "[{id: innermost, activity: core.echo, with: {}}]"
    for depth in range(20):
        steps = f"[{{id: c{depth}, choice: [{{steps: {steps}}}]}}]"

    instance = driver.start(f"workflow: deep\nversion: 1.0.0\nsteps: {steps}")

    assert "innermost" in show(pages, instance)


def test_waiting_for_a_worker_is_said(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(SAGA))

    assert "“Reserve it” (reserve) waits for a worker on the queue “default” for" in sentence(pages, instance)


def test_a_running_attempt_is_said(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(SAGA))
    driver.claim_next()

    assert sentence(pages, instance) == "Running “Reserve it” (reserve) for 0 ms."


def test_a_retry_is_said_with_its_reason_and_its_time(driver: Driver, pages: Client) -> None:
    driver.perform = {"a": fail_times(1)}
    retry = "{max_attempts: 3, initial_interval: 1000d, max_interval: 1000d, jitter: 0}"
    instance = driver.start(flow(f"\n  - {{id: a, activity: core.echo, with: {{}}, retry: {retry}}}"))
    driver.drain()

    assert sentence(pages, instance) == "Attempt 2 of 3 of “a” in 1000 d, after NOT_YET: not yet."


def test_a_fallback_and_what_it_stands_in_for_are_said(driver: Driver, pages: Client) -> None:
    driver.perform = {"a": fail()}
    instance = driver.start(flow("\n  - {id: a, activity: core.echo, on_error: {fallback: {activity: core.echo}}}"))
    driver.work(driver.claim_next())
    driver.claim_next()

    assert sentence(pages, instance) == "Running the fallback of “a” for 0 ms, attempt 2."


def test_a_join_that_waits_for_a_while_only_says_how_long(driver: Driver, pages: Client) -> None:
    steps = """
  - {id: here, activity: core.echo, needs: []}
  - {id: there, activity: core.echo, needs: []}
  - {id: both, activity: core.echo, needs: [here, there], join_deadline: 1000d}
"""
    instance = driver.start(flow(steps))
    driver.work(driver.claim_next())
    driver.claim_next()

    assert sentence(pages, instance) == (
        "Running “there” for 0 ms. “both” waits for the last of its dependencies until 2028-09-27 00:00:00 UTC."
    )


def test_a_running_step_that_nothing_waits_for_any_more_is_said(driver: Driver, pages: Client) -> None:
    steps = """
  - {id: slow, activity: core.echo, needs: []}
  - {id: quick, activity: core.echo, needs: []}
  - {id: first, activity: core.echo, needs: [slow, quick], join: any, rest: cancel}
"""
    instance = driver.start(flow(steps))
    driver.claim_next()
    driver.drain()

    assert sentence(pages, instance) == "Running “slow” for 0 ms; it was told to stop."


def test_a_timer_is_said_and_one_that_does_not_fire_too(driver: Driver, pages: Client) -> None:
    later = driver.start(flow("\n  - {id: nap, wait: {for: 1000d}}", name="later"))
    stuck = driver.start(flow("\n  - {id: nap, wait: {for: 1m}}", name="stuck"))

    assert sentence(pages, later) == "“nap” waits until 2028-09-27 00:00:00 UTC."
    driver.advance(120)
    assert "is the sweeper running?" in sentence(pages, stuck)
    assert "<strong>Stuck.</strong>" in show(pages, stuck)


def test_an_event_that_is_waited_for_is_said_with_its_key_and_since_when(driver: Driver, pages: Client) -> None:
    steps = """
  - {id: pay, name: Payment, needs: [], receive: {event: payment.received, correlate: "4711"}}
  - {id: hear, needs: [], receive: {event: said, correlate: <b>, timeout: 1000d}}
"""
    instance = driver.start(flow(steps))

    said = sentence(pages, instance)

    assert said == (
        "“hear” waits for the event said with the key <b> since 2026-01-01 00:00:00 UTC, "
        "at most until 2028-09-27 00:00:00 UTC. “Payment” (pay) waits for the event payment.received "
        "with the key 4711 since 2026-01-01 00:00:00 UTC."
    )
    assert "<b>" not in show(pages, instance)


def test_a_call_is_said_and_both_pages_link_to_each_other(driver: Driver, pages: Client) -> None:
    definitions.publish(text=flow("  - {id: rest, wait: {for: 1d}}", name="billing"), actor="ada")
    above = driver.start(flow("  - {id: bill, name: Bill it, call: {workflow: billing}}"))
    driver.drain()
    below = Instance.objects.get(parent=above)

    said, page = sentence(pages, above), show(pages, above)

    assert f"“Bill it” (bill) waits for billing ({below.pk}) since 2026-01-01" in said
    assert f'href="/instances/{below.pk}/"' in page
    assert "Called workflows" in page
    assert f'href="/instances/{above.pk}/"' in show(pages, below)
    assert f"Called by {above.pk} , step bill" in plain(show(pages, below))
    assert "Called workflows" not in show(pages, below)


def test_what_befell_a_called_instance_because_of_its_caller_is_said(driver: Driver, pages: Client) -> None:
    undo = "compensate: {activity: core.echo}"
    definitions.publish(text=flow(f"  - {{id: a, activity: core.echo, {undo}}}", name="billing"), actor="ada")
    driver.perform = {"last": fail()}
    saga = driver.start(flow("  - {id: bill, call: {workflow: billing}}\n  - {id: last, activity: core.echo}"))
    driver.run(saga)
    unbegun = driver.start(flow("  - {id: bill, call: {workflow: billing}}", name="other"))
    instances.cancel(instance_id=unbegun.pk, actor="ada")
    driver.drain()

    undone, never = Instance.objects.get(parent=saga), Instance.objects.get(parent=unbegun)

    assert sentence(pages, undone) == (
        f"It had completed, and was undone with the instance {saga.pk} that called it. "
        "What had been done was undone: 1 step successfully."
    )
    assert sentence(pages, never).startswith(f"Cancelled: {unbegun.pk} that called it stops: cancelled.")


def test_a_failure_with_nothing_to_undo_says_where_and_why(driver: Driver, pages: Client) -> None:
    driver.perform = {"a": fail("NO_STOCK")}
    instance = driver.start(flow("\n  - {id: a, name: Take it, activity: core.echo, with: {}}"))
    driver.run(instance)

    assert sentence(pages, instance) == "“Take it” (a) failed with NO_STOCK: it broke. Nothing was undone."


def test_a_compensated_instance_says_what_failed_and_what_was_undone(driver: Driver, pages: Client) -> None:
    driver.perform = {"ship": fail("NO_ADDRESS")}
    instance = driver.start(flow(SAGA))
    driver.run(instance)

    text = plain(show(pages, instance))

    assert sentence(pages, instance) == (
        "“Ship it” (ship) failed with NO_ADDRESS: it broke. What had been done was undone: 1 step successfully."
    )
    assert "reserve 2 undo succeeded" in text
    assert "ship 1 action failed" in text


def test_an_instance_that_is_being_undone_says_what_of(driver: Driver, pages: Client) -> None:
    undo = "needs: [], compensate: {activity: core.echo}"
    wide = "\n".join(f"  - {{id: {name}, activity: core.echo, {undo}}}" for name in ("a", "b", "c"))
    driver.perform = {"last": fail("NO_WAY")}
    instance = driver.start(flow(f"\n{wide}\n  - {{id: last, activity: core.echo, needs: [a, b, c]}}"))
    for _ in range(5):
        driver.work(driver.claim_next())

    said = sentence(pages, instance)

    assert said.startswith("“last” failed with NO_WAY: it broke. Completed steps are being undone in reverse: now ")
    assert "“a” and “b”, 1 step undone so far." in said


def test_an_undo_that_failed_calls_for_somebody(driver: Driver, pages: Client) -> None:
    driver.perform = {"ship": fail(), "undo_reserve": fail("NO_REFUND")}
    instance = driver.start(flow(SAGA))
    driver.run(instance)

    said = sentence(pages, instance)

    assert "The undo of “Reserve it” (reserve) with NO_REFUND: it broke did not work" in said
    assert "somebody has to look" in said


def test_an_operators_act_is_said_and_listed_with_its_reason(driver: Driver, pages: Client) -> None:
    cancelled, terminated = driver.start(flow(SAGA)), driver.start(flow(SAGA))
    instances.cancel(instance_id=cancelled.pk, actor="ada", reason="a mistake")
    instances.terminate(instance_id=terminated.pk, actor="bob")

    assert sentence(pages, cancelled).startswith("Cancelled by ada: a mistake.")
    assert sentence(pages, terminated).startswith("Terminated by bob. It ended at once")
    assert "ada instance.cancelled a mistake" in plain(show(pages, cancelled))


def test_the_page_of_an_open_instance_refreshes_itself_until_told_not_to(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(SAGA))

    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in show(pages, instance)
    assert f'data-live="/live/{instance.pk}/"' in show(pages, instance)
    assert "http-equiv" not in show(pages, instance, refresh="off")
    assert "data-live=" not in show(pages, instance, refresh="off")
    driver.run(instance)
    assert "http-equiv" not in show(pages, instance)
    assert "data-live=" not in show(pages, instance)


def test_the_history_is_paged(driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "EVENTS_ON_A_PAGE", 3)
    instance = driver.start(flow(SAGA))
    driver.run(instance)
    total = Instance.objects.get(pk=instance.pk).sequence

    def events(**query: Any) -> list[int]:
        context = pages.get(f"/instances/{instance.pk}/", query).context
        return [event["sequence"] for event in context["events"]]

    assert events() == [1, 2, 3]
    assert events(**{"from": 4}) == [4, 5, 6]
    assert events(**{"from": total}) == [total]
    for odd in ("0", "-1", "x", "9" * 30, str(total + 1), "٣"):
        assert events(**{"from": odd}) == [1, 2, 3]
    page = show(pages, instance, **{"from": 4})
    assert 'href="/instances/' in page
    assert "?from=7#history" in page
    assert "?from=1#history" in page


def test_large_values_are_shortened_and_small_ones_are_readable(
    driver: Driver, pages: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    instance = driver.start(flow(SAGA), {"small": [1], "text": "ü" * 300_000})

    page = show(pages, instance)

    assert len(page) < 120_000
    assert "shortened to 20000 characters" in page


def test_the_page_costs_the_same_queries_whatever_happened(
    driver: Driver, pages: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    steps = "".join(f"\n  - {{id: s{n}, activity: core.echo, with: {{}}}}" for n in range(30))
    instance = driver.start(flow(steps))
    driver.run(instance)

    # Session, user, two for permissions, instance, steps, acts, attempts, their logs, queries, called instances,
    # artifacts, events. What an open one waits for: two more.
    with django_assert_num_queries(14):
        show(pages, instance)


def test_long_definitions_and_many_attempts_are_cut_and_it_says_so(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "STEPS_SHOWN", 2)
    monkeypatch.setattr(views, "ATTEMPTS_SHOWN", 1)
    instance = driver.start(flow(SAGA + "  - {id: third, activity: core.echo, with: {}}"))
    driver.run(instance)

    text = plain(show(pages, instance))

    assert "only its first steps are shown" in text
    assert "The last 1 attempts" in text


def test_attempts_can_be_cut_to_those_that_failed(driver: Driver, pages: Client) -> None:
    driver.perform = {"ship": fail("NO_ADDRESS")}
    instance = driver.start(flow(SAGA))
    driver.run(instance)

    def listed(**query: Any) -> list[tuple[str, int]]:
        found = pages.get(f"/instances/{instance.pk}/", query).context["attempts"]
        return [(attempt.path, attempt.number) for attempt in found]

    assert listed() == [("reserve", 1), ("ship", 1), ("reserve", 2)]
    assert listed(attempts="failed") == [("ship", 1)]
    assert f'href="/instances/{instance.pk}/?attempts=failed#attempts"' in show(pages, instance)


def test_an_unknown_instance_is_not_found_and_the_page_says_what_to_do(pages: Client) -> None:
    response = pages.get(f"/instances/{uuid4()}/")

    assert response.status_code == 404
    assert escape("Look for it in the list of instances") in response.content.decode()


def test_a_paused_instance_says_who_paused_it_since_when_and_why(pages: Client, driver: Driver) -> None:
    instance = driver.start(flow("  - {id: a, activity: core.echo}", name="waits"))
    interventions.pause(instance_id=instance.pk, actor="ada", reason="the <bank> is down")

    text = pages.get(f"/instances/{instance.pk}/").content.decode()

    assert escape("Paused by ada since 2026-01-01 00:00:00 UTC: the <bank> is down") in text
    assert "nothing new starts until it is resumed" in text


def test_an_instance_of_a_paused_workflow_says_so_and_how_it_stands(pages: Client, driver: Driver) -> None:
    instance = driver.start(flow("  - {id: a, activity: core.echo}", name="waits"))
    holds.hold(kind=holds.Kind.DEFINITION, name="waits", actor="ada", reason="wrong prices")

    text = pages.get(f"/instances/{instance.pk}/").content.decode()

    assert "The workflow waits is paused by ada since 2026-01-01 00:00:00 UTC: wrong prices" in text
    assert "waits for a worker" not in text
