"""``stored``: what a process has just written reads as it will read from the database; here, from texts alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.hot_path.documents import JSON
from tests.integration.hot_path.stored import identical
from workflows_app.engine import stored, values
from workflows_app.models.numbers import Decoder


def written(value: Any) -> str:
    return values.encode(value, limit_bytes=10**6, what="the value")


@given(JSON)
def test_reading_fast_is_reading_as_the_fields_of_the_models_do(value: Any) -> None:
    text = json.dumps(value)

    assert identical(stored.loads(text), json.loads(text, cls=Decoder))
    assert identical(stored.loads(text.encode()), json.loads(text, cls=Decoder))


@given(JSON)
def test_what_was_read_as_stored_stays_as_it_is(value: Any) -> None:
    once = stored.as_stored(written(value))

    assert identical(stored.as_stored(written(once)), once)


@given(JSON)
def test_only_what_changes_is_said_to_change(value: Any) -> None:
    text = written(value)

    if not stored.changes(text):
        assert identical(stored.as_stored(text), value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_of_64_bit_are_kept(number: int) -> None:
    assert identical(stored.as_stored(written([number])), [number])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", 9.223372036854775808e18),
        ("-9223372036854775809", -9.223372036854775809e18),
        ("18446744073709551616", 1.8446744073709552e19),
        ("1" + "0" * 300, 1e300),
        ('"1234567890123456789012"', "1234567890123456789012"),
        ('{"1234567890123456789012":1}', {"1234567890123456789012": 1}),
        ("0." + "0" * 323 + "5", 5e-324),
    ],
)
def test_what_lies_beyond_64_bit_was_a_double(text: str, expected: Any) -> None:
    assert identical(stored.loads(text), expected)


@pytest.mark.parametrize("text", ["-0.0", "[-0.0]", '{"a":-0.0}'])
def test_a_zero_loses_its_sign(text: str) -> None:
    assert "-" not in json.dumps(stored.as_stored(text))


@pytest.mark.parametrize("text", ['"-0.0"', '"1e16"', '["0e+0"]', '{"5e5":"-0.0"}'])
def test_texts_that_look_like_numbers_stay_texts(text: str) -> None:
    assert stored.as_stored(text) == json.loads(text)
