"""Durations: what people write, and that nothing changes on the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine.durations import LONGEST, InvalidDuration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("3d", 259200),
        ("1w", 604800),
        ("1.5h", 5400),
        ("1h30m", 5400),
        (" 5s ", 5),
        ("PT90S", 90),
        ("PT0.5S", 0.5),
        ("P1DT2H", 93600),
        ("P2W", 1209600),
        ("0s", 0),
        (12, 12),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_read_as_written(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5 minutes",
        "-5s",
        "s",
        "P",
        "PT",
        "P1Y",
        "P1M",
        "1e3s",
        "5m" * 40,
        "٣s",
        None,
        True,
        -1,
        [],
        "99999999w",
    ],
)
def test_what_is_no_duration_is_refused_with_a_reason(text):
    with pytest.raises(InvalidDuration) as refused:
        parse_duration(text)
    assert refused.value.message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400, LONGEST + 1])
def test_numbers_beyond_a_century_are_refused(number):
    with pytest.raises(InvalidDuration):
        parse_duration(number)


@given(st.floats(0, LONGEST) | st.integers(0, int(LONGEST)).map(float) | st.integers(0, 10**6).map(lambda n: n / 1000))
def test_formatting_and_parsing_give_the_same_seconds(seconds):
    kept = parse_duration(seconds)
    assert abs(kept - seconds) <= 1e-6
    assert parse_duration(format_duration(seconds)) == kept
