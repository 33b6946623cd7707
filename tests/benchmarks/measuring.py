"""One workload, measured in turn on both sides."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from tests.benchmarks import machine
from tests.benchmarks.arithmetic import percentile
from tests.benchmarks.workloads import Measure, Shape, Workload

DEADLINE: Final = 120.0
"""Seconds after which a run counts as broken."""

PERCENTILES: Final = {"p50": 0.5, "p99": 0.99}


class Side(Protocol):
    """A client of one side; what ``start`` returns is its own affair."""

    name: str

    def prepare(self, shape: Shape, size: int) -> None: ...
    def start(self, shape: Shape, size: int) -> Any: ...
    def wait(self, started: Sequence[Any], deadline: float) -> None: ...
    def verify(self, shape: Shape, size: int, started: Sequence[Any]) -> None: ...
    def purge(self) -> None: ...


def rate(side: Side, workload: Workload) -> float:
    """Steps a second, from the first start to the last end; every step is seen to have run."""
    begun = time.perf_counter()
    started = [side.start(workload.shape, workload.size) for _ in range(workload.instances)]
    side.wait(started, DEADLINE)
    spent = time.perf_counter() - begun
    side.verify(workload.shape, workload.size, started)
    return workload.steps / spent


def latencies(side: Side, workload: Workload) -> list[float]:
    """Milliseconds from each start to its end seen, one after the other."""
    found = []
    handles = []
    for _ in range(workload.instances):
        begun = time.perf_counter()
        started = side.start(workload.shape, workload.size)
        side.wait([started], DEADLINE)
        found.append((time.perf_counter() - begun) * 1000)
        handles.append(started)
    side.verify(workload.shape, workload.size, handles)
    return found


def starts(side: Side, workload: Workload) -> float:
    """Starts a second; nobody consumes."""
    begun = time.perf_counter()
    for _ in range(workload.instances):
        side.start(workload.shape, workload.size)
    return workload.instances / (time.perf_counter() - begun)


Values = dict[str, dict[str, list[float]]]
"""By measure ('' where there is one only) and side."""


def measure(
    sides: Sequence[Side],
    workload: Workload,
    *,
    repeat: int,
    patience: float,
    clean: Callable[[], None],
    told: Callable[[str], None],
) -> tuple[Values, list[float]]:
    """Measure a workload on all sides in turn, after a shorter run of each that is not counted.

    Args:
        sides: in the order of their turns.
        repeat: how many turns.
        patience: seconds to wait for a quiet machine before each.
        clean: throws away what was started where nobody consumes.
        told: takes a sentence about each turn.

    Returns:
        The values, and how busy others kept the machine during each run (per cent).
    """
    for side in sides:
        side.prepare(workload.shape, workload.size)
        once(side, workload.warming(), clean)
    names = list(PERCENTILES) if workload.measure is Measure.LATENCY else [""]
    values: Values = {name: {side.name: [] for side in sides} for name in names}
    busy = []
    for turn in range(repeat):
        for side in sides:
            found, others = machine.observed(partial(once, side, workload, clean), patience=patience)
            busy.append(others)
            for name, value in found.items():
                values[name][side.name].append(value)
            shown = ", ".join(f"{name} {value:.4g}".strip() for name, value in found.items())
            told(f"{workload.key} {turn + 1}/{repeat} {side.name}: {shown} {workload.measure}")
    return values, busy


def once(side: Side, workload: Workload, clean: Callable[[], None]) -> Mapping[str, float]:
    """One run of one side, by the name of what it measures."""
    match workload.measure:
        case Measure.STEPS:
            return {"": rate(side, workload)}
        case Measure.LATENCY:
            found = latencies(side, workload)
            return {name: percentile(found, share) for name, share in PERCENTILES.items()}
        case Measure.STARTS:
            try:
                return {"": starts(side, workload)}
            finally:
                side.purge()
                clean()
