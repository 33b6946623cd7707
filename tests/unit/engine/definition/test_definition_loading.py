"""Loading: plain values from YAML or JSON, and a refusal with place and reason for everything else."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import definition
from workflows_app.engine.errors import DefinitionInvalid


def refusal(text, **limits):
    with pytest.raises(DefinitionInvalid) as refused:
        definition.load(text, **limits)
    assert refused.value.message
    assert all(problem.message for problem in refused.value.problems)
    return refused.value.problems


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)

BAD = {
    "unclosed list": ("a: [1, 2", "SYNTAX", "line 2, column 1", None),
    "tab as indentation": ("a:\n\tb: 1", "SYNTAX", "line 2, column 1", None),
    "broken JSON": ('{"a": 1,\n "b" 2}', "SYNTAX", "line 2", None),
    "control character": ("a: \x07", "SYNTAX", "control characters", None),
    "Python object": ("a: !!python/object/apply:os.system [id]", "TAG_REFUSED", "line 1, column 4", "a"),
    "Python name": ("a: {b: !!python/name:os.system }", "TAG_REFUSED", "refused", "a.b"),
    "own tag": ("steps:\n- !include x.yaml", "TAG_REFUSED", "line 2, column 3", "steps[0]"),
    "binary tag": ("a: !!binary aGk=", "TAG_REFUSED", "refused", "a"),
    "alias bomb": (BOMB, "ALIAS_LIMIT", "10000", None),
    "alias of itself": ("a: &a [*a]", "UNKNOWN_ALIAS", "*a", "a[0]"),
    "alias of nothing": ("a: *nothing", "UNKNOWN_ALIAS", "*nothing", "a"),
    "merge key": ("a: &x {b: 1}\nc:\n  <<: *x", "KEY_NOT_TEXT", "merge keys", 'c["<<"]'),
    "duplicate key": ("a: 1\nb: 2\na: 3", "DUPLICATE_KEY", "line 3, column 1", "a"),
    "duplicate key inside": ("a:\n- {b: 1, c: 1, b: 2}", "DUPLICATE_KEY", "`b`", "a[0].b"),
    "duplicate key in JSON": ('{"a": [{"b": 1, "b": 1}]}', "DUPLICATE_KEY", "`b`", "a[0].b"),
    "number as key": ("a: {1: x}", "KEY_NOT_TEXT", 'write "1" in quotes', 'a["1"]'),
    "boolean as key": ("true: x", "KEY_NOT_TEXT", "in quotes", "true"),
    "mapping as key": ("? {a: 1}\n: x", "KEY_NOT_TEXT", "must be text", ""),
    "YAML NaN": ("a: .nan", "NOT_JSON", "NaN", "a"),
    "YAML infinity": ("a: [-.inf]", "NOT_JSON", "infinity", "a[0]"),
    "JSON NaN": ('{"a": NaN}', "NOT_JSON", "NaN", "a"),
    "JSON infinity": ('{"a": -Infinity}', "NOT_JSON", "infinity", "a"),
    "number beyond doubles": ("a: 1e999", "NOT_JSON", "infinity", "a"),
    "YAML integer beyond 64 bit": ("a: 9223372036854775808", "INTEGER_RANGE", "64 bit", "a"),
    "JSON integer beyond 64 bit": ('{"a": -9223372036854775809}', "INTEGER_RANGE", "64 bit", "a"),
    "integer of 5,000 digits": ("a: " + "9" * 5000, "INTEGER_RANGE", "64 bit", "a"),
    "JSON integer of 5,000 digits": ('{"a": ' + "9" * 5000 + "}", "INTEGER_RANGE", "64 bit", "a"),
    "YAML NUL": ('a: "\\0"', "NOT_JSON", "NUL", "a"),
    "JSON NUL": ('{"a": "\\u0000"}', "NOT_JSON", "NUL", "a"),
    "JSON lone surrogate": ('{"a": "\\ud800"}', "NOT_JSON", "surrogate", "a"),
    "flow lists 10,000 deep": ("a: " + "[" * 10_000 + "]" * 10_000, "TOO_DEEP", "100 levels", None),
    "block lists 10,000 deep": ("- " * 10_000, "TOO_DEEP", "100 levels", None),
    "JSON 10,000 deep": ('{"a":' * 10_000 + "1" + "}" * 10_000, "TOO_DEEP", "deep", None),
    "JSON 200 deep": ('{"a":' * 200 + "1" + "}" * 200, "TOO_DEEP", "100 levels", None),
    "depth by aliases": (
        "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [[[[[[[[*a{n - 1}]]]]]]]]\n" for n in range(1, 20)),
        "TOO_DEEP",
        "100 levels",
        None,
    ),
    "two documents": ("a: 1\n---\nb: 1", "SEVERAL_DOCUMENTS", "line 2", ""),
    "nothing": ("", "EMPTY", "empty", ""),
    "a comment": ("# nothing here", "EMPTY", "empty", ""),
    "a list": ("- a", "NOT_A_MAPPING", "mapping", ""),
    "a JSON list": ("[1]", "NOT_A_MAPPING", "mapping", ""),
    "text": ("hello", "NOT_A_MAPPING", "mapping", ""),
    "UTF-16": ("a: 1".encode("utf-16"), "NOT_UTF8", "UTF-8", ""),
    "Latin-1": ("a: é".encode("latin-1"), "NOT_UTF8", "byte 3", ""),
    "lone surrogate": ("a: \ud800", "NOT_UTF8", "surrogate", ""),
}


@pytest.mark.parametrize(("text", "code", "reason", "path"), BAD.values(), ids=BAD.keys())
def test_bad_text_is_refused_with_its_place_and_the_reason(text, code, reason, path):
    problems = refusal(text)
    found = [problem for problem in problems if problem.code == code]
    assert found, problems
    assert reason in found[0].message
    assert len(found[0].path) < 300
    if path is not None:
        assert found[0].path == path


def test_all_repeated_keys_tags_and_numbers_are_named_at_once():
    problems = refusal("a: !x 1\nb: 1\nb: 2\nc: {1: 1}\nd: .inf")
    assert {problem.code for problem in problems} == {"TAG_REFUSED", "DUPLICATE_KEY", "KEY_NOT_TEXT", "NOT_JSON"}


def test_a_text_may_have_exactly_the_limit():
    text = "a: " + "é" * 10
    size = len(text.encode())
    assert definition.load(text, limit_bytes=size) == {"a": "é" * 10}
    assert [p.code for p in refusal(text, limit_bytes=size - 1)] == ["TOO_LARGE"]
    assert [p.code for p in refusal(text.encode(), limit_bytes=size - 1)] == ["TOO_LARGE"]


def test_one_megabyte_is_the_limit_without_saying_so():
    assert [p.code for p in refusal("a: " + "x" * 1_000_000)] == ["TOO_LARGE"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.0.0", "1.0.0"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("=", "="),
        ("- x", ["x"]),
        ("|\n  two\n  lines", "two\nlines"),
    ],
)
def test_unquoted_values_have_the_types_of_yaml_1_2(written, value):
    assert definition.load(f"a:\n  {written}") == {"a": value}


def test_words_that_yaml_1_1_took_for_booleans_are_keys():
    assert definition.load("on: 1\nno: 2\ny: 3") == {"on": 1, "no": 2, "y": 3}


def test_aliases_within_the_bound_give_independent_copies():
    document = definition.load("a: &x {b: [1]}\nc: *x")
    document["a"]["b"].append(2)
    assert document["c"] == {"b": [1]}


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_a_byte_order_mark_is_no_part_of_the_document(mark):
    assert definition.load(mark + "a: 1") == {"a": 1}
    assert definition.load((mark + '{"a": 1}').encode()) == {"a": 1}


def test_flow_yaml_that_is_no_json_is_still_read():
    assert definition.load("{a: 1, b: [x, y]}") == {"a": 1, "b": ["x", "y"]}


_NAMES = st.text("abcxyz_-. é", min_size=1, max_size=6)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=5))
def test_json_text_loads_as_the_document_it_was_made_from(document):
    assert definition.load(json.dumps(document)) == document


@pytest.mark.parametrize(
    "unit", ["[", "{", "- ", "a: ", "&a ", "? ", "!!x ", "'", "*a", "{a: [", "#", "\n", "%YAML ", "<<: "]
)
def test_text_of_one_megabyte_ends_quickly_whatever_it_repeats(unit):
    text = unit * (990_000 // len(unit))
    started = time.process_time()
    with contextlib.suppress(DefinitionInvalid):
        definition.load(text)
    assert time.process_time() - started < 20
