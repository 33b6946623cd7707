"""Templates: whole documents with expressions in their strings."""

import datetime

import pytest

from workflows_app.engine import expressions
from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import Reference

NAMES = {"input": {"n": 1, "s": "text", "o": {"a": [1, None, "é"]}, "none": None, "f": 2.0, "b": True}}


def filled(value: object) -> object:
    return expressions.compile_value(value).evaluate(NAMES)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${ input.n }", 1),
        ("  ${input.o}\n", {"a": [1, None, "é"]}),
        ("${ input.none }", None),
        ("${ 1 + 1 }", 2),
        ("n=${ input.n }", "n=1"),
        ("${input.n}${input.s}", "1text"),
        ("[${input.none}]", "[]"),
        ("${input.b} ${input.f} ${input.o}", 'true 2.0 {"a":[1,null,"é"]}'),
        ("${ {'a': {'b': '}'}}.a.b }", "}"),
        ("x${ {'a': '${'} }", 'x{"a":"${"}'),
        ('${ "}" + \'"}\' }', '}"}'),
        ("${ 'it\\'s }' }", "it's }"),
        ("$${ input.n }", "${ input.n }"),
        ("$${a} ${input.n}", "${a} 1"),
        ("$$${input.n}", "$${input.n}"),
        ("cost: $5 {x} $", "cost: $5 {x} $"),
        ("", ""),
    ],
)
def test_a_string(written, expected):
    result = filled(written)

    assert result == expected
    assert type(result) is type(expected)


def test_every_string_of_a_document_is_filled_and_keys_are_not():
    document = {"${ input.n }": ["${ input.n }", {"x": "a ${ input.s }"}, 3, None, 1.5, False]}

    assert filled(document) == {"${ input.n }": [1, {"x": "a text"}, 3, None, 1.5, False]}


def test_a_time_and_a_duration_become_text():
    value = expressions.compile_value({"at": "${ now }", "in": "${ [duration('90s')] }"})

    result = value.evaluate({"now": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)})

    assert result == {"at": "2026-01-02T03:04:05Z", "in": ["90s"]}


def test_reads_are_those_of_all_expressions():
    value = expressions.compile_value({"a": "${ input.a } and ${ vars.b }", "c": ["${ steps.x.output }"]})

    assert value.reads == {
        Reference("input", None, ("a",)),
        Reference("vars", "b", ()),
        Reference("steps", "x", ("output",)),
    }


@pytest.mark.parametrize(
    ("value", "constant"),
    [({"a": [1, "x"]}, True), ("$${x}", True), ("${ 1 }", True), ("${ input.x }", False), (["a${ 1 + 1 }"], False)],
)
def test_a_value_knows_whether_it_is_constant(value, constant):
    assert expressions.compile_value(value).is_constant is constant


def test_two_evaluations_share_nothing():
    value = expressions.compile_value({"list": [1]})

    value.evaluate({})["list"].append(2)

    assert value.evaluate({}) == {"list": [1]}


@pytest.mark.parametrize("written", ["${", "a ${ b", "${ 'x }", "${ }", "${ a b }", "${ f(} }", {"k": ["${ 1 + }"]}])
def test_a_broken_template_is_refused(written):
    with pytest.raises(ExpressionError):
        expressions.compile_value(written)


def test_a_value_that_is_not_json_is_refused():
    with pytest.raises(ExpressionError, match="not JSON"):
        expressions.compile_value({"a": object()})


def test_the_budget_covers_the_whole_value():
    rows = {"input": {"rows": list(range(10_000))}}
    heavy = "${ size(input.rows.filter(r, r >= 0 && r != -1)) }"

    assert expressions.compile_value([heavy]).evaluate(rows) == [10_000]
    with pytest.raises(ExpressionLimit):
        expressions.compile_value([heavy] * 10).evaluate(rows)


def test_too_many_expressions_in_one_value_are_refused():
    with pytest.raises(ExpressionLimit, match="expressions"):
        expressions.compile_value("${1}" * 5_000)


def test_a_value_nested_too_deep_is_refused():
    value: list = []
    for _ in range(5_000):
        value = [value]

    with pytest.raises(ExpressionLimit, match="nests"):
        expressions.compile_value(value)
