"""Passing on: a step returns, unchanged, the large value that it was given; what completes it says so instead.

An activity may change its parameters in place and return them. So the value that it returns is held against text of
what it was given, made of what was stored and never of what the activity had in its hands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workflows_app.engine import handing, stored, values

_HOLE = "\ue000 what is passed on \ue000"
"""Stands in the place of the value while what is around it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The place in an output of the large value that the step was given.

    Args:
        take: the path of the value in the step's parameters.
        put: its path in the output.
        frame: JSON text of the output with null in that place.
        part: JSON text of the value.
    """

    take: tuple[str, ...]
    put: tuple[str, ...]
    frame: str
    part: str

    def origin(self) -> dict[str, Any]:
        """Return what ``output_from`` says in a ``step.completed``."""
        return {"take": list(self.take), "put": list(self.put)}


class Given:
    """The large value in a step's parameters that another event brought.

    Args:
        parameters: what the activity gets.
        at: the path of the value in them.
        source: returns the JSON text of the value as it is stored; asked at most once, and only where the output holds
            the very same object.
    """

    def __init__(self, parameters: Any, at: Sequence[str], source: Callable[[], str]) -> None:
        self._at = tuple(at)
        self._part = handing.taken(parameters, at)
        self._source = source

    @cached_property
    def text(self) -> str:
        """JSON text of the value, as ``values.encode`` writes it."""
        return self._source()

    def passed(self, output: Any, text: str) -> Passed | None:
        """Say where the output has the value.

        Args:
            output: what the activity returned.
            text: its JSON text, from ``values.encode``.

        Returns:
            ``None`` if it has not, or not as it was, or if the value is not large.
        """
        put = self._place(output)
        if put is None:
            return None
        around = values.encode(handing.filled(output, put, _HOLE), limit_bytes=sys.maxsize, what="the output")
        before, hole, after = around.partition(values.encode(_HOLE, limit_bytes=sys.maxsize, what="the hole"))
        if not hole or len(self.text.encode()) < handing.LARGE or text != f"{before}{self.text}{after}":
            return None
        return Passed(take=self._at, put=put, frame=f"{before}null{after}", part=self.text)

    def _place(self, output: Any) -> tuple[str, ...] | None:
        """Look for the object itself: at the top, right below it, or where the parameters have it."""
        if output is self._part:
            return ()
        if type(output) is not dict:
            return None
        for key, value in output.items():
            if value is self._part:
                return (key,)
        inner = output
        for key in self._at:
            if type(inner) is not dict or key not in inner:
                return None
            inner = inner[key]
        return self._at if inner is self._part else None


def text_of(stored_text: str, keys: Sequence[str]) -> str:
    """Return the JSON text of a part of a stored value, as ``values.encode`` writes it.

    Args:
        stored_text: the value's JSON text, from the database or from ``values.encode``.
        keys: the path of the part.

    >>> text_of('{"a": {"c": 1e16, "b": "x"}}', ["a"])
    '{"b":"x","c":10000000000000000}'
    """
    part = handing.taken(stored.as_stored(stored_text), keys)
    return values.encode(part, limit_bytes=sys.maxsize, what="the value")
