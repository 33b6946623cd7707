"""Calls in definitions: they are read and written, known to the graph, and left to the engine by canvases."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import canvas
from workflows_app.engine.callee import Callee
from workflows_app.engine.definition import dump, parse
from workflows_app.engine.definition.model import CallBody
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.engine.graph import Graph
from workflows_app.engine.verifier import verify


def document(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"workflow": "w", "version": "1.0.0", **keys, "steps": list(steps)}


def call(id: str = "sub", **keys: Any) -> dict[str, Any]:
    given = {key: keys.pop(key) for key in ("version", "input", "wait") if key in keys}
    return {"id": id, "call": {"workflow": "other", **given}, **keys}


def kept(**facts: Any) -> dict[str, Any]:
    return {"other": {"version": "1.4.0", "input": None, "undoable": False, **facts}}


@pytest.mark.parametrize(
    ("written", "body"),
    [
        (call(), CallBody(workflow="other")),
        (call(version="1.2.3", input={"a": 1}), CallBody(workflow="other", version="1.2.3", input={"a": 1})),
        (call(wait=False), CallBody(workflow="other", wait=False)),
    ],
)
def test_a_call_is_read_and_written_as_it_was(written: dict[str, Any], body: CallBody) -> None:
    parsed = parse(document(written))

    assert parsed.steps[0].body == body
    assert dump(parsed)["steps"] == [written]
    assert parse(dump(parsed)) == parsed


@pytest.mark.parametrize("key", ["timeout", "deadline"])
def test_a_call_that_does_not_wait_has_no_time(key: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse(document(call(wait=False, **{key: "1h"})))

    assert [(p.code, p.path) for p in refused.value.problems] == [("NOT_AVAILABLE", f"steps[0].{key}")]


def test_the_default_of_wait_is_not_written_out() -> None:
    assert dump(parse(document(call(wait=True))))["steps"] == [call()]


def test_a_call_runs_the_version_that_was_kept() -> None:
    node = Graph(parse(document(call())), calls=kept())["sub"]

    assert node.callee == Callee(workflow="other", version="1.4.0")


@pytest.mark.parametrize(
    ("keys", "undoable", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"wait": False}, True, False),
        ({"compensate": "irreversible"}, True, False),
    ],
)
def test_a_call_counts_as_a_compensation_where_what_it_calls_has_one(
    keys: dict[str, Any], undoable: bool, expected: bool
) -> None:
    graph = Graph(parse(document(call(**keys))), calls=kept(undoable=undoable))

    assert graph.undoable is expected
    assert graph.undoes(None) is expected


def test_the_time_of_a_call_is_no_time_of_its_undo() -> None:
    undo = {"activity": "core.echo"}
    node = Graph(parse(document(call(timeout="30d", compensate=undo))), calls=kept())["sub"]

    assert (node.undo_timeout, node.undo_queue) == (60.0, "default")


def test_only_the_engine_goes_on_at_a_call() -> None:
    steps = [{"id": "a", "activity": "core.echo"}, call(), {"id": "b", "activity": "core.echo"}]
    canvases = canvas.survey(Graph(parse(document(*steps)), calls=kept()), fusing=True)

    assert [each.begins for each in canvases][1:] == ["when what `sub` called has ended"]
    assert "runs another workflow" in canvases[0].ends[0][0].why


def test_what_is_called_is_not_looked_at_where_nothing_is_known_of_it() -> None:
    assert verify(parse(document(call())), activities=None) == []
    (problem,) = verify(parse(document(call())), activities=None, workflows={})
    assert (problem.code, problem.path) == ("UNKNOWN_WORKFLOW", "steps[0].call.workflow")


def test_an_input_that_is_partly_known_is_held_against_the_schema_as_far_as_it_is() -> None:
    schema = {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}}}
    callee = Callee(workflow="other", version="1.0.0", input_schema=schema)
    steps = [{"id": "x", "activity": "core.echo"}, call(input={"a": "${ steps.x.output }"})]

    problems = verify(parse(document(*steps)), activities=None, workflows={"other": callee})

    assert [(p.code, p.path) for p in problems] == [("MISSING_REQUIRED_INPUT", "steps[1].call.input.b")]
