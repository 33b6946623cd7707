"""A step's success is decided in the database or by the engine: both leave the same rows, events and hashes behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.hot_path.deciders import Pair
from tests.integration.hot_path.documents import chains, inputs, mixed_documents, plain_documents, relays
from tests.integration.hot_path.world import World
from tests.strategies.definitions import documents as any_documents
from tests.strategies.joins import documents as joins
from workflows_app.engine import definition, handing
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import NodeKind

pytestmark = pytest.mark.django_db


def examples(count: int) -> Callable[[Any], Any]:
    # Each example undoes what it stored, so the database that they share is as good as a new one for each.
    unhealthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, suppress_health_check=unhealthy)


class TakenBack(Exception):
    """Ends an example, so that nothing of it stays in the database."""


def live(
    data: st.DataObject, document: dict[str, Any], input: Any, *, trouble: bool, overrides: dict[str, Any] | None = None
) -> list[Pair]:
    """Let an instance live; return what both deciders said to each success. They have been compared."""
    try:
        with transaction.atomic():
            world = World(data, document, input, overrides)
            world.live(trouble=trouble)
            raise TakenBack
    except TakenBack:
        return world.pairs


def test_whatever_happens_around_them_they_agree() -> None:
    seen: Counter[bool] = Counter()

    @examples(30)
    @given(
        data=st.data(),
        document=mixed_documents() | any_documents(("core.echo",), decisions=False) | joins(),
        input=inputs(),
    )
    def check(data: st.DataObject, document: dict[str, Any], input: Any) -> None:
        seen.update(pair.accepted for pair in live(data, document, input, trouble=True))

    check()
    assert min(seen[True], seen[False]) > 3, "one of the two was hardly ever asked"


def test_under_a_limit_with_priorities_and_cached_results_they_agree_too() -> None:
    seen: Counter[bool] = Counter()

    def limited(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "concurrency": {"limit": 1}, "priority": "high"}

    def cached(document: dict[str, Any]) -> dict[str, Any]:
        last = document["steps"][-1]
        more = {"cache": {"ttl": "1h"}} if "activity" in last and "compensate" not in last else {}
        return limited({**document, "steps": [*document["steps"][:-1], {**last, **more}]})

    @examples(20)
    @given(data=st.data(), document=(mixed_documents() | plain_documents()).map(limited) | chains().map(cached))
    def check(data: st.DataObject, document: dict[str, Any]) -> None:
        seen.update(pair.accepted for pair in live(data, document, 1, trouble=True))

    check()
    assert min(seen[True], seen[False]) > 1, seen


def test_an_instance_that_overrides_its_definition_is_decided_alike_too() -> None:
    seen: Counter[bool] = Counter()
    own = st.fixed_dictionaries(
        {},
        optional={
            "timeout": st.sampled_from([5, 30, 90]),
            "max_attempts": st.integers(1, 3),
            "priority": st.sampled_from(["high", "normal", "low"]),
        },
    )

    @examples(40)
    @given(data=st.data(), document=mixed_documents() | plain_documents())
    def check(data: st.DataObject, document: dict[str, Any]) -> None:
        nodes = Graph(definition.parse(document)).written.values()
        names = [node.path for node in nodes if node.kind is NodeKind.ACTIVITY]
        overrides: dict[str, Any] = {"steps": {name: data.draw(own) for name in names}}
        overrides |= data.draw(st.sampled_from([{}, {"priority": "high"}, {"timeout": "1h"}]))
        seen.update(pair.accepted for pair in live(data, document, 1, trouble=True, overrides=overrides))

    check()
    assert min(seen[True], seen[False]) > 5, seen


def test_where_nearly_every_value_is_kept_once_they_agree_too() -> None:
    seen: Counter[str] = Counter()

    @examples(80)
    @given(data=st.data(), document=relays() | relays() | mixed_documents(), input=inputs())
    def check(data: st.DataObject, document: dict[str, Any], input: Any) -> None:
        with mock.patch.object(handing, "LARGE", len("null") + 1):
            pairs = live(data, document, input, trouble=True)
        for pair in pairs:
            new = [json.loads(row)["data"] for row in pair.engine.rows["event"][len(pair.before["event"]) :]]
            seen.update(key for facts in new for key in ("input_from", "output_from") if key in facts and pair.accepted)

    check()
    assert seen["input_from"] > 0, seen
    assert seen["output_from"] > 0, seen


def test_the_database_decides_all_that_is_plain() -> None:
    seen: Counter[str] = Counter()

    @examples(30)
    @given(data=st.data(), document=plain_documents(), input=inputs(), trouble=st.booleans())
    def check(data: st.DataObject, document: dict[str, Any], input: Any, trouble: bool) -> None:
        for pair in live(data, document, input, trouble=trouble):
            kind = plain_kind(pair)
            assert pair.accepted == (kind is not None), pair.claim.path
            seen[kind or "left to the engine"] += 1

    check()
    assert min(seen["next"], seen["left to the engine"]) > 3, seen


@examples(15)
@given(data=st.data(), document=chains(), input=inputs())
def test_a_row_of_steps_never_needs_the_engine(data: st.DataObject, document: dict[str, Any], input: Any) -> None:
    pairs = live(data, document, input, trouble=False)

    assert [pair.accepted for pair in pairs] == [True] * len(document["steps"])


def plain_kind(pair: Pair) -> str | None:
    """Say by the engine's events what plainly followed from a success: ``None`` if only the engine can tell.

    Plain are: nothing; the one step that waited for this one alone; the end of a branch in a block that stays open;
    and the end of an instance, where the step is the end that everything leads to.
    """
    graph, path = pair.claim.graph, pair.claim.path
    stopped = [json.loads(row) for row in pair.before["step"] + pair.before["instance"]]
    held = any(row.get("stopping") or row.get("ending") or row["state"] == "paused" for row in stopped)
    if not pair.engine.recorded or held:
        return None
    events = [json.loads(event) for event in pair.engine.rows["event"][len(pair.before["event"]) :]]
    mates = [json.loads(row)["path"] for row in pair.before["dispatch"]]
    facts = [(event["type"], event["step"]) for event in events]
    facts = [fact for fact in facts if fact[0] != "step.started" or fact[1] not in mates]
    node = graph[path]
    following = [next_ for next_ in node.successors if graph[next_].needs == (path,)]
    begun = [("step.scheduled", *following), ("step.started", *following)]
    inside = graph[node.parent].children if node.parent else graph.roots
    ends = [other for other in inside if not graph[other].successors]
    match facts[1:]:
        case _ if facts[:1] != [("step.completed", path)]:
            return None
        case []:
            return "nothing"
        case found if len(following) == 1 and found in (begun, begun[:1]):
            return "next"
        case [("step.completed", branch)] if branch == node.parent and ends == [path] == [inside[-1]]:
            return "branch"
        case [("instance.completed", "")] if ends == [path]:
            return "end"
    return None
