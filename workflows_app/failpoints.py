"""Named places where a test makes a process die, fail or stall; free of cost and effect unless the environment asks.

``ORCHESTRATOR_FAILPOINTS`` holds comma-separated ``name=action[@count[+skip]]``. Actions: ``kill`` (SIGKILL to the
process), ``kill-group`` (SIGKILL to its process group: the whole worker), ``raise`` (``FailpointError``),
``sleep:SECONDS``. With ``@count`` the point fires that many times altogether, in whatever processes, and with ``+skip``
only after so many passes: each firing and each skipped pass first creates a marker file in
``ORCHESTRATOR_FAILPOINTS_DIR``, so that the process started after a kill does not die again.

Names in use: ``step.executed`` (the activity returned, its outcome is not committed), ``step.committed`` (the outcome
is committed, what follows is not published), ``step.advanced`` (the outcome is committed, and with it the beginning of
the step that the same worker performs next), ``dispatch.published`` (published, the message not acknowledged),
``event.committed`` (an event is committed, nobody has been handed it), ``notice.committed`` (what one instance tells
another is committed, nobody was told yet), ``archive.written`` (archives are written and read back, nothing is deleted
yet).
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ACTIONS = ("kill", "kill-group", "raise", "sleep")
COUNT = re.compile(r"(?P<count>\d+)(\+(?P<skip>\d+))?")


class FailpointError(Exception):
    """What a failpoint with the action ``raise`` raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failpoint:
    """One armed place; ``count`` is ``None`` where it fires every time, ``skip`` the passes before it fires at all."""

    name: str
    action: str
    seconds: float = 0.0
    count: int | None = None
    skip: int = 0
    markers: Path | None = None

    def fire(self) -> None:
        """Perform the action unless it is not its turn yet or its count is used up."""
        if not self._claim():
            return
        if self.action == "sleep":
            time.sleep(self.seconds)
        elif self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.action == "kill-group":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        else:
            raise FailpointError(f"failpoint {self.name}")

    def _claim(self) -> bool:
        if self.count is None or self.markers is None:
            return True
        for number in range(1, self.skip + self.count + 1):
            try:
                (self.markers / f"{self.name}.{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return number > self.skip
        return False


def parse(text: str, markers: str | None = None) -> dict[str, Failpoint]:
    """Read the environment's notation.

    Args:
        text: the value of ``ORCHESTRATOR_FAILPOINTS``.
        markers: the folder for marker files; needed where an entry has a count.

    Returns:
        The armed points by name.

    Raises:
        ValueError: for an entry that cannot be read, so that a typing error does not make a test pass.

    >>> parse("step.executed=sleep:0.5")["step.executed"].seconds
    0.5
    >>> point = parse("step.executed=kill@1+4", "/tmp")["step.executed"]
    >>> point.count, point.skip
    (1, 4)
    >>> parse("")
    {}
    """
    points = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, assigned, rest = entry.partition("=")
        rest, counted, numbers = rest.partition("@")
        passes = COUNT.fullmatch(numbers)
        action, _, seconds = rest.partition(":")
        if not (name and assigned and action in ACTIONS and (passes or not counted)):
            raise ValueError(f"ORCHESTRATOR_FAILPOINTS: {entry!r} is not name=action[@count[+skip]], {ACTIONS=}")
        if counted and not markers:
            raise ValueError(f"ORCHESTRATOR_FAILPOINTS: {entry!r} has a count and needs ORCHESTRATOR_FAILPOINTS_DIR")
        points[name] = Failpoint(
            name=name,
            action=action,
            seconds=float(seconds or 0),
            count=int(passes["count"]) if passes else None,
            skip=int(passes["skip"] or 0) if passes else 0,
            markers=Path(markers) if markers else None,
        )
    return points


def _from(environment: Mapping[str, str]) -> dict[str, Failpoint]:
    return parse(environment.get("ORCHESTRATOR_FAILPOINTS", ""), environment.get("ORCHESTRATOR_FAILPOINTS_DIR"))


_ARMED = _from(os.environ)


def hit(name: str) -> None:
    """Pass a named place: one dictionary look-up, unless a test armed it.

    Args:
        name: the place.

    Raises:
        FailpointError: where the environment says ``raise``.
    """
    point = _ARMED.get(name)
    if point is not None:
        point.fire()
