"""Two worker processes of either side: one worker with a pool of two, or two workers that are one process each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from tests.services.processes import Process, eventually
from workflows_app.running import programs

PROCESSES: Final = 2
START_SECONDS: Final = 60
POOLS: Final = ("prefork", "solo")


class Fleet:
    """The processes of one side.

    Args:
        name: for messages and logs.
        application: Celery's ``-A``.
        queue: what the workers consume.
        pool: ``prefork`` or ``solo``.
        beside: command lines of what runs beside the workers.
        environment: of every process.
        folder: for the logs.
        ping: asks the workers whether they are there; one answer each.
    """

    def __init__(
        self,
        name: str,
        *,
        application: str,
        queue: str,
        pool: str,
        beside: Mapping[str, list[str]],
        environment: Mapping[str, str],
        folder: Path,
        ping: Callable[[], list[Any]],
    ) -> None:
        celery = [sys.executable, "-m", "celery", "-A", application]
        lines = command_lines(queue, pool)
        commands = {f"{name}-worker{number}": [*celery, *line] for number, line in enumerate(lines)}
        commands |= {f"{name}-{other}": [sys.executable, *line] for other, line in beside.items()}
        self.name = name
        self._workers = len(lines)
        self._ping = ping
        self._processes = [
            Process(process, command, environment=environment, log=folder / f"{process}.log")
            for process, command in commands.items()
        ]

    def start(self) -> None:
        """Start everything and wait until every worker answers."""
        for process in self._processes:
            process.start()
        eventually(
            lambda: len(self._ping()) >= self._workers,
            START_SECONDS,
            lambda: f"the workers of {self.name} answer\n{self.tails()}",
        )

    def stop(self) -> None:
        """Kill everything: nothing that is under way is of use to anybody."""
        for process in self._processes:
            process.kill()

    @property
    def working(self) -> list[int]:
        """The processes that perform steps."""
        found = []
        for process in self._processes[: self._workers]:
            found.extend(process.children or [process.pid])
        return found

    def resident(self) -> list[int]:
        """Bytes that each process that performs steps holds in memory."""
        return [psutil.Process(pid).memory_info().rss for pid in self.working]

    def tails(self) -> str:
        """The last lines of every log."""
        return "\n".join(process.tail(15) for process in self._processes)


def command_lines(queue: str, pool: str) -> list[tuple[str, ...]]:
    """Arguments after ``celery -A …`` of each worker: the product's own, for both sides.

    >>> [line[:2] for line in command_lines("default", "prefork")], len(command_lines("default", "solo"))
    ([('worker', '-Q')], 2)
    """
    if pool == "prefork":
        return [programs.worker(queue, processes=PROCESSES)]
    return [
        ("worker", "-Q", queue, "-n", f"{queue}{number}@%h", "-P", "solo", *programs.QUIET)
        for number in range(PROCESSES)
    ]
