"""Values at the boundary: canonical text, or a refusal that names place and reason."""

import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.values import encode, faults

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abé ", max_size=3), inner),
    max_leaves=20,
)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@given(JSON)
def test_the_text_of_a_value_reads_back_as_the_value(value):
    text = encode(value, limit_bytes=10**6, what="the value")
    assert json.loads(text) == value


def test_equal_mappings_have_one_text_whatever_their_order():
    one = encode({"b": 1, "a": {"d": 1, "c": 2}}, limit_bytes=100, what="x")
    other = encode({"a": {"c": 2, "d": 1}, "b": 1}, limit_bytes=100, what="x")
    assert one == other == '{"a":{"c":2,"d":1},"b":1}'


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        ({"a": [1, math.nan]}, "NOT_JSON", "a[1]"),
        ({"a": math.inf}, "NOT_JSON", "a"),
        ({"a": {"b": "x\x00y"}}, "NOT_JSON", "a.b"),
        ({"a": "\ud800"}, "NOT_JSON", "a"),
        ({"\ud800": 1}, "NOT_JSON", ""),
        ({"a": {1: 2}}, "NOT_JSON", "a"),
        ({"a": {None: 2}}, "NOT_JSON", "a"),
        ({"a b": 2**63}, "INTEGER_RANGE", '["a b"]'),
        ([-(2**63) - 1], "INTEGER_RANGE", "[0]"),
        ([10**5000], "INTEGER_RANGE", "[0]"),
        ({"a": {1, 2}}, "NOT_JSON", "a"),
        ({"a": object()}, "NOT_JSON", "a"),
        (b"bytes", "NOT_JSON", ""),
        (["x" * 200], "TOO_LARGE", ""),
        ("é" * 60, "TOO_LARGE", ""),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(value, code, path):
    with pytest.raises(OrchestratorError) as refused:
        encode(value, limit_bytes=100, what="the output")
    assert (refused.value.code, refused.value.details["path"]) == (code, path)
    assert refused.value.message.startswith("the output")


def test_the_limits_themselves_are_allowed():
    assert encode([2**63 - 1, -(2**63)], limit_bytes=100, what="x")
    assert encode(nested(100), limit_bytes=1000, what="x")
    assert encode("a" * 98, limit_bytes=100, what="x")


@pytest.mark.parametrize("levels", [101, 5000, 100_000])
def test_depth_is_refused_without_exhausting_the_stack(levels):
    value = nested(levels)
    with pytest.raises(OrchestratorError, match="100 levels"):
        encode(value, limit_bytes=10**6, what="the input")
    while isinstance(value, list):  # so that freeing the value does not recurse either
        value = value.pop()


def test_a_value_that_repeats_itself_is_refused_before_it_fills_the_memory():
    bomb = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    with pytest.raises(OrchestratorError) as refused:
        encode(bomb, limit_bytes=10_000, what="the output")
    assert refused.value.code == "TOO_LARGE"


def test_a_value_that_contains_itself_is_refused():
    circle = []
    circle.append(circle)
    with pytest.raises(OrchestratorError, match="100 levels"):
        encode(circle, limit_bytes=10_000, what="the output")


def test_all_faults_are_listed_in_order():
    found = list(faults({"a": math.nan, "b": [2**70, "ok"], "c": "\x00"}))
    assert [fault.path for fault in found] == ["a", "b[0]", "c"]
    assert sys.getrecursionlimit() < 5000
