"""``foreach`` and ``loop``: what may be read inside and outside, which names and bounds are refused."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import definition
from workflows_app.engine.verifier import verify

Steps = list[dict[str, Any]]


def echo(name: str, value: Any = 1, **keys: Any) -> dict[str, Any]:
    return {"id": name, "activity": "core.echo", "with": {"value": value}, **keys}


def each(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"id": "each", "foreach": {"items": "input.lines", **keys, "steps": list(steps)}}


def again(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"id": "again", "loop": {**({} if keys else {"times": 2}), **keys, "steps": list(steps)}}


def check(*steps: dict[str, Any], **keys: Any) -> list[Any]:
    document = {"workflow": "a", "version": "1.0.0", "variables": {"v": 0}, "steps": list(steps), **keys}
    return list(verify(definition.parse(document), activities=None))


SOUND: dict[str, Steps] = {
    "steps of one iteration": [each(echo("a"), echo("b", "${ steps.a.output }"))],
    "what is upstream of the block": [echo("x"), each(echo("a", "${ steps.x.output }"))],
    "item and index": [each(echo("a", "${ [item, index] }"))],
    "an item with a name": [each(echo("a", "${ line }"), **{"as": "line"})],
    "an item in conditions, retries and undos": [
        each(
            echo(
                "a",
                when="item > 1",
                retry={"max_attempts": 2, "when": "index < 3"},
                compensate={"activity": "core.echo", "with": {"of": "${ item }", "at": "${ index }"}},
                on_error={"output": "${ item }"},
            )
        )
    ],
    "iteration": [again(echo("a", "${ iteration }"))],
    "names of both levels": [each(again(echo("a", "${ [item, index, iteration] }")))],
    "two items, one inside the other": [
        {
            "id": "rows",
            "foreach": {
                "items": "input.rows",
                "as": "row",
                "steps": [each(echo("a", "${ [row, item] }"), items="row")],
            },
        }
    ],
    "the outer iteration from the inner one": [each(echo("a"), again(echo("b", "${ steps.a.output }")))],
    "collect reads inside": [each(echo("a"), collect={"kept": "${ steps.a.output }", "of": "${ item }"})],
    "until reads inside": [again(echo("a"), until="steps.a.output.done || iteration > 3")],
    "while reads how often": [again(echo("a"), **{"while": "iteration < 3 && vars.v < 2"})],
    "the block from outside": [each(echo("a")), echo("b", "${ [steps.each.output, steps.each.failures] }")],
    "items of a step": [echo("x"), each(echo("a"), items="steps.x.output")],
    "a list with expressions": [echo("x"), each(echo("a"), items=[1, "${ steps.x.output }"])],
    "a step inside a choice inside": [
        each({"id": "way", "choice": [{"steps": [echo("a")]}]}, echo("b", "${ steps.a.output }"))
    ],
    "the most iterations": [again(echo("a"), times=100_000)],
    "as many times as allowed": [again(echo("a"), times=5, max_iterations=5)],
    "so many items": [each(echo("a"), join={"at_least": 2}, rest="cancel")],
}


@pytest.mark.parametrize("steps", SOUND.values(), ids=SOUND.keys())
def test_what_is_sound_has_no_problem(steps: Steps) -> None:
    assert check(*steps) == []


FAULTS: dict[str, tuple[Steps, str, str, str]] = {
    "a step inside from outside": (
        [each(echo("a")), echo("b", "${ steps.a.output }")],
        "NOT_UPSTREAM",
        "steps[1].with.value",
        "`a` runs once in each iteration of `each`; from outside read steps.each.output",
    ),
    "a step of a loop from outside": (
        [again(echo("a")), echo("b", "${ steps.a.output }")],
        "NOT_UPSTREAM",
        "steps[1].with.value",
        "each iteration of `again`",
    ),
    "the inner iteration from the outer one": (
        [each(again(echo("a")), echo("b", "${ steps.a.output }"))],
        "NOT_UPSTREAM",
        "steps[0].foreach.steps[1].with.value",
        "each iteration of `again`",
    ),
    "inside another block": (
        [each(echo("a")), again(echo("b", "${ steps.a.output }"))],
        "NOT_UPSTREAM",
        "steps[1].loop.steps[0].with.value",
        "each iteration of `each`",
    ),
    "the inner iteration in what the outer one collects": (
        [each(again(echo("a")), collect="${ steps.a.output }")],
        "NOT_UPSTREAM",
        "steps[0].foreach.collect",
        "each iteration of `again`",
    ),
    "inside in the items": (
        [each(echo("a"), items="steps.a.output")],
        "NOT_UPSTREAM",
        "steps[0].foreach.items",
        "each iteration of `each`",
    ),
    "inside in while": (
        [again(echo("a"), **{"while": "steps.a.output.more"})],
        "NOT_UPSTREAM",
        "steps[0].loop.while",
        "each iteration of `again`",
    ),
    "inside in times": (
        [again(echo("a"), times="steps.a.output")],
        "NOT_UPSTREAM",
        "steps[0].loop.times",
        "each iteration of `again`",
    ),
    "inside in the condition of the block": (
        [{**each(echo("a")), "when": "steps.a.output"}],
        "NOT_UPSTREAM",
        "steps[0].when",
        "each iteration of `each`",
    ),
    "the block from inside": (
        [each(echo("a", "${ steps.each.output }"))],
        "NOT_UPSTREAM",
        "steps[0].foreach.steps[0].with.value",
        "need not have settled",
    ),
    "a later step of the iteration": (
        [each(echo("a", "${ steps.b.output }"), echo("b"))],
        "NOT_UPSTREAM",
        "steps[0].foreach.steps[0].with.value",
        "`b` is not upstream",
    ),
    "the block itself in until": (
        [again(echo("a"), until="steps.again.output")],
        "NOT_UPSTREAM",
        "steps[0].loop.until",
        "reads itself",
    ),
    "item outside": ([each(echo("a")), echo("b", "${ item }")], "UNKNOWN_NAME", "steps[1].with.value", "foreach only"),
    "index outside": ([each(echo("a")), echo("b", "${ index }")], "UNKNOWN_NAME", "steps[1].with.value", "foreach"),
    "iteration outside": (
        [again(echo("a")), echo("b", "${ iteration }")],
        "UNKNOWN_NAME",
        "steps[1].with.value",
        "loop",
    ),
    "index in a loop": (
        [again(echo("a", "${ index }"))],
        "UNKNOWN_NAME",
        "steps[0].loop.steps[0].with.value",
        "foreach",
    ),
    "iteration in a foreach": (
        [each(echo("a", "${ iteration }"))],
        "UNKNOWN_NAME",
        "steps[0].foreach.steps[0].with.value",
        "loop only",
    ),
    "item where it has another name": (
        [each(echo("a", "${ item }"), **{"as": "line"})],
        "UNKNOWN_NAME",
        "steps[0].foreach.steps[0].with.value",
        "foreach only",
    ),
    "the name of an item outside": (
        [each(echo("a"), **{"as": "line"}), echo("b", "${ line }")],
        "UNKNOWN_NAME",
        "steps[1].with.value",
        "`line`",
    ),
    "item in the items": ([each(echo("a"), items="item.lines")], "UNKNOWN_NAME", "steps[0].foreach.items", "foreach"),
    "item in the condition of the block": (
        [{**each(echo("a")), "when": "item > 1"}],
        "UNKNOWN_NAME",
        "steps[0].when",
        "foreach only",
    ),
    "iteration in times": ([again(echo("a"), times="iteration")], "UNKNOWN_NAME", "steps[0].loop.times", "loop only"),
    "a need inside from outside": (
        [each(echo("a")), echo("b", needs=["a"])],
        "UNKNOWN_NEED",
        "steps[1].needs[0]",
        "steps[0].foreach.steps[0]",
    ),
    "a need outside from inside": (
        [echo("x"), each(echo("a", needs=["x"]))],
        "UNKNOWN_NEED",
        "steps[1].foreach.steps[0].needs[0]",
        "`x`",
    ),
    "a circle inside": (
        [each(echo("a", needs=["b"]), echo("b"))],
        "CYCLIC_DEPENDENCY",
        "steps[0].foreach.steps[0].needs",
        "a -> b -> a",
    ),
    "more times than there may be": (
        [again(echo("a"), times=100_001)],
        "LOOP_LIMIT",
        "steps[0].loop.times",
        "100,001 iterations are more than the 100,000",
    ),
    "more times than it says itself": (
        [again(echo("a"), times=6, max_iterations=5)],
        "LOOP_LIMIT",
        "steps[0].loop.times",
        "more than the 5",
    ),
    "a rest of none": ([each(echo("a"), rest="cancel")], "REST_UNUSED", "steps[0].foreach.rest", "all items"),
    "forgiving twice": (
        [each(echo("a"), join="any", tolerate=1)],
        "TOLERATE_UNUSED",
        "steps[0].foreach.tolerate",
        "any",
    ),
    "more items than there may be": (
        [each(echo("a"), join={"at_least": 100_001})],
        "JOIN_UNREACHABLE",
        "steps[0].foreach.join",
        "can never complete",
    ),
}


@pytest.mark.parametrize(("steps", "code", "path", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_refused_with_its_place_and_the_reason(steps: Steps, code: str, path: str, reason: str) -> None:
    errors = [problem for problem in check(*steps) if problem.severity == "error"]

    assert [(problem.code, problem.path) for problem in errors] == [(code, path)], errors
    assert reason in errors[0].message


@pytest.mark.parametrize(
    "name",
    ["input", "vars", "steps", "instance", "now", "error", "output", "with", "event", "index", "iteration", "secret"],
)
def test_an_item_cannot_have_a_name_that_means_something_else(name: str) -> None:
    errors = [problem for problem in check(each(echo("a"), **{"as": name})) if problem.severity == "error"]

    assert [(problem.code, problem.path) for problem in errors] == [("RESERVED_NAME", "steps[0].foreach.as")]
    assert f"`{name}` means something else" in errors[0].message


def test_the_output_of_the_workflow_cannot_read_inside() -> None:
    (problem,) = check(each(echo("a")), output={"all": "${ steps.a.output }"})

    assert (problem.code, problem.path) == ("NOT_UPSTREAM", "output.all")
