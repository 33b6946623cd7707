"""Passing on: what is recognised as the value that a step was given, and what never is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workflows_app.engine import handing, passing, values
from workflows_app.engine.passing import Given, Passed

LONG = "x" * handing.LARGE
AT = ("deep", "data")


def given(part: Any, at: tuple[str, ...] = AT) -> tuple[dict[str, Any], Given]:
    """The parameters of a step with a large part in them, and what its worker knows of it."""
    parameters = {"deep": {"data": part}, "n": 1}
    text = json.dumps(parameters)
    return parameters, Given(parameters, at, lambda: passing.text_of(text, at))


def passed(known: Given, output: Any) -> Passed | None:
    return known.passed(output, values.encode(output, limit_bytes=10**6, what="the output"))


@pytest.mark.parametrize("part", [[LONG, 10**16, 1e-7, "é"], {"a": LONG, "b": None}, LONG])
def test_the_value_is_found_in_what_an_activity_returns(part: Any) -> None:
    parameters, known = given(part)
    value = parameters["deep"]["data"]

    places = [passed(known, output) for output in (value, {"b": 1, "a": value, "c": 2}, parameters, {**parameters})]

    assert [(each.put, json.loads(each.frame)) if each else None for each in places] == [
        ((), None),
        (("a",), {"a": None, "b": 1, "c": 2}),
        (AT, {"deep": {"data": None}, "n": 1}),
        (AT, {"deep": {"data": None}, "n": 1}),
    ]
    assert all(each and each.take == AT and json.loads(each.part) == part for each in places)


def append(value: Any) -> None:
    value.append(1)


def exchange(value: Any) -> None:
    value[0] = True


def negate(value: Any) -> None:
    value[1] = -0.0


def change_below(value: Any) -> None:
    value[2]["n"] = 2.0


@pytest.mark.parametrize("change", [append, exchange, negate, change_below])
def test_a_value_that_was_changed_in_place_is_another_one(change: Any) -> None:
    parameters, known = given([1, 0.0, {"n": 2}, LONG])

    change(parameters["deep"]["data"])

    assert passed(known, parameters) is None
    assert passed(known, parameters["deep"]["data"]) is None


def test_an_equal_value_of_its_own_is_written() -> None:
    _, known = given([LONG])

    assert passed(known, {"deep": {"data": [LONG]}, "n": 1}) is None


def test_a_small_value_is_written() -> None:
    parameters, known = given(["x"])

    assert passed(known, parameters) is None


def test_a_value_that_is_there_twice_is_written_once_more() -> None:
    parameters, known = given([LONG])
    value = parameters["deep"]["data"]

    found = passed(known, {"one": value, "two": value})

    assert found is not None
    assert json.loads(found.frame) == {"one": None, "two": [LONG]}


def test_what_stands_for_the_value_meanwhile_may_be_a_value_too() -> None:
    parameters, known = given([LONG])
    value, stand_in = parameters["deep"]["data"], passing._HOLE

    found = [passed(known, output) for output in ({"a": stand_in, "b": value}, {"a": value, "b": stand_in})]

    assert found[0] is None
    assert found[1] is not None
    assert json.loads(found[1].frame) == {"a": None, "b": stand_in}


def test_nothing_is_read_where_the_activity_returns_something_else() -> None:
    parameters, _ = given([LONG])
    known = Given(parameters, AT, lambda: pytest.fail("its text was asked for"))

    assert passed(known, {"n": 1}) is None
    assert passed(known, [parameters["deep"]["data"]]) is None
