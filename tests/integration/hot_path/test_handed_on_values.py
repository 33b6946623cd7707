"""What a step gets from the one before: the same values, limits and refusals whoever puts its parameters together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import decide
from tests.integration.hot_path.documents import LONG_TEXT
from tests.integration.hot_path.situations import claim, left_to_the_engine, start, step_row

TWO = "steps: [{id: a, activity: core.echo}, {id: b, activity: core.echo, with: %s}]"
NUMBERS = [
    1e15,
    1e16,
    1e19,
    -1e22,
    1e300,
    5e-324,
    1e-7,
    -0.0,
    2**63 - 1,
    -(2**63),
    2**53 + 1,
    1.0,
    123456789012345680.0,
]


@pytest.mark.parametrize("long", ["", LONG_TEXT], ids=["short", "long"])
@pytest.mark.parametrize(
    "parameters",
    [
        '{all: "${ steps.a.output }", n: 1}',
        '{deep: {"odd key": "${ steps.a.output.long }"}}',
        '{part: "${ steps.a.output.deep.b }"}',
        '{nothing: "${ steps.a.output.nothing }"}',
        '{x: -0.0, y: 1e16, all: "${ steps.a.output }"}',
        '{x: "${ -0.0 }", y: "${ 1e16 }", all: "${ steps.a.output }"}',
        '{one: "${ steps.a.output }", two: "${ steps.a.output }"}',
        '{one: "${ steps.a.output }", in: "${ input }"}',
        '{text: "${ steps.a.output.deep.b }!", n: "${ steps.a.output.deep.b / 3 }"}',
        '{state: "${ steps.a.state }", attempts: "${ steps.a.attempts }", error: "${ steps.a.error }"}',
    ],
)
def test_outputs_large_and_small_are_handed_on(driver: Driver, parameters: str, long: str) -> None:
    instance = start(driver, TWO % parameters, {"x": 1e16, "list": [-0.0]})
    output = {"long": long, "deep": {"b": 1e16, "é": -0.0}, "nothing": None, "list": NUMBERS}

    assert decide(claim(instance, "a"), output).accepted


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_means_the_same_whoever_decides(driver: Driver, number: float) -> None:
    instance = start(driver, TWO % '{text: "${ steps.a.output }!", twice: "${ [steps.a.output, steps.a.output] }"}')

    assert decide(claim(instance, "a"), number).accepted


@pytest.mark.parametrize("output", [(1, (2, 3)), {"t": (1,)}, (), {"x": {"y": ("z",) * 2000}}])
def test_a_tuple_is_a_list_whoever_decides(driver: Driver, output: Any) -> None:
    instance = start(driver, TWO % '{all: "${ steps.a.output }", size: "${ size(steps.a.output) }"}')

    assert decide(claim(instance, "a"), output).accepted


@pytest.mark.parametrize(
    "parameters",
    [
        '{x: "${ steps.a.output.missing }"}',
        '{x: "${ steps.a.output.long.b }"}',
        '{x: "${ steps.a.output.list.b }"}',
        "{x: \"${ steps.a.output.n + 'text' }\"}",
        '{x: "${ input.missing }"}',
    ],
)
@pytest.mark.parametrize("long", ["", LONG_TEXT], ids=["short", "long"])
def test_parameters_that_do_not_evaluate_fail_the_step(driver: Driver, parameters: str, long: str) -> None:
    instance = start(driver, TWO % parameters)

    pair = decide(claim(instance, "a"), {"long": long, "list": [1], "n": 1})

    assert left_to_the_engine(pair)[:2] == ["step.completed a", "step.failed b"]


def nested(levels: int, inside: Any) -> Any:
    for _ in range(levels):
        inside = [inside]
    return inside


LIMITS = {
    "99 levels": (nested(99, LONG_TEXT), None),
    "100 levels": (nested(100, LONG_TEXT), "NOT_JSON"),
    "99 levels beside closing brackets": ({"a": "]" * 300, "b": nested(98, 1), "c": LONG_TEXT}, None),
    "100 levels beside closing brackets": ({"a": "]" * 300, "b": nested(99, 1), "c": LONG_TEXT}, "NOT_JSON"),
    "opening brackets in a text": ({"a": "[" * 300, "c": LONG_TEXT}, None),
    "the largest text": ("x" * 999_980, None),
    "too large a text": ("x" * 999_996, "TOO_LARGE"),
    "the largest text of large characters": ("𝔘" * 249_990, None),
    "too large a text of large characters": ("𝔘" * 249_999, "TOO_LARGE"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_limits_of_a_value_hold_for_what_is_handed_on(driver: Driver, limit: str) -> None:
    output, code = LIMITS[limit]
    instance = start(driver, TWO % '{x: "${ steps.a.output }"}')

    pair = decide(claim(instance, "a"), output)

    assert pair.accepted is (code is None)
    error = step_row(pair.engine.rows, "b")["error"]
    assert (error["code"] if error else None) == code
