"""What a step only passes on is not written again: rows refer to the event that brought it, and all are read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.hot_path.documents import DATA, LONG_TEXT, ROW, STORED
from tests.integration.hot_path.stored import places
from tests.integration.hot_path.workbench import Workbench, history
from workflows_app.activities import ActivityContext
from workflows_app.models import Instance, Step
from workflows_app.services import rewinds

OUTPUT = 'output: "${ steps.c.output }"'


def references(instance: Instance) -> dict[str, Any]:
    """What the rows refer to, by column; small values, which they keep, are left out."""
    rows = Step.objects.filter(instance=instance).order_by("path")
    columns = [(f"{row.path}.{name}", getattr(row, f"{name}_from")) for row in rows for name in ("input", "output")]
    return {column: reference for column, reference in columns if reference is not None}


@pytest.mark.parametrize("fused", [True, False], ids=["in one message", "a message each"])
def test_every_row_refers_to_the_event_that_brought_the_input(
    bench: Workbench, decided: str, settings: Any, fused: bool
) -> None:
    settings.ORCHESTRATOR_FUSION = fused

    instance = bench.finish(bench.start(ROW, {"data": DATA}, head=OUTPUT))

    assert instance.output == {"deep": {"all": {"data": STORED, "n": 1}}}
    brought = {"event": 1, "take": ["input", "data"]}
    assert references(instance) == {
        "a.input": {**brought, "put": ["data"]},
        "a.output": {**brought, "put": ["data"]},
        "b.input": {**brought, "put": ["data"]},
        "b.output": {**brought, "put": ["data"]},
        "c.input": {**brought, "put": ["deep", "all", "data"]},
        # What the last step was given is more than the value: around it is what the one before has added.
        "c.output": {**brought, "put": ["deep", "all", "data"]},
    }
    assert Step.objects.get(instance=instance, path="c").output == {"deep": {"all": {"data": None, "n": 1}}}
    said = {step: data for type_, step, data in history(instance) if type_ == "step.completed"}
    assert said["b"] == {
        "attempt_state": "succeeded",
        "output": {"data": None, "n": 1},
        "output_from": {"take": ["data"], "put": ["data"]},
    }


def enrich(parameters: Any, context: ActivityContext) -> Any:
    return {"order": parameters["data"], "valid": True}


def only_the_value(parameters: Any, context: ActivityContext) -> Any:
    return parameters["data"]


@pytest.mark.parametrize(
    ("perform", "take"), [(enrich, ".order"), (only_the_value, "")], ids=["with something more", "alone"]
)
def test_a_value_is_passed_on_in_another_place(
    bench: Workbench, decided: str, perform: Callable[..., Any], take: str
) -> None:
    bench.perform["b"] = perform
    steps = ROW.replace("steps.b.output }", f"steps.b.output{take} }}")

    instance = bench.finish(bench.start(steps, {"data": DATA}, head=OUTPUT))

    assert instance.output == {"deep": {"all": STORED}}
    assert places(instance, LONG_TEXT) == []


def append(parameters: Any, context: ActivityContext) -> Any:
    parameters["data"].append("changed")
    return parameters


def change_below(parameters: Any, context: ActivityContext) -> Any:
    parameters["data"][1]["n"] = 1e16
    parameters["data"][1]["m"] = True
    return parameters


@pytest.mark.parametrize("change", [append, change_below])
@pytest.mark.parametrize("path", ["a", "b"], ids=["as read from the database", "as the step before returned it"])
def test_parameters_that_are_changed_in_place_are_another_value(
    bench: Workbench, decided: str, path: str, change: Callable[..., Any]
) -> None:
    bench.perform[path] = change
    changed = {"append": [*STORED, "changed"], "change_below": [LONG_TEXT, {"n": 10**16, "m": True}]}[change.__name__]

    instance = bench.finish(bench.start(ROW, {"data": DATA}, head=OUTPUT))

    assert instance.output["deep"]["all"]["data"] == changed
    assert places(instance, LONG_TEXT) == [f"step.completed {path}"], "from there on the changed value is passed on"


def test_the_input_stays_what_it_was_whatever_a_step_does_to_its_parameters(bench: Workbench, decided: str) -> None:
    steps = "".join(
        f'  - {{id: {path}, activity: core.echo, with: {{data: "${{ input.data }}"}}}}\n' for path in "abcd"
    )
    bench.perform |= {"b": append, "c": change_below}

    instance = bench.finish(bench.start(steps, {"data": DATA}, head='output: "${ steps.d.output.data }"'))

    assert instance.output == STORED
    assert places(instance, LONG_TEXT) == ["step.completed b", "step.completed c"]


def test_a_value_that_a_step_made_is_passed_on_by_those_behind_it(bench: Workbench, decided: str) -> None:
    bench.perform["a"] = lambda parameters, context: {"data": [LONG_TEXT, "made"]}

    instance = bench.finish(bench.start(ROW, {"data": 1}, head=OUTPUT))

    assert instance.output["deep"]["all"]["data"] == [LONG_TEXT, "made"]
    assert places(instance, LONG_TEXT) == ["step.completed a"]
    made = Step.objects.get(instance=instance, path="a").settled
    assert {reference["event"] for reference in references(instance).values()} == {made}


@pytest.mark.parametrize(
    "block",
    [
        "parallel: {branches: {x: [{id: s, activity: core.echo, with: {all: '${ input.data }'}}], y: [{id: t, "
        "activity: core.echo}]}}",
        "foreach: {items: [1, 2], steps: [{id: s, activity: core.echo, with: {all: '${ input.data }'}}, "
        "{id: t, activity: core.echo, with: {all: '${ steps.s.output.all }'}}]}",
        "choice: [{when: 'true', steps: [{id: s, activity: core.echo, with: {all: '${ input.data }'}}]}]",
    ],
    ids=["parallel", "foreach", "choice"],
)
def test_a_block_whose_last_step_passes_a_value_on_has_it_whole(bench: Workbench, decided: str, block: str) -> None:
    instance = bench.finish(
        bench.start(f"  - {{id: block, {block}}}", {"data": DATA}, head='output: "${ steps.block.output }"')
    )

    one = {"all": STORED}
    assert instance.output in ({"x": one, "y": {}}, [one, one], one)


def test_parameters_that_an_operator_gives_are_not_those_of_the_definition(bench: Workbench, decided: str) -> None:
    instance = bench.finish(bench.start(ROW, {"data": DATA}, head=OUTPUT))
    other = f"{LONG_TEXT} of the operator"

    rewinds.rerun(instance_id=instance.pk, step="b", parameters={"data": other, "n": 2}, actor="ada")
    bench.finish(instance)

    assert instance.output == {"deep": {"all": {"data": other, "n": 2}}}
    assert places(instance, other) == ["b.input", "step.scheduled b", "step.completed b"]
    given = Step.objects.get(instance=instance, path="c").input_from
    assert given["event"] == Step.objects.get(instance=instance, path="b").settled


def test_an_operator_may_leave_out_the_parameter(bench: Workbench, decided: str) -> None:
    instance = bench.finish(bench.start(ROW, {"data": DATA}, head=OUTPUT))

    rewinds.rerun(instance_id=instance.pk, step="b", parameters={"n": 2}, actor="ada")
    bench.finish(instance)

    assert instance.output == {"deep": {"all": {"n": 2}}}


def test_a_step_that_runs_again_passes_on_what_is_given_then(bench: Workbench, decided: str) -> None:
    instance = bench.finish(bench.start(ROW, {"data": DATA}, head=OUTPUT))
    bench.perform["a"] = lambda parameters, context: {"data": f"{LONG_TEXT} once more"}

    rewinds.rerun(instance_id=instance.pk, step="a", actor="ada")
    bench.finish(instance)

    assert instance.output == {"deep": {"all": {"data": f"{LONG_TEXT} once more", "n": 1}}}
    assert places(instance, "once more") == ["step.completed a"]


def test_a_cached_result_is_whole_for_other_instances(bench: Workbench, decided: str) -> None:
    cached = '  - {id: a, activity: core.echo, with: {data: "${ input.data }"}, cache: {ttl: 1h}}'
    head = 'output: "${ steps.a.output }"'
    bench.finish(bench.start(cached, {"data": DATA}, head=head))
    bench.performed.clear()

    second = bench.finish(bench.start(cached, {"data": DATA}, head=head, name="w"))

    assert (second.output, bench.performed) == ({"data": STORED}, [])


def test_steps_side_by_side_get_the_same_part_of_the_input(bench: Workbench, decided: str) -> None:
    side = "".join(
        f'  - {{id: s{n}, needs: [], activity: core.echo, with: {{data: "${{ input.data }}"}}}}\n' for n in range(3)
    )
    last = '  - {id: last, needs: [s0, s1, s2], activity: core.echo, with: {data: "${ input.data }"}}'

    instance = bench.finish(bench.start(side + last, {"data": DATA}, head='output: "${ steps.last.output.data }"'))

    assert instance.output == STORED
    assert {reference["event"] for column, reference in references(instance).items() if "input" in column} == {1}
    assert not [place for place in places(instance, LONG_TEXT) if "scheduled" in place or "input" in place]
