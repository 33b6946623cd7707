"""Handing on: which parameters say where their value stands instead of repeating it, and that it is found there."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import handing
from workflows_app.engine.definition import parse
from workflows_app.engine.graph import Graph
from workflows_app.engine.handing import Splice

LONG = "x" * handing.LARGE


def spliced(parameters: dict[str, Any]) -> Splice | None:
    names = {"a": {}, "x": {"needs": []}, "b": {"needs": ["a"], "with": parameters}}
    steps = [{"id": name, "activity": "core.echo", **keys} for name, keys in names.items()]
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": steps}))
    return handing.splice(graph, graph["b"])


def test_parameters_that_name_a_part_of_the_output_are_a_frame_with_a_place() -> None:
    found = spliced({"deep": {"odd key": "${ steps.a.output.order.id }"}, "n": 1, "list": [1, "$${"], "none": None})

    assert found is not None
    assert found.frame == {"deep": {"odd key": None}, "n": 1, "list": [1, "${"], "none": None}
    assert (found.put, found.take) == (("deep", "odd key"), ("order", "id"))


def test_parameters_may_name_the_whole_output() -> None:
    found = spliced({"all": "${ steps.a.output }"})

    assert found is not None
    assert (found.frame, found.put, found.take) == ({"all": None}, ("all",), ())


@pytest.mark.parametrize(
    "parameters",
    [
        {"n": 1},
        {"x": "${ steps.x.output }"},
        {"x": "${ steps.a.output }", "y": "${ steps.x.output }"},
        {"x": "${ steps.a.output }", "y": "${ steps.a.output }"},
        {"x": "${ steps.a.output }", "y": "${ input }"},
        {"x": "${ steps.a.state }"},
        {"x": "${ steps.a }"},
        {"x": "got: ${ steps.a.output }"},
        {"x": "${ steps.a.output.n + 1 }"},
        {"x": ["${ steps.a.output }"]},
        {"x": "${ steps.a.output.list[0] }"},
        {"x": "${ steps.a.output['0'] }"},
        {"x": "${ steps.a.output['odd key'] }"},
        {"x": "${ steps['a'].error }"},
        {"x": "${ steps.a.output }", "n": 1e16},
    ],
)
def test_parameters_that_need_more_than_a_part_of_the_output_are_evaluated(parameters: dict[str, Any]) -> None:
    assert spliced(parameters) is None


def test_a_step_that_needs_two_says_all_of_its_parameters() -> None:
    steps = [{"id": "a", "activity": "core.echo"}, {"id": "x", "activity": "core.echo", "needs": []}]
    last = {"id": "b", "activity": "core.echo", "needs": ["a", "x"], "with": {"all": "${ steps.a.output }"}}
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": [*steps, last]}))

    assert handing.splice(graph, graph["b"]) is None


def test_a_large_part_is_named_and_found_again() -> None:
    found = spliced({"deep": {"part": "${ steps.a.output.data }"}, "n": 1})
    parameters = {"deep": {"part": [LONG]}, "n": 1}

    said = handing.scheduled(found, parameters)

    assert said["input"] == {"deep": {"part": None}, "n": 1}
    assert said["input_from"] == {"step": "a", "take": ["data"], "put": ["deep", "part"]}
    assert handing.together(said["input"], said["input_from"], {"data": [LONG], "else": 1}) == parameters


def test_a_part_of_the_input_is_named_whatever_the_step_needs() -> None:
    steps = [{"id": "a", "activity": "core.echo"}, {"id": "x", "activity": "core.echo", "needs": []}]
    last = {"id": "b", "activity": "core.echo", "needs": ["a", "x"], "with": {"all": "${ input.orders }", "n": 1}}
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": [*steps, last]}))

    said = handing.scheduled(handing.splice(graph, graph["b"]), {"all": [LONG], "n": 1})

    origin = {"step": None, "take": ["orders"], "put": ["all"]}
    assert said == {"input": {"all": None, "n": 1}, "input_from": origin}
    assert handing.reference(origin, handing.INPUT) == {"event": 1, "take": ["input", "orders"], "put": ["all"]}


@pytest.mark.parametrize(
    ("take", "found"),
    [
        ([], {"event": 4, "take": ["input", "x"], "put": ["all", "deep", "data"]}),
        (["deep"], {"event": 4, "take": ["input", "x"], "put": ["all", "data"]}),
        (["deep", "data"], {"event": 4, "take": ["input", "x"], "put": ["all"]}),
        (["deep", "data", "id"], {"event": 4, "take": ["input", "x", "id"], "put": ["all"]}),
        (["deep", "else"], None),
        (["n"], None),
    ],
)
def test_what_was_passed_on_is_found_where_it_came_from(take: list[str], found: dict[str, Any] | None) -> None:
    output = {"deep": {"data": {"id": [LONG]}, "else": 1}, "n": 2}
    kept = {"event": 4, "take": ["input", "x"], "put": ["deep", "data"]}

    reference = handing.reference({"take": take, "put": ["all"]}, kept)

    assert reference == found
    if reference is not None:
        value = {"all": handing.taken(output, take)}
        row = handing.hollow(value, reference)
        assert handing.taken(row, reference["put"]) is None
        part = handing.taken({"input": {"x": {"id": [LONG]}}}, reference["take"])
        assert handing.filled(row, reference["put"], part) == value


def test_a_small_part_of_a_large_output_is_said_as_it_is() -> None:
    assert handing.scheduled(spliced({"n": "${ steps.a.output.n }"}), {"n": 7}) == {"input": {"n": 7}}
