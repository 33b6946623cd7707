"""What a person sees while things run: a progress line that moves on a terminal, and tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TextIO

BAR: Final = 30
# Where nobody watches a line move (a log file), every so many seconds is enough.
LOG_SECONDS: Final = 5.0


def bar(done: int, total: int, *, width: int = BAR) -> str:
    """A bar of ``width`` characters.

    >>> bar(1, 4, width=8)
    '##......'
    """
    filled = width if total == 0 else width * done // total
    return "#" * filled + "." * (width - filled)


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(4.26), duration(83)
    ('4.3 s', '1 min 23 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


class Progress:
    """One line that is rewritten on a terminal, and a line now and then elsewhere.

    Args:
        output: where it goes.
        title: what is going on.
        total: how many there are.
        clock: seconds from any fixed point.
    """

    def __init__(self, output: TextIO, *, title: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._title = title
        self._total = total
        self._clock = clock
        self._moves = output.isatty()
        self._shown = ""
        self._told_at: float | None = None

    def show(self, done: int, note: str = "") -> None:
        """Say that ``done`` of the total are done, with a remark."""
        line = f"{self._title}  [{bar(done, self._total)}] {done}/{self._total}" + (f"  {note}" if note else "")
        now = self._clock()
        if self._moves:
            if line != self._shown:
                self._output.write(f"\r{line:<{len(self._shown)}}")
                self._output.flush()
                self._shown = line
        elif self._told_at is None or now - self._told_at >= LOG_SECONDS or done == self._total:
            if line != self._shown:
                self._output.write(line + "\n")
                self._output.flush()
                self._shown = line
            self._told_at = now

    def say(self, sentence: str) -> None:
        """A sentence above the progress line."""
        if self._moves and self._shown:
            self._output.write("\r" + " " * len(self._shown) + "\r")
            self._shown = ""
        self._output.write(sentence + "\n")
        self._output.flush()

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._moves and self._shown:
            self._output.write("\n")
            self._output.flush()


def table(rows: Sequence[tuple[str, object]]) -> str:
    """Names and values, the values right-aligned.

    >>> print(table([("completed", 171), ("lost", 0)]))
      completed  171
      lost         0
    """
    names = max((len(name) for name, _ in rows), default=0)
    values = max((len(str(value)) for _, value in rows), default=0)
    return "\n".join(f"  {name:<{names}}  {value!s:>{values}}" for name, value in rows)
