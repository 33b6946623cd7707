"""Statistics of a workflow: how its instances went in a stretch of time, beside the one before; by step and by way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.test_commands import Shell, shell  # noqa: F401
from tests.integration.ui.conftest import browser
from tests.integration.ui.test_escaping import NASTY, harmless
from tests.integration.ui.test_machine_pages import pending
from workflows_app.services import definitions, instances

WAYS = """
  - id: ask
    activity: core.echo
    retry: {max_attempts: 2, initial_interval: 10s, jitter: 0}
  - id: size
    choice:
      - {when: input.n > 100, steps: [{id: large, wait: {for: 40s}}]}
      - {steps: [{id: small, activity: core.echo}]}
  - {id: last, activity: core.echo}
"""
ADDRESS = "/definitions/flow/statistics/"


@pytest.fixture
def analyst(viewer: User) -> Client:
    """The browser of somebody who may look at definitions and instances."""
    viewer.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))
    return browser(User.objects.get(pk=viewer.pk))


@pytest.fixture
def history(driver: Driver) -> Driver:
    """One instance two hours ago; in the last hour two small ones, a large one, one that failed and one that waits."""
    definitions.publish(text=flow(WAYS), actor="ada")
    run(driver, 1)
    driver.advance(2 * 3600)
    for n in (1, 2, 500):
        run(driver, n)
    driver.perform = {"ask": fail("NO_ANSWER")}
    run(driver, 1)
    driver.perform = {}
    instances.start(name="flow", input={"n": 500}, actor="ada")
    driver.drain()
    driver.advance(60)
    return driver


def run(driver: Driver, n: int) -> None:
    driver.run(instances.start(name="flow", input={"n": n}, actor="ada"))


def said(client: Client, **query: str) -> dict[str, Any]:
    answer = client.get(ADDRESS, query)
    assert answer.status_code == 200
    return answer.context["said"]


def test_a_stretch_stands_beside_the_one_before_it(history: Driver, analyst: Client) -> None:
    found = said(analyst, since="90m")

    now, before = found["figures"], found["baseline"]
    assert (now["instances"], now["open"], before["instances"]) == (5, 1, 1)
    assert now["by_state"] == {"completed": 3, "failed": 1, "running": 1}
    assert (now["completion_rate"], now["failure_rate"], now["per_hour"]) == (0.75, 0.25, 2.0)
    assert now["seconds"] == {"mean": 13.333, "p50": 0.0, "p95": 36.0, "p99": 39.2, "max": 40.0}
    rows = {row["label"]: row for row in analyst.get(ADDRESS, {"since": "90m"}).context["compared"]}
    assert (rows["Instances"]["now"], rows["Instances"]["before"], rows["Instances"]["change"]) == ("5", "1", "+400%")


def test_the_trend_has_every_interval_and_all_instances(history: Driver, analyst: Client) -> None:
    found = said(analyst, since="3h")

    assert found["interval_seconds"] == 300
    assert len(found["trend"]) == 36
    assert [row["started"] for row in found["trend"] if row["started"]] == [1, 5]
    assert sum(row["failed"] for row in found["trend"]) == 1


def test_steps_say_what_fails_what_is_slow_and_what_each_activity_does(history: Driver, analyst: Client) -> None:
    found = said(analyst, since="90m")

    (failing,) = found["failing"]
    assert (failing["step"], failing["failed"], failing["runs"], failing["code"]) == ("ask", 1, 5, "NO_ANSWER")
    assert (found["slowest"][0]["step"], found["slowest"][0]["seconds"]["p95"]) == ("large", 40.0)
    (echo,) = found["activities"]
    assert (echo["activity"], echo["runs"], echo["failed"], echo["retries"]) == ("core.echo", 10, 1, 1)


def test_ways_are_counted_and_drawn(history: Driver, analyst: Client) -> None:
    answer = analyst.get(ADDRESS, {"since": "90m"})

    ways = {(way["from"], way["to"]): way["number"] for way in answer.context["said"]["ways"]}
    assert ways == {("ask", "size"): 4, ("size", "last"): 3, ("size", "large"): 2, ("size", "small"): 2}
    drawn = answer.context["drawing"]
    assert {(line.source, line.target): (way.heat, way.words) for line, way in drawn.lines} == {
        ("ask", "size"): (3, "4 of 5 (80%)"),
        ("size", "last"): (3, "3 of 5 (60%)"),
    }
    assert {heading.full: way.heat for heading, way in drawn.headings} == {"when input.n > 100": 2, "otherwise": 2}
    assert {shown.piece.vertex.id: shown.words for shown in drawn.pieces}["ask"] == "5 of 5 (100%)"


def test_one_version_is_told_from_the_others(history: Driver, analyst: Client) -> None:
    definitions.publish(text=flow(WAYS).replace("version: 1.0.0", "version: 2.0.0"), actor="ada")
    run(history, 3)
    history.advance(1)

    every, one = said(analyst, since="90m"), said(analyst, since="90m", version="2.0.0")

    assert [(row["version"], row["instances"]) for row in every["versions"]] == [("1.0.0", 5), ("2.0.0", 1)]
    assert (every["steps_of"], one["steps_of"]) == ("1.0.0", "2.0.0")
    assert (one["figures"]["instances"], one["figures"]["looked_at"]) == (1, 6)
    assert analyst.get(ADDRESS, {"version": "3.0.0"}).status_code == 404


def test_the_transitions_of_a_machine_are_its_ways(driver: Driver, analyst: Client) -> None:
    instance = pending(driver)
    driver.advance(1)

    found = analyst.get(f"/definitions/{instance.workflow}/statistics/", {"since": "1h"}).context["said"]

    assert found["ways"][0] | {"condition": None} == {
        "from": "created",
        "to": "pending",
        "condition": None,
        "number": 1,
        "share": 1.0,
    }


def test_without_an_instance_it_says_so(driver: Driver, analyst: Client) -> None:
    definitions.publish(text=flow(WAYS), actor="ada")

    page = analyst.get(ADDRESS).content.decode()

    assert "No instance in this stretch" in page
    assert analyst.get("/definitions/nothing/statistics/").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "500d"},
        {"since": "-1h"},
        {"since": "2027-01-01"},
        {"since": "0001-01-01", "until": "0001-01-02"},
        {"until": "9999-12-31"},
        {"until": "\0"},
        {"since": NASTY[0]},
    ],
    ids=ascii,
)
def test_a_stretch_that_is_none_is_refused_in_words(history: Driver, analyst: Client, query: dict[str, str]) -> None:
    answer = analyst.get(ADDRESS, query)

    assert answer.status_code == 400
    assert answer.context["problem"].startswith(("since: ", "until: "))
    harmless(answer.content.decode())


def test_it_is_for_those_who_may_see_definitions_and_instances(history: Driver, pages: Client) -> None:
    assert pages.get(ADDRESS).status_code == 403


def test_what_strangers_wrote_is_escaped(driver: Driver, analyst: Client) -> None:
    steps = [{"id": "ask", "name": NASTY[0], "when": f"input.n != {json.dumps(NASTY[0])}", "activity": "core.echo"}]
    definitions.publish(text=json.dumps({"workflow": "flow", "version": "1.0.0", "steps": steps}), actor="ada")
    driver.perform = {"ask": fail(NASTY[0])}
    driver.run(instances.start(name="flow", input={"n": "1"}, actor="ada"))

    harmless(analyst.get(ADDRESS).content.decode())


def test_it_asks_as_much_for_many_instances_as_for_few(
    history: Driver, analyst: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    analyst.get(ADDRESS)

    # Session, user, two for permissions, the version, the choices, the clock; then the workflow, four of figures, the
    # version, its ways and its steps.
    with django_assert_num_queries(15):
        analyst.get(ADDRESS)


def test_the_dashboard_leads_to_the_workflows_that_ended(history: Driver, analyst: Client) -> None:
    answer = analyst.get("/")

    (row,) = answer.context["workflows"]
    assert (row["workflow"], row["ended"], row["completed"], row["failed"]) == ("flow", 5, 4, 1)
    assert '<a href="/definitions/flow/statistics/?since=24h">flow</a>' in answer.content.decode()


def test_the_command_says_the_same(history: Driver, shell: Shell) -> None:  # noqa: F811
    code, text = shell.run("workflow", "statistics", "flow", "--since", "90m")
    _, document = shell.json("workflow", "statistics", "flow", "--since", "90m", "--version", "1.0.0")

    assert code == 0
    assert "5 instances, 1 active; completed 75.0%, failed 25.0% of those that ended; 2 completed an hour" in text
    assert "before: 1 instances" in text
    assert document["figures"]["by_state"] == {"completed": 3, "failed": 1, "running": 1}
    assert (document["since"], document["until"]) == ("2026-01-01T00:31:50Z", "2026-01-01T02:01:50Z")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nothing",), "WORKFLOW_NOT_FOUND"),
        (("flow", "--version", "9.0.0"), "VERSION_NOT_FOUND"),
        (("flow", "--since", "soon"), "INVALID_WINDOW"),
    ],
)
def test_the_command_refuses_in_words(history: Driver, shell: Shell, arguments: tuple[str, ...], code: str) -> None:  # noqa: F811
    assert shell.run("workflow", "statistics", *arguments)[0] == 1
    assert code in shell.errors
