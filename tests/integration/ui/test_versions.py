"""The versions of a workflow, what changed between them, the graph, problems and figures of one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail
from tests.integration.ui.conftest import browser
from tests.integration.ui.test_escaping import NASTY, harmless
from tests.integration.ui.test_instance_page import plain
from workflows_app.services import definitions, instances

STEP = {"id": "pay", "activity": "core.echo", "timeout": "30s"}


@pytest.fixture
def reader(viewer: User) -> Client:
    """The browser of somebody who may look at definitions and instances."""
    viewer.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))
    return browser(User.objects.get(pk=viewer.pk))


def publish(version: str = "1.0.0", *steps: dict[str, Any], actor: str = "ada", **more: Any) -> None:
    document = {"workflow": "trip", "version": version, "steps": list(steps or (STEP,)), **more}
    definitions.publish(text=json.dumps(document), actor=actor)


def test_versions_stand_with_who_published_them_and_what_changed(reader: Client) -> None:
    publish("1.0.0")
    publish("1.1.0", {**STEP, "timeout": "1m"}, {"id": "tell", "activity": "core.echo"}, actor="bob")
    publish("2.0.0", {**STEP, "timeout": "60s"}, {"id": "tell", "activity": "core.echo"}, actor="eve")

    rows = reader.get("/definitions/trip/").context["rows"]

    assert [(row.version.version, row.version.published_by, row.differs) for row in rows] == [
        ("2.0.0", "eve", "nothing in meaning"),
        ("1.1.0", "bob", "1 added, 1 changed"),
        ("1.0.0", "ada", "the first one"),
    ]


def test_a_version_says_why_it_was_published_wherever_it_is_shown(reader: Client) -> None:
    publish("1.0.0")
    definitions.publish(
        text=json.dumps({"workflow": "trip", "version": "1.1.0", "steps": [{**STEP, "timeout": "1m"}]}),
        actor="bob",
        changes=f"Payments took longer.\n{NASTY[0]}",
    )

    for address in ("", "1.1.0/", "compare/?old=1.0.0&new=1.1.0"):
        page = reader.get(f"/definitions/trip/{address}").content.decode()
        assert "Payments took longer.<br>" in page, address
        harmless(page)


def test_two_versions_are_compared_step_by_step(reader: Client) -> None:
    publish("1.0.0", title="A trip")
    publish("2.0.0", {**STEP, "timeout": "1m"}, {"id": "tell", "activity": "core.echo"}, title="A journey")

    answer = reader.get("/definitions/trip/compare/", {"old": "1.0.0", "new": "2.0.0"})

    groups = answer.context["groups"]
    assert [(row["kind"], row["place"], row["old"], row["new"]) for row in groups[""]] == [
        ("changed", "title", "A trip", "A journey")
    ]
    assert [(row["kind"], row["place"], row["old"], row["new"]) for row in groups["pay"]] == [
        ("changed", "timeout", "30s", "1m")
    ]
    assert [(row["kind"], row["place"], row["old"]) for row in groups["tell"]] == [("added", "", None)]
    assert "3 differences in meaning" in plain(answer.content.decode())


def test_versions_that_do_not_exist_are_not_found(reader: Client) -> None:
    publish()

    assert reader.get("/definitions/trip/compare/", {"old": "1.0.0", "new": "9.0.0"}).status_code == 404
    assert reader.get("/definitions/trip/compare/").status_code == 404
    assert reader.get("/definitions/nothing/").status_code == 404
    assert reader.get("/definitions/trip/9.0.0/canvas/").status_code == 404
    assert reader.get("/definitions/trip/9.0.0/graph.json").status_code == 404


@pytest.mark.parametrize("odd", ["\0", "\ud800", "1.0.0\0", "x" * 5_000, "'"], ids=ascii)
def test_odd_names_and_versions_are_not_found(reader: Client, viewer: User, odd: str) -> None:
    publish()
    viewer.user_permissions.add(Permission.objects.get(codename="add_instance"))
    asked = quote(odd.encode("utf-8", "surrogatepass"))

    for address in (
        f"trip/compare/?old={asked}&new=1.0.0",
        f"trip/start/?version={asked}",
        f"trip/{asked}/",
        f"trip/{asked}/canvas/",
        f"{asked}/",
        f"{asked}/start/",
    ):
        assert reader.get(f"/definitions/{address}").status_code == 404, address


def test_pages_of_definitions_demand_their_permission(pages: Client, anonymous: Client) -> None:
    publish()

    for address in ("", "compare/?old=1.0.0&new=1.0.0", "1.0.0/", "1.0.0/canvas/", "1.0.0/graph.json"):
        assert pages.get(f"/definitions/trip/{address}").status_code == 403
        assert anonymous.get(f"/definitions/trip/{address}").headers["Location"].startswith("/login/")


def test_a_version_shows_its_graph_without_states_and_what_the_verifier_finds(reader: Client) -> None:
    choice = {"id": "pick", "choice": [{"when": "input.n > 1", "steps": [{"id": "a", "wait": {"for": "1d"}}]}]}
    publish("1.0.0", choice, {"id": "b", "when": "true", "activity": "core.echo"})

    answer = reader.get("/definitions/trip/1.0.0/")

    assert [shown.words for shown in answer.context["drawing"].pieces] == ["", "", ""]
    assert [(line.source, line.conditional, way.taken) for line, way in answer.context["drawing"].lines] == [
        ("pick", True, False)
    ]
    codes = [problem.code for problem in answer.context["problems"]]
    page = answer.content.decode()
    assert codes == ["BRANCH_NO_DEFAULT"]
    assert all(code in page for code in codes)


def test_figures_are_of_this_version_and_for_those_who_may_see_instances(
    driver: Driver, reader: Client, viewer: User
) -> None:
    publish("1.0.0")
    publish("2.0.0")
    for version, broken in (("1.0.0", False), ("1.0.0", True), ("2.0.0", False)):
        driver.perform = {"pay": fail()} if broken else {}
        driver.run(instances.start(name="trip", version=version, actor="ada"))
    instances.start(name="trip", version="1.0.0", actor="ada")

    figures = reader.get("/definitions/trip/1.0.0/").context["statistics"]
    viewer.user_permissions.remove(Permission.objects.get(codename="view_instance"))
    hidden = browser(User.objects.get(pk=viewer.pk)).get("/definitions/trip/1.0.0/")

    assert (figures["instances"], figures["open"], figures["looked_at"]) == (3, 1, 4)
    assert figures["by_state"] == {"completed": 1, "failed": 1, "running": 1}
    assert (figures["completion_rate"], figures["failure_rate"]) == (0.5, 0.5)
    assert figures["seconds"]["p50"] == 0.0
    assert hidden.context["statistics"] is None
    assert "Figures" not in plain(hidden.content.decode())


def test_figures_say_how_often_a_cached_step_reused_a_result(driver: Driver, reader: Client) -> None:
    choice = {"id": "either", "choice": [{"when": "true", "steps": [STEP | {"cache": {"ttl": "1h"}}]}]}
    publish("1.0.0", choice, {"id": "tell", "activity": "core.echo"})
    for _ in range(4):
        driver.run(instances.start(name="trip", version="1.0.0", actor="ada"))

    page = reader.get("/definitions/trip/1.0.0/")

    assert page.context["reused"] == [{"step": "pay", "completed": 4, "reused": 3, "hit_ratio": 0.75}]
    assert "pay 75.0% of 4" in plain(page.content.decode())


def test_the_canvas_is_what_the_command_prints(reader: Client) -> None:
    publish("1.0.0", STEP, {"id": "tell", "activity": "core.echo"})

    page = reader.get("/definitions/trip/1.0.0/canvas/").content.decode()

    assert "trip 1.0.0: 2 steps for workers, 1 message in 1 canvas" in page
    assert "pay + tell" in page


def test_the_list_of_versions_asks_as_much_for_many_as_for_few(
    reader: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        publish(f"1.{number}.0", {**STEP, "timeout": f"{number + 1}s"})
    reader.get("/definitions/trip/")

    with django_assert_max_num_queries(9):
        reader.get("/definitions/trip/")


def test_the_page_of_a_version_costs_the_same_queries_whatever_it_holds(
    driver: Driver, reader: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    publish("1.0.0", *({**STEP, "id": f"s{number}"} for number in range(60)))
    for _ in range(5):
        driver.run(instances.start(name="trip", actor="ada"))
    reader.get("/definitions/trip/1.0.0/")

    # Session, user, two for permissions, the version, its figures.
    with django_assert_num_queries(6):
        reader.get("/definitions/trip/1.0.0/")


def test_what_changed_is_escaped(reader: Client) -> None:
    for number, text in enumerate(NASTY):
        publish(f"1.{number}.0", {**STEP, "name": text, "notes": text}, title=text)
        publish(f"1.{number}.1", {**STEP, "name": f"{text}!"}, {"id": "b", "name": text, "activity": "core.echo"})

        query = {"old": f"1.{number}.0", "new": f"1.{number}.1"}
        for address in (
            "/definitions/trip/",
            f"/definitions/trip/1.{number}.0/",
            f"/definitions/trip/1.{number}.0/canvas/",
        ):
            harmless(reader.get(address).content.decode())
        harmless(reader.get("/definitions/trip/compare/", query).content.decode())
