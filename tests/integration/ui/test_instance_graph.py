"""The graph on the page of an instance: how each step stands, the way that was taken, what is folded away."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_escaping import NASTY, harmless
from tests.integration.ui.test_machine_pages import pending
from workflows_app.drawing import scene
from workflows_app.models import Instance
from workflows_app.ui import graphs
from workflows_app.ui import instance as views

WAYS = """
  - {id: first, name: Begin, activity: core.echo, with: {}, compensate: {activity: core.echo, with: {}}}
  - id: size
    choice:
      - when: input.n > 100
        steps: [{id: large, activity: core.echo, with: {}}]
      - steps: [{id: small, activity: core.echo, with: {}}]
  - {id: last, activity: core.echo, with: {}}
"""
EACH = """
  - id: each
    foreach: {items: input.items, tolerate: 9, steps: [{id: a, activity: core.echo, with: {}}]}
"""


def drawing(client: Client, instance: Instance, **query: Any) -> graphs.Drawing:
    found = client.get(f"/instances/{instance.pk}/", query).context["drawing"]
    assert isinstance(found, graphs.Drawing)
    return found


def standing(drawn: graphs.Drawing) -> dict[str, str]:
    return {shown.piece.vertex.id: shown.words for shown in drawn.pieces if shown.piece.vertex}


def svg(client: Client, instance: Instance) -> str:
    page = client.get(f"/instances/{instance.pk}/").content.decode()
    found = re.search(r'<svg class="graph".*?</svg>\n</div>', page, re.DOTALL)
    assert found
    return found[0]


def test_each_step_says_how_it_stands_and_the_way_taken_is_marked(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(WAYS), {"n": 5})
    driver.run(instance)

    drawn = drawing(pages, instance)

    assert standing(drawn) == {
        "first": "completed",
        "size": "completed",
        "large": "skipped",
        "small": "completed",
        "last": "completed",
    }
    assert {(line.source, line.target) for line, way in drawn.lines if way.taken} == {
        ("first", "size"),
        ("size", "last"),
    }
    assert {heading.full: way.taken for heading, way in drawn.headings} == {
        "when input.n > 100": False,
        "otherwise": True,
    }


def test_what_has_not_happened_is_not_marked(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(WAYS), {"n": 5})
    driver.claim_next()

    drawn = drawing(pages, instance)

    assert standing(drawn)["first"] == "running"
    assert standing(drawn)["last"] == "pending"
    assert not any(way.taken for _, way in drawn.lines)


def test_an_undo_stands_in_the_lane_of_undos_with_its_own_state(driver: Driver, pages: Client) -> None:
    driver.perform = {"last": fail()}
    instance = driver.start(flow(WAYS), {"n": 5})
    before = [shown.words for shown in drawing(pages, instance).undos]
    driver.run(instance)

    (undo,) = drawing(pages, instance).undos

    assert before == [""]
    assert (undo.piece.full, undo.words) == ("undo of Begin", "compensated")


def test_the_text_is_there_for_those_who_do_not_see_it(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(WAYS), {"n": 5})
    driver.run(instance)

    drawn = svg(pages, instance)

    assert '<title id="graph-title">How flow 1.0.0 stands</title>' in drawn
    assert "Begin: core.echo · completed" in drawn
    assert 'href="#step-first"' in drawn
    assert 'id="step-first"' in pages.get(f"/instances/{instance.pk}/").content.decode()


def test_a_repetition_says_how_far_it_is_and_shows_the_iteration_that_failed(driver: Driver, pages: Client) -> None:
    driver.perform = {"each[1].a": fail()}
    instance = driver.start(flow(EACH), {"items": [1, 2, 3]})
    driver.run(instance)

    drawn = drawing(pages, instance)

    assert standing(drawn) == {"each": "2 of 3 done, 1 failed", "a": "failed"}
    (inner,) = (shown for shown in drawn.pieces if shown.piece.full == "a")
    assert inner.href == "#step-each[1].a"


def test_steps_beyond_the_list_stand_as_they_do(driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "STEPS_SHOWN", 1)
    instance = driver.start(flow(WAYS), {"n": 5})
    driver.run(instance)

    assert standing(drawing(pages, instance))["last"] == "completed"


def test_of_nested_repetitions_everything_stands_as_in_one_iteration(driver: Driver, pages: Client) -> None:
    inner = "{id: inner, foreach: {items: item.cells, as: cell, steps: [{id: a, activity: core.echo}]}}"
    steps = f"\n  - {{id: outer, foreach: {{items: input.rows, as: item, max_concurrency: 1, steps: [{inner}]}}}}"
    driver.perform = {"outer[1].inner[0].a": fail()}
    instance = driver.start(flow(steps), {"rows": [{"cells": [1]}, {"cells": [1]}]})
    driver.run(instance)

    drawn = drawing(pages, instance)

    links = {shown.piece.full: shown.href for shown in drawn.pieces}
    assert links == {"outer": "#step-outer", "inner": "#step-outer[1].inner", "a": "#step-outer[1].inner[0].a"}


def test_a_state_machine_shows_where_it_is_and_what_it_has_come_through(driver: Driver, pages: Client) -> None:
    instance = pending(driver)

    drawn = drawing(pages, instance)

    assert standing(drawn)["created"] == "passed"
    assert standing(drawn)["pending"] == "is here"
    assert standing(drawn)["paid"] == ""
    assert {(line.source, line.target) for line, way in drawn.lines if way.taken} == {
        ("created", "move:checked"),
        ("move:checked", "pending"),
    }


def test_a_closed_block_leads_to_the_page_with_it_open(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "MOST_BOXES", 3)
    instance = driver.start(flow(WAYS, name="folded"), {"n": 5})

    (closed,) = (shown for shown in drawing(pages, instance).pieces if shown.opens)
    opened = drawing(pages, instance, open=["size", "nobody", "<script>"])

    assert closed.href == "?open=size#graph"
    assert closed.piece.inside == 2
    assert {"large", "small"} <= set(standing(opened))


def test_nothing_that_is_drawn_can_run(driver: Driver, pages: Client) -> None:
    for number, text in enumerate(NASTY):
        undo = {"compensate": {"activity": "core.echo"}}
        inner = {"id": "b", "name": text, "activity": "core.echo", **undo}
        choice = {"id": "a", "name": text, "choice": [{"when": f"input.t == {json.dumps(text)}", "steps": [inner]}]}
        instance = driver.start(
            json.dumps({"workflow": f"nasty-{number}", "version": "1.0.0", "steps": [choice]}), {"t": text}
        )

        drawn = svg(pages, instance)

        harmless(drawn)
        assert drawn.count(escape(text)) >= 3


def test_the_data_of_a_graph_is_json_with_states(
    driver: Driver, pages: Client, stranger: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    instance = driver.start(flow(WAYS), {"n": 5})
    driver.run(instance)

    # Session, user, two for permissions, the instance, the states of its steps.
    with django_assert_num_queries(6):
        data = pages.get(f"/instances/{instance.pk}/graph.json").json()

    assert {node["id"]: node["state"] for node in data["nodes"]}["large"] == "skipped"
    assert [node["id"] for node in data["nodes"] if node["isTerminal"]] == ["last"]
    assert {"source": "first", "target": "size"}.items() <= data["edges"][0].items()
    assert stranger.get(f"/instances/{instance.pk}/graph.json").status_code == 403
