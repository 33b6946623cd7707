"""data.transform in its limits: however large, deep or endless what it is asked for, it ends soon and says why."""

from __future__ import annotations

import pytest

from tasks.activities.data.place import MAX_ITEMS
from tests.unit.activities.transforming import failed, transform
from workflows_app.activities import AttemptCancelled


def test_a_list_has_at_most_a_hundred_thousand_items():
    operation = {"op": "limit", "count": 1}
    assert transform([1] * MAX_ITEMS, operation) == [1]

    too_many = [{}] * (MAX_ITEMS + 1)
    assert "more than 100,000 items" in failed(too_many, operation).message
    joined = failed([], {"op": "join", "with": too_many, "on": {"a": "a"}})
    assert joined.details["field"] == "with"


def test_deep_nesting_is_refused():
    value = 1
    for _ in range(5_000):
        value = {"a": value}

    error = failed([value], {"op": "remove_nulls"})

    assert "nested more than 100 levels" in error.message


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "concat", "fields": ["a", "a"], "by": "", "into": "a"},
        {"op": "template", "text": "{a}{a}{a}", "into": "a"},
        {"op": "map", "fields": {"a": "[item.a, item.a]"}},
        {"op": "map", "fields": {"a": "item", "b": "item"}},
    ],
    ids=str,
)
def test_what_doubles_again_and_again_ends_soon(operation):
    error = failed({"a": "x" * 1_000}, *[operation] * 100)

    assert "more than" in error.message or "larger than" in error.message or "nested" in error.message


def test_huge_texts_are_refused_before_they_are_made():
    row = {"a": "x" * 1_000_000}

    assert (
        "makes more than" in failed([row] * 15, {"op": "concat", "fields": ["a"] * 100, "by": "", "into": "b"}).message
    )


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "aggregate", "group_by": ["k"], "values": {f"n{number}": {"count": "k"} for number in range(100)}},
        {"op": "join", "with": [{"k": number} for number in range(20_000)], "on": {"w": "k"}, "kind": "left"},
        {"op": "concat", "fields": ["k"], "by": "", "into": "c"},
    ],
    ids=lambda operation: operation["op"],
)
def test_wide_items_are_not_copied_without_bound(operation):
    wide = {f"f{number}": number for number in range(100)}

    error = failed([wide | {"k": number} for number in range(20_000)], operation)

    assert "makes more than" in error.message


def test_an_expression_without_end_has_a_budget():
    source = "item.map(a, item.map(b, item.map(c, a + b + c)))"

    assert "steps" in failed([list(range(100))], {"op": "map", "value": source}).message


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "map", "value": "1"},
        {"op": "filter", "where": "true"},
        {"op": "sort", "by": ["a"]},
        {"op": "aggregate", "group_by": ["a"], "values": {"n": {"count": "*"}}},
        {"op": "join", "with": [{"a": 1}], "on": {"a": "a"}},
        {"op": "upper", "fields": ["a"]},
        {"op": "remove_nulls"},
        {"op": "limit", "count": 1},
    ],
    ids=lambda operation: operation["op"],
)
def test_every_operation_gives_way_when_told_to_stop(attempt, operation):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 3

    rows = [{"a": None}] * 5_000

    with pytest.raises(AttemptCancelled):
        transform(rows, operation, context=attempt(stop_requested=stop))


def test_what_a_filter_computes_on_the_way_does_not_count_as_made():
    rows = [{"a": "x," * 500}] * 3_000

    assert len(transform(rows, {"op": "filter", "where": "size(item.a.split(',')) == 501"})) == 3_000


def test_a_join_that_multiplies_stops_at_the_limit():
    rows = [{"k": 1}] * 1_000

    error = failed(rows, {"op": "join", "with": rows, "on": {"k": "k"}})

    assert "more than 100,000 items" in error.message


class CountedText(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other):
        CountedText.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("op", ["join", "aggregate"])
def test_joins_and_groups_compare_each_key_a_few_times_not_with_every_other(op):
    size = 20_000
    left = [{"k": CountedText(f"key {number}")} for number in range(size)]
    right = [{"k": CountedText(f"key {number}")} for number in range(size)]
    operation = {"op": "join", "with": right, "on": {"k": "k"}, "prefix": "r_"}
    if op == "aggregate":
        operation = {"op": "aggregate", "group_by": ["k"], "values": {"n": {"count": "*"}}}
    CountedText.compared = 0

    result = transform(left if op == "join" else left + right, operation)

    assert len(result) == size
    assert 0 < CountedText.compared < 10 * size
