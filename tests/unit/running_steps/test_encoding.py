"""``values.encode`` has a fast way for what is plainly sound: it answers as the slow one, and refuses as cheaply.

Two differences are meant: how a double is written (1e16 or 1e+16, 0.00001 or 1e-05: the same number, a byte or two more
or less), and the sentence about a text that is too large (the slow way stops counting early).
"""

from __future__ import annotations

import json
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows_app.engine import values
from workflows_app.engine.errors import OrchestratorError

Point = namedtuple("Point", "x y")


class Color(Enum):
    RED = "red"
    NAN = float("nan")
    NESTED = ("a", ["b"])


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    HELLO = "hello"


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Mapping(dict):  # type: ignore[type-arg]
    pass


class Sequence(list):  # type: ignore[type-arg]
    pass


@dataclass
class Data:
    x: int = 1


JSON_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, 2**53 + 1, 10**18, 10**19 - 1, 2**63 - 1, -(2**63)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 1e15, 1e16, 1e22, 1e-5, 1e-7, 5e-324, 1.7976931348623157e308])
    | st.text(max_size=4)
    | st.sampled_from(["null", "NaN", "\\u0000", "1234567890123456789", "é", "𝔘", "\x1f\x7f", '"', "\u2028"])
)
OTHER_LEAVES = st.sampled_from(
    [
        *[float("nan"), float("inf"), float("-inf"), 2**63, -(2**63) - 1, 2**64, 10**400],
        *["\x00", "a\x00b", "\ud800", "\udfff\ud800"],
        *[b"bytes", bytearray(b"x"), {1, 2}, frozenset(), object, Ellipsis, 1j, Decimal("1.5"), range(3)],
        *[Color.RED, Color.NAN, Color.NESTED, Level.HIGH, Word.HELLO, UUID(int=7), datetime(2026, 1, 1, tzinfo=UTC)],
        *[date(2026, 1, 1), Data(), Data, Point(1, 2), Text("text"), Text("\x00"), Number(5), Number(2**70), Real(1.5)],
        *[Real("nan"), Mapping(a=1), Sequence([1, [2]]), OrderedDict(b=1, a=2), defaultdict(list, a=[1])],
    ]
)
KEYS = st.text(max_size=3) | st.sampled_from(["a", "b", "", "null", "é"])
OTHER_KEYS = st.sampled_from([1, None, True, 1.5, (1,), Word.HELLO, Text("key"), b"k", "\x00", "\ud800", Level.HIGH])
LIMIT = 10**6


def nestings(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=3),
        ),
        max_leaves=6,
    )


def outcome(value: Any, limit: int = LIMIT) -> tuple[str, Any]:
    """The text that a value is written as, or why it is refused and where."""
    try:
        return "text", values.encode(value, limit_bytes=limit, what="the value")
    except OrchestratorError as refused:
        return "refused", (refused.code, refused.message, refused.details)


def slowly(value: Any, limit: int = LIMIT) -> tuple[str, Any]:
    with mock.patch.object(values, "_written", return_value=None):
        return outcome(value, limit)


def is_written_fast(value: Any) -> bool:
    return values._written(value, LIMIT) is not None


@settings(max_examples=400)
@given(nestings(JSON_LEAVES, KEYS) | nestings(JSON_LEAVES | OTHER_LEAVES, KEYS | OTHER_KEYS))
def test_both_ways_write_the_same_or_refuse_for_the_same_reason(value: Any) -> None:
    fast, slow = outcome(value), slowly(value)

    assert fast[0] == slow[0]
    if fast[0] == "refused":
        assert fast[1] == slow[1]
    else:
        assert as_read(fast[1]) == as_read(slow[1])


def as_read(text: str) -> Any:
    """The value of a text with the types of its numbers and the order of its keys."""
    return json.loads(text, parse_float=lambda digits: ("double", float(digits)), object_pairs_hook=list)


@given(nestings(st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=3), KEYS), st.integers(0, 60))
def test_both_ways_draw_the_line_at_the_same_byte(value: Any, limit: int) -> None:
    fast, slow = outcome(value, limit), slowly(value, limit)

    assert fast[0] == slow[0]
    assert fast[1] == slow[1] if fast[0] == "text" else fast[1][0] == slow[1][0]


@pytest.mark.parametrize("container", [list, tuple, dict])
@pytest.mark.parametrize("levels", [1, 98, 99, 100, 101, 102, 500])
def test_both_ways_allow_a_hundred_levels(container: type, levels: int) -> None:
    value: Any = None
    for _ in range(levels):
        value = {"k": value} if container is dict else container([value])

    assert outcome(value) == slowly(value)
    assert (outcome(value)[0] == "text") is (levels <= 100)


def test_everyday_results_take_the_fast_way() -> None:
    order = {"id": "A-1", "lines": [{"sku": "x", "n": 2, "price": 9.5}] * 50, "paid": None, "note": "grüße", "t": (1,)}

    assert is_written_fast(order)
    assert not is_written_fast([UUID(int=1)])


def shared(leaf: Any, *widths: int) -> Any:
    """A value that is small in memory and large as text: each level holds the one below so many times."""
    for width in widths:
        leaf = [leaf] * width
    return leaf


EXPLOSIONS: dict[str, Callable[[], Any]] = {
    "lists of one list": lambda: shared(0, 10_000, 10_000),
    "lists of one list, three levels": lambda: shared(0, 1000, 1000, 1000),
    "doubling sixty times": lambda: shared("x", *[2] * 60),
    "one long key": lambda: shared({"k" * 10_000: 1}, 50_000),
    "one long text": lambda: shared("x" * 10_000, 50_000),
    "one wide mapping": lambda: shared({str(n): n for n in range(10_000)}, 10_000),
    "one long list": lambda: [0] * 1_000_000,
    "one wide mapping, once": lambda: {str(n): n for n in range(300_000)},
    "tuples": lambda: (((0,) * 10_000,) * 10_000,),
    "mappings of one list": lambda: shared({"a": [0] * 10_000, "b": {"c": [0] * 10_000}}, 10_000),
    "one long key beside a bad one": lambda: shared({"k" * 10_000: 1, 1: 2}, 50_000),
}


@pytest.mark.parametrize("explosion", EXPLOSIONS)
def test_what_would_explode_when_written_is_refused_before_it_takes_memory(explosion: str) -> None:
    value = EXPLOSIONS[explosion]()

    tracemalloc.start()
    answer = outcome(value, 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer[0] == "refused"
    assert peak < 10_000_000
