"""data.validate: every check, the verdict and the error that it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.activities import data  # noqa: F401
from workflows_app.activities import ActivityContext, ActivityError, AttemptCancelled, registry
from workflows_app.engine import values

CONTEXT = ActivityContext(
    instance_id="i-1", workflow="w", version="1.0.0", correlation_id=None, step="s", attempt=1, idempotency_key="k"
)


def validate(items, *rules, context=CONTEXT, **more):
    given_ = {"input": items, "rules": list(rules)} | more
    return registry.get("data.validate").perform(given_, context)


def report(items, *rules):
    return validate(items, *rules, on_invalid="report")


def holds(rule, value):
    """Whether an item passes whose field ``a`` has the value."""
    return not report([{"a": value}], {"field": "a"} | rule)["invalid"]


def failure(items, *rules, **more):
    with pytest.raises(ActivityError) as caught:
        validate(items, *rules, **more)
    assert caught.value.recoverable is False
    return caught.value


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"check": "required"}, [0, "", False, []], [None]),
        ({"check": "not_empty"}, ["a", 0, False, [None], {"a": None}], ["", " \n", [], {}, None]),
        ({"check": "date_time"}, ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+02:00", None], ["2026-01-31", 7, "x"]),
        ({"check": "range", "min": 1, "max": 3}, [1, 2.5, 3, None], [0.9, 4, "2", True, [2]]),
        ({"check": "range", "max": 3}, [-5], [3.01]),
        ({"check": "positive"}, [1, 0.1, None], [0, -1, "1", True]),
        ({"check": "pattern", "pattern": "^[a-z]+$"}, ["abc", None], ["Abc", "", 7]),
        ({"check": "one_of", "values": [1, "a", None]}, [1, 1.0, "a", None], [True, "1", 2]),
        ({"check": "type", "type": "integer"}, [1, 1.0, None], [1.5, "1", True]),
        ({"check": "type", "type": "object"}, [{}], [[], "x"]),
        ({"check": "schema", "schema": {"required": ["b"]}}, [{"b": 1}, None], [{}]),
        ({"check": "schema", "schema": False}, [None], [1]),
        ({"check": "expression", "where": "item.a > 1"}, [2], [1, "x", None]),
        ({"check": "expression", "where": "item.a"}, [True], [False, 1, "true"]),
    ],
    ids=lambda part: part["check"] if isinstance(part, dict) else None,
)
def test_a_check_tells_good_from_bad(rule, good, bad):
    assert [value for value in good if not holds(rule, value)] == []
    assert [value for value in bad if holds(rule, value)] == []


def test_a_missing_field_breaks_required_and_not_empty_only():
    checks = ["required", "not_empty", "date_time", "positive"]

    (found,) = report([{}], *({"field": "a.b[0]", "check": check} for check in checks))["invalid"]

    assert [problem["code"] for problem in found["problems"]] == ["REQUIRED", "NOT_EMPTY"]


def test_the_verdict_lists_valid_and_invalid_items_with_their_problems():
    items = [{"n": 1}, {"n": -1}, {"n": 2}, 7]

    verdict = report(
        items,
        {"id": "has-n", "field": "n", "check": "required", "message": "n is needed"},
        {"field": "n", "check": "positive"},
    )

    assert verdict == {
        "valid": [{"n": 1}, {"n": 2}],
        "invalid": [
            {
                "index": 1,
                "item": {"n": -1},
                "problems": [
                    {
                        "rule": "rules[1]",
                        "field": "n",
                        "code": "POSITIVE",
                        "message": "must be greater than 0",
                        "severity": "error",
                    }
                ],
            },
            {
                "index": 3,
                "item": 7,
                "problems": [
                    {
                        "rule": "has-n",
                        "field": "n",
                        "code": "REQUIRED",
                        "message": "n is needed",
                        "severity": "error",
                    }
                ],
            },
        ],
        "warnings": [],
        "summary": {"total": 4, "valid": 2, "invalid": 2, "error_rate": 0.5},
    }


def test_a_warning_does_not_make_an_item_invalid_and_is_told_all_the_same():
    rule = {"field": "n", "check": "positive", "severity": "warning"}

    verdict = validate([{"n": 1}, {"n": -1}], rule)
    both = report([{"n": -1}], rule, {"field": "m", "check": "required"})

    assert verdict["summary"]["invalid"] == 0
    assert [(each["index"], each["problems"][0]["severity"]) for each in verdict["warnings"]] == [(1, "warning")]
    assert [problem["severity"] for problem in both["invalid"][0]["problems"]] == ["warning", "error"]


def test_a_mapping_is_one_item():
    assert report({"a": 1}, {"field": "a", "check": "required"})["valid"] == [{"a": 1}]


def test_nothing_is_valid_and_has_no_errors():
    summary = {"total": 0, "valid": 0, "invalid": 0, "error_rate": 0.0}
    assert validate([], {"field": "a", "check": "required"})["summary"] == summary


def test_invalid_items_fail_the_step_by_default_and_the_error_says_which():
    error = failure([{"n": index - 3} for index in range(40)], {"field": "n", "check": "range", "min": 30})

    assert error.code == "DATA_INVALID"
    assert error.message == "33 of 40 items are invalid; the first: item 0, field n: must be at least 30"
    assert error.details["summary"] == {"total": 40, "valid": 7, "invalid": 33, "error_rate": 33 / 40}
    assert [each["index"] for each in error.details["invalid"]] == list(range(20))


def test_an_error_holds_no_more_items_than_fit():
    error = failure([{"n": "x" * 90_000}] * 30, {"field": "n", "check": "positive"})

    assert len(error.details["invalid"]) == 2
    assert values.encode(error.details, limit_bytes=1_000_000, what="the error")


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"field": "a", "check": "requird"}, "with.rules[0].check: must be one of"),
        ({"field": "a"}, "with.rules[0].check: is missing"),
        ({"check": "required"}, "with.rules[0].field: is missing"),
        ({"field": "a", "check": "required", "min": 1}, "with.rules[0].min: does not go with this `check`"),
        ({"field": "a", "check": "required", "mni": 1}, "with.rules[0].mni: is not a known key"),
        ({"field": "a", "check": "range"}, "with.rules[0]: needs `min`, `max` or both"),
        ({"field": "a", "check": "type", "type": "text"}, "with.rules[0].type: must be one of"),
        ({"field": "a", "check": "required", "severity": "fatal"}, "with.rules[0].severity: must be one of"),
        ({"field": "a[", "check": "required"}, "with.rules[0].field: must be a path"),
        ({"field": "a", "check": "pattern", "pattern": "(?=a)"}, "with.rules[0].pattern: is not a pattern that RE2"),
        ({"field": "a", "check": "pattern", "pattern": "("}, "with.rules[0].pattern: is not a pattern that RE2"),
        ({"check": "schema", "schema": {"$ref": "http://example.com"}}, "with.rules[0].$ref: may only point into"),
        ({"check": "schema", "schema": {"type": "text"}}, "with.rules[0].type"),
        ({"check": "expression", "where": "item."}, "with.rules[0].where: "),
        ({"check": "expression", "where": "input.a"}, "with.rules[0].where: `input` is not known here"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_at_its_place(rule, place):
    error = failure([], rule)

    assert error.code == "INVALID_PARAMETERS"
    assert place in error.message


def test_a_catastrophic_pattern_runs_in_linear_time():
    rule = {"field": "a", "check": "pattern", "pattern": "^(a+)+$"}

    assert not holds(rule, "a" * 100_000 + "!")


def test_paths_never_reach_attributes():
    for path in ("__class__", "a.__class__.__name__", "a.__len__"):
        assert report([{"a": "x"}], {"field": path, "check": "required"})["summary"]["invalid"] == 1


def test_there_are_at_most_a_hundred_thousand_items():
    error = failure([1] * 100_001, {"field": "a", "check": "required"})

    assert "with.input: must have at most 100000 entries" in error.message


def test_a_result_lists_at_most_a_hundred_thousand_problems():
    rules = [{"field": "a", "check": "required"}] * 100

    assert failure([{}] * 1_001, *rules, on_invalid="report").code == "TOO_MANY_PROBLEMS"
    assert failure([{}] * 1_001, *rules).details["summary"]["invalid"] == 1_001


def test_deep_values_are_judged_without_recursion():
    value = 1
    for _ in range(5_000):
        value = {"a": value}

    assert report([value], {"field": "a.a", "check": "required"})["summary"]["valid"] == 1
    assert failure([value], {"field": "b", "check": "required"}).details["invalid"] == []


def test_a_schema_without_end_has_a_budget():
    schema = {"items": {"allOf": [{"items": {"anyOf": [{"const": number} for number in range(100)]}}] * 50}}

    (found,) = report([[list(range(100, 200))] * 50], {"check": "schema", "schema": schema})["invalid"]

    assert "budget" in found["problems"][0]["message"] or "more problems" in found["problems"][0]["message"]


def test_it_gives_way_when_told_to_stop(attempt):
    answers = iter([False, False, True])

    with pytest.raises(AttemptCancelled):
        validate(
            [{}] * 5_000, {"field": "a", "check": "date_time"}, context=attempt(stop_requested=lambda: next(answers))
        )


@given(st.lists(st.none() | st.integers(-3, 3) | st.text(max_size=2)))
def test_every_item_is_either_valid_or_invalid_and_keeps_its_order(found):
    items = [{"a": value} for value in found]

    verdict = report(items, {"field": "a", "check": "required"}, {"field": "a", "check": "positive"})

    bad = {each["index"] for each in verdict["invalid"]}
    assert [each["item"] for each in verdict["invalid"]] == [items[index] for index in sorted(bad)]
    assert verdict["valid"] == [item for index, item in enumerate(items) if index not in bad]
    assert [index for index, value in enumerate(found) if not (isinstance(value, int) and value > 0)] == sorted(bad)
