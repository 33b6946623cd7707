"""Inferred needs: the steps of the list that are read, no more and no less, and the same wherever it is asked."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings

from tests.strategies import inferring
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app import builder as b
from workflows_app.engine import definition, expressions, needs
from workflows_app.engine.definition import Definition, dump, load, parse
from workflows_app.engine.definition.comparing import differences
from workflows_app.engine.definition.places import of_step
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.engine.events import EventType
from workflows_app.engine.graph import Graph
from workflows_app.engine.needs import Needs
from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.engine.verifier import verify
from workflows_app.engine.verifier.outline import Outline

SETTLES = {
    EventType.STEP_COMPLETED,
    EventType.STEP_FAILED,
    EventType.STEP_TIMED_OUT,
    EventType.STEP_SKIPPED,
    EventType.STEP_CANCELLED,
}
many = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flow(*steps: dict[str, Any], **keys: Any) -> Definition:
    return parse({"workflow": "w", "version": "1.0.0", "variables": {"v": 0}, "steps": list(steps), **keys})


def echo(id: str, reads: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"id": id, "activity": "core.echo", "with": {"value": reads}, **keys}


def of(step: str) -> str:
    return f"${{ steps.{step}.output }}"


def inferred(*steps: dict[str, Any], **keys: Any) -> dict[str, tuple[str, ...]]:
    """What the last of the steps waits for, by what it reads, where all say nothing and that is inferred."""
    last = steps[-1]["id"]
    return needs.of_definition(flow(*steps, defaults={"needs": "inferred"}, **keys))[last].inferred


def errors(drawn: Definition) -> list[tuple[str, str]]:
    return [(p.code, p.path) for p in verify(drawn, activities=None) if p.severity == "error"]


def read_in(steps: tuple[Any, ...]) -> dict[str, set[str]]:
    """What is read in each step of a list and inside it, found by another way: its text."""
    return {step.id: _texts(dump_of(step)) for step in steps}


def dump_of(step: Any) -> Any:
    return dump(Definition(name="w", version="1.0.0", steps=(step,)))["steps"][0]


def _texts(written: Any) -> set[str]:
    return set(re.findall(r"steps\.([a-z0-9_]+)", str(written)))


def ids(step: Any) -> set[str]:
    return {step.id}.union(*(ids(each) for _, inner in needs.lists_in(step) for each in inner))


@many
@given(inferring.documents(events=True))
def test_no_step_reads_what_need_not_have_settled(document):
    assert errors(parse(document)) == []


@many
@given(inferring.documents(events=True))
def test_there_is_an_edge_for_each_reading_and_none_without(document):
    drawn = parse(document)
    waits = needs.of_definition(drawn)
    lists = [drawn.steps]
    while lists:
        steps = lists.pop()
        homes = {name: step.id for step in steps for name in ids(step)}
        for step, read in zip(steps, read_in(steps).values(), strict=True):
            expected = {homes[name] for name in read if name in homes} - {step.id}
            assert set(waits[step.id].inferred) == expected - set(waits[step.id].written)
            lists += [inner for _, inner in needs.lists_in(step)]


@many
@given(inferring.documents(events=True))
def test_the_graph_and_the_verifier_have_the_same_edges(document):
    drawn = parse(document)
    graph, outline, waits = Graph(drawn), Outline(drawn), needs.of_definition(drawn)

    for name, placed in outline.steps.items():
        assert set(graph.written[name].needs) == set(placed.inside.needs[name]) == set(waits[name].all)
        assert graph.written[name].inferred == placed.inside.inferred[name] == waits[name].inferred


@many
@given(inferring.documents(events=True))
def test_what_is_inferred_survives_every_way_of_writing(document):
    drawn = parse(document)
    dumped = dump(drawn)
    namespace: dict[str, Any] = {}
    exec(b.source(document), namespace)

    assert parse(dumped) == drawn
    assert load(write_yaml(dumped)) == dumped
    assert namespace["document"] == document
    assert differences(drawn, parse(dumped)) == ()


@many
@given(inferring.documents(max_steps=8))
def test_no_step_begins_before_what_it_reads_has_settled(document):
    document.pop("timeout", None)
    simulator = Simulator(parse(document), 7, trouble=0.0)
    simulator.run()
    graph = simulator.graph

    settled: set[str] = set()
    for event in simulator.events:
        if event.type in (EventType.STEP_SCHEDULED, EventType.STEP_WAITING) and graph[event.step].depth == 0:
            node = graph[event.step]
            read = {r.name for r in node.reads if r.root == "steps" and not node.is_part}
            assert settled >= read, event.step
            assert settled >= set(node.needs), event.step
        elif event.type in SETTLES:
            settled.add(event.step)
    assert simulator.state.instance.state in INSTANCE_ENDED


@pytest.mark.parametrize(
    "reading",
    [
        echo("last", of("a")),
        echo("last", {"deep": [{"deeper": f"text with {of('a')} in it"}]}),
        echo("last", when="steps.a.state == 'completed'"),
        echo("last", retry={"when": "steps.a.output.again"}),
        echo("last", on_error={"output": of("a")}),
        echo("last", on_error={"fallback": {"activity": "core.echo", "with": {"x": of("a")}}}),
        echo("last", compensate={"activity": "core.echo", "with": {"x": of("a"), "own": of("last")}}),
        echo("last", idempotency_key=of("a")),
        {"id": "last", "set": {"v": of("a")}},
        {"id": "last", "choice": [{"when": "steps.a.output > 1", "steps": [echo("x")]}]},
        {"id": "last", "choice": [{"steps": [echo("x", of("a"))]}]},
        {"id": "last", "parallel": {"branches": {"left": [echo("x"), echo("y", of("a"))]}}},
        {"id": "last", "foreach": {"items": "steps.a.output", "steps": [echo("x")]}},
        {"id": "last", "foreach": {"items": [1, of("a")], "steps": [echo("x")]}},
        {"id": "last", "foreach": {"items": [1], "collect": of("a"), "steps": [echo("x")]}},
        {"id": "last", "foreach": {"items": [1], "steps": [echo("x", when="steps.a.output")]}},
        {"id": "last", "loop": {"while": "steps.a.output > iteration", "steps": [echo("x")]}},
        {"id": "last", "loop": {"until": "steps.a.output > steps.x.output", "steps": [echo("x")]}},
        {"id": "last", "loop": {"times": "steps.a.output", "steps": [echo("x")]}},
        {"id": "last", "wait": {"for": of("a")}},
        {"id": "last", "wait": {"until": of("a")}},
        {"id": "last", "receive": {"event": "e", "correlate": of("a")}},
        {"id": "last", "receive": {"event": "e", "where": "event.data == steps.a.output"}},
        {"id": "last", "emit": {"event": "e", "data": {"x": of("a")}}},
        {"id": "last", "call": {"workflow": "other", "input": {"x": of("a")}}},
        {"id": "last", "return": {"output": of("a")}},
        {"id": "last", "fail": {"code": "NO", "message": f"because {of('a')}"}},
    ],
    ids=lambda step: "-".join(list(step)[1:]),
)  # fmt: skip
def test_every_place_that_reads_makes_an_edge(reading):
    assert inferred(echo("other"), echo("a"), reading) == ("a",)


@pytest.mark.parametrize(
    "reading",
    [
        echo("last"),
        echo("last", "steps.a.output is no expression here"),
        echo("last", "$${ steps.a.output }"),
        echo("last", "${ vars.v }"),
        echo("last", "${ input.steps.a }"),
        echo("last", "${ ['steps.a.output'].map(steps, steps) }"),
        echo("last", notes="see ${ steps.a.output }"),
        echo("last", name="${ steps.a.output }"),
        echo("last", "${ steps.a.output"),
        echo("last", of("nobody")),
    ],
)
def test_what_reads_no_step_makes_none(reading):
    assert inferred(echo("a"), reading) == ()


def test_a_step_inside_another_counts_as_that_one():
    block = {"id": "block", "parallel": {"branches": {"left": [echo("inner")]}}}

    assert inferred(echo("a"), block, echo("last", of("inner"))) == ("block",)


def test_inside_a_block_what_stands_outside_is_the_block_s_business():
    inner = [echo("x"), echo("y", "${ [steps.a.output, steps.x.output] }"), echo("z")]
    block = {"id": "block", "parallel": {"branches": {"left": inner}}}

    waits = needs.of_definition(flow(echo("a"), echo("free"), block, defaults={"needs": "inferred"}))

    assert waits["block"] == Needs((), ("a",))
    assert [waits[name].all for name in ("x", "y", "z")] == [(), ("x",), ()]


def test_it_may_read_what_is_written_behind_it():
    drawn = flow(echo("last", of("first")), echo("first"), defaults={"needs": "inferred"})

    assert errors(drawn) == []
    assert Graph(drawn)["last"].needs == ("first",)


def test_what_a_step_says_beats_the_default_and_goes_with_what_it_infers():
    drawn = flow(
        echo("a"),
        echo("b"),
        echo("silent"),
        echo("listed", needs=["a"]),
        echo("free", needs=[]),
        echo("merged", "${ [steps.b.output, steps.a.output] }", needs={"inferred": True, "also": ["silent", "a"]}),
        defaults={"needs": "inferred"},
    )

    waits = needs.of_definition(drawn)

    assert [waits[name].all for name in ("silent", "listed", "free")] == [(), ("a",), ()]
    assert waits["merged"] == Needs(("silent", "a"), ("b",))
    assert Graph(drawn)["a"].successors == ("listed", "merged")


def test_one_step_may_infer_among_silent_ones():
    waits = needs.of_definition(flow(echo("a"), echo("b"), echo("c", of("a"), needs="inferred"), echo("d")))

    assert [waits[name].all for name in "abcd"] == [(), ("a",), ("a",), ("c",)]


def test_a_silent_list_that_infers_is_no_chain_to_the_verifier():
    drawn = flow(echo("a"), echo("b"), echo("c", needs=[], on_error={"goto": "a"}), defaults={"needs": "inferred"})

    assert ("GOTO_TARGET", "steps[2].on_error.goto") in errors(drawn)
    goes = flow(echo("a", on_error={"goto": "b"}), echo("b"), defaults={"needs": "inferred"})
    assert errors(goes) == [("GOTO_TARGET", "steps[0].on_error.goto")]


def test_a_circle_says_that_its_edges_are_inferred():
    drawn = flow(echo("a", of("b")), echo("b", of("c"), needs="inferred"), echo("c", needs=["a"]),
                 defaults={"needs": "inferred"})  # fmt: skip

    (problem,) = [p for p in verify(drawn, activities=None) if p.severity == "error"]

    assert (problem.code, problem.path) == ("CYCLIC_DEPENDENCY", "steps[0]")
    assert problem.message == (
        "the steps wait for each other: a -> b -> c -> a; these dependencies are inferred: a reads b, b reads c"
    )


def test_who_reads_itself_waits_for_nobody_and_is_refused():
    assert errors(flow(echo("a", of("a"), needs="inferred"))) == [("NOT_UPSTREAM", "steps[0].with.value")]


def test_a_further_step_that_does_not_exist_is_named_where_it_is_written():
    drawn = flow(echo("a"), echo("b", of("a"), needs={"inferred": True, "also": ["a", "nobody"]}))

    assert errors(drawn) == [("UNKNOWN_NEED", "steps[1].needs.also[1]")]


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ("infered", "steps[0].needs", "inferred"),
        ({"inferred": False}, "steps[0].needs.inferred", "true"),
        ({"also": ["a"]}, "steps[0].needs.inferred", "missing"),
        ({"inferred": True, "more": []}, "steps[0].needs.more", "not a known key"),
        ({"inferred": True, "also": ["A"]}, "steps[0].needs.also[0]", "lower case"),
        (["a", "a"], "steps[0].needs[1]", ""),
        (7, "steps[0].needs", "list"),
    ],
)  # fmt: skip
def test_another_way_of_writing_it_is_refused(written, path, words):
    with pytest.raises(DefinitionInvalid) as refused:
        flow(echo("b", needs=written))

    (problem,) = refused.value.problems
    assert (problem.code, problem.path) == ("SCHEMA", path)
    assert words in problem.message


def test_the_default_is_inferred_or_nothing():
    with pytest.raises(DefinitionInvalid) as refused:
        flow(echo("a"), defaults={"needs": []})

    assert [(p.code, p.path) for p in refused.value.problems] == [("SCHEMA", "defaults.needs")]


def test_how_the_same_needs_came_about_is_no_difference():
    old = flow(echo("a"), echo("b"), echo("c", "${ [steps.a.output, steps.b.output] }", needs=["b", "a"]))
    new = flow(echo("a"), echo("b", needs=["a"]), echo("c", "${ [steps.a.output, steps.b.output] }"),
               defaults={"needs": "inferred"})  # fmt: skip
    other = flow(echo("a"), echo("b"), echo("c", "${ [steps.a.output, steps.b.output] }"),
                 defaults={"needs": "inferred"})  # fmt: skip

    assert differences(old, new) == ()
    assert [(d.path, d.old, d.new) for d in differences(old, other)] == [("steps.b.needs", ["a"], [])]


def test_a_graph_compiles_what_it_reads_when_it_is_built_and_never_again_for_an_instance():
    inner = [echo("x", "${ [item, steps.a.output] }", needs="inferred")]
    drawn = flow(echo("a"), {"id": "each", "foreach": {"items": "[1, 2]", "steps": inner}},
                 defaults={"needs": "inferred"})  # fmt: skip
    graph = Graph(drawn)
    assert graph["each[0].x"].needs == ()

    with mock.patch.object(expressions, "compile_value", side_effect=AssertionError("compiled again")):
        assert graph["each[7].x"].needs == ()
        assert graph["each"].inferred == ("a",)


def test_a_list_of_thousands_is_resolved_in_no_time_to_speak_of():
    steps = [echo("s0"), *(echo(f"s{n}", of(f"s{n - 1}")) for n in range(1, 2000))]

    waits = needs.of_definition(flow(*steps, defaults={"needs": "inferred"}))

    assert waits["s1999"].inferred == ("s1998",)


def test_the_places_of_a_step_need_no_outline():
    (step,) = flow(echo("a", of("a"))).steps

    assert [place.keys for place in of_step(step)] == [("with",)]
    assert definition.parse(definition.dump(flow(echo("a")))) == flow(echo("a"))
