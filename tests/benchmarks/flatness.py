"""Whether cost stays flat: with the length of a workflow, with its width, with what lies in the database, in memory."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from tests.benchmarks import fill, machine, measuring
from tests.benchmarks.arithmetic import Target
from tests.benchmarks.workloads import WORKLOADS, Measure, Shape, Workload

if TYPE_CHECKING:
    from tests.benchmarks.session import Session

MEMORY_BYTES: Final = 150_000_000
STEPS_EACH: Final = 10_000
MOST_ITEMS: Final = 10_000
FEW_ITEMS: Final = 100
LONG: Final = 1000
"""Steps of the long chain, and the width of the wide join."""


def run(session: Session, only: list[str]) -> None:
    """Take the measures that ``only`` names; one that breaks is a row too."""
    for key, (title, unit, measure) in MEASURES.items():
        if key in only:
            try:
                session.row(workload=key, title=title, unit=unit, **measure(session))
            except Exception as problem:
                traceback.print_exc(file=sys.stderr)
                error = f"{type(problem).__name__}: {problem}"[:500]
                session.row(workload=key, title=title, unit=unit, error=error)
                session.begin_anew()


def memory(session: Session) -> dict[str, Any]:
    """What a worker process holds after ``STEPS_EACH`` steps; both sides run the same."""
    chain = Workload(key="RSS", label="", shape=Shape.CHAIN, size=10, instances=100, small=100)
    # Two processes share the steps, nobody says how evenly.
    rounds = 2 * STEPS_EACH // chain.steps // (10 if session.order.small else 1)
    found = {}
    for side, fleet in zip((session.plain, session.ours), session.fleets, strict=True):
        side.prepare(chain.shape, chain.size)
        for _ in range(rounds):
            measuring.rate(side, chain)
        found[side.name] = max(fleet.resident()) / 1e6
        session.told(f"RSS {side.name}: {found[side.name]:.0f} MB after {rounds * chain.steps} steps of two processes")
    limit = Target(bound=MEMORY_BYTES / 1e6, lower_is_better=True)
    held = limit.held(found["ours"])
    return {
        "plain": [found["plain"]],
        "ours": [found["ours"]],
        "note": f"the larger of two processes after {rounds * chain.steps:,} steps, to stay below {limit.bound:g} MB",
        "error": "" if held else f"{found['ours']:.0f} MB are more than {limit.bound:g} MB",
    }


def length(session: Session) -> dict[str, Any]:
    """The rate of long chains against the rate of as many steps in chains of ten."""
    instances = 2 if session.order.small else 4
    short = Workload(
        key="L10",
        label="",
        shape=Shape.CHAIN,
        size=10,
        instances=instances * LONG // 10,
        small=1,
        measure=Measure.STEPS,
    )
    long = Workload(key="L1000", label="", shape=Shape.CHAIN, size=LONG, instances=instances, small=1)
    found: dict[str, list[float]] = {short.key: [], long.key: []}
    busy = []
    for turn in range(session.order.repeat + 1):
        for workload in (short, long):
            session.ours.prepare(workload.shape, workload.size)
            value, others = machine.observed(
                partial(measuring.rate, session.ours, workload), patience=session.order.patience
            )
            if turn:  # the first is not counted
                found[workload.key].append(value)
                busy.append(others)
                session.told(f"length {workload.key}: {value:.4g} steps/s")
    return {
        "plain": found[short.key],
        "ours": found[long.key],
        "against": "ours, chains of 10",
        "busy": busy,
        "note": f"{instances} × {LONG} steps against {short.instances} × 10",
    }


def width(session: Session) -> dict[str, Any]:
    """One step that waits for ``LONG`` others starts once and completes once."""
    wide = Workload(key="wide", label="", shape=Shape.FAN, size=LONG, instances=1, small=1)
    session.ours.prepare(wide.shape, wide.size)
    values = []
    for _ in range(session.order.repeat):
        begun = time.perf_counter()
        started = session.ours.start(wide.shape, wide.size)
        session.ours.wait([started], measuring.DEADLINE)
        values.append(wide.steps / (time.perf_counter() - begun))
        session.ours.verify(wide.shape, wide.size, [started])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT type, count(*) FROM workflows_app_event WHERE instance_id = %s AND step = 'join'"
                " AND type IN ('step.started', 'step.completed') GROUP BY type",
                [started],
            )
            counted = dict(cursor.fetchall())
        assert counted == {"step.started": 1, "step.completed": 1}, f"the join's history: {counted}"
        session.told(f"width: {values[-1]:.4g} steps/s, joined once")
    return {"ours": values, "against": "", "note": f"the join of {LONG} ran exactly once in {len(values)} instances"}


def items(session: Session) -> dict[str, Any]:
    """The rate of one ``foreach`` over many items against that of some over a few; what a worker holds after that."""
    most = MOST_ITEMS // 10 if session.order.small else MOST_ITEMS
    found: dict[int, list[float]] = {FEW_ITEMS: [], most: []}
    for size in found:
        session.ours.prepare(Shape.EACH, size)
    for turn in range(session.order.repeat + 1):
        for size, values in found.items():
            rounds = 10 if size == FEW_ITEMS else 1
            begun = time.perf_counter()
            started = []
            for _ in range(rounds):  # one after the other
                started.append(session.ours.start(Shape.EACH, size))
                session.ours.wait(started[-1:], measuring.DEADLINE)
            spent = time.perf_counter() - begun
            session.ours.verify(Shape.EACH, size, started)
            if turn:  # the first is not counted
                values.append(rounds * size / spent)
                session.told(f"items, {size}: {values[-1]:.4g} steps/s")
    held = max(session.fleets[1].resident())
    return {
        "plain": found[FEW_ITEMS],
        "ours": found[most],
        "against": f"ours, {FEW_ITEMS} items",
        "note": f"{most:,} items against {FEW_ITEMS}; a worker process then held {held / 1e6:.0f} MB",
        "error": "" if held < MEMORY_BYTES else f"{held / 1e6:.0f} MB are more than {MEMORY_BYTES / 1e6:g} MB",
    }


def history(session: Session) -> dict[str, Any]:
    """W1 in a database full of finished instances against W1 in an empty one."""
    chain = next(workload for workload in WORKLOADS if workload.key == "W1")
    if session.order.small:
        chain = chain.reduced()
    session.ours.prepare(chain.shape, chain.size)
    busy = []

    def rates(what: str) -> list[float]:
        measuring.rate(session.ours, chain.warming())
        values = []
        for _ in range(session.order.repeat):
            value, others = machine.observed(
                partial(measuring.rate, session.ours, chain), patience=session.order.patience
            )
            values.append(value)
            busy.append(others)
            session.told(f"history, {what}: {values[-1]:.4g} steps/s")
        return values

    session.order.database.empty()
    empty = rates("empty database")
    model = session.ours.start(chain.shape, chain.size)
    session.ours.wait([model], measuring.DEADLINE)
    begun = time.perf_counter()
    added = fill.with_copies(session.order.database, model=model, count=session.order.fill)
    filled = ", ".join(f"{rows:,} {table.removeprefix('workflows_app_')}" for table, rows in added.items())
    session.told(f"filled in {time.perf_counter() - begun:.0f} s: {filled}")
    return {
        "plain": empty,
        "ours": rates(f"{session.order.fill:,} finished"),
        "against": "ours, empty database",
        "busy": busy,
        "note": f"rows filled: {filled}",
    }


MEASURES: Final[dict[str, tuple[str, str, Callable[[Session], dict[str, Any]]]]] = {
    "RSS": ("memory of a worker process after 10,000 steps", "MB", memory),
    "length": ("chains of 1,000 against chains of 10", Measure.STEPS, length),
    "items": ("a foreach over 10,000 items against 100", Measure.STEPS, items),
    "width": ("a join of 1,000 parallel steps", Measure.STEPS, width),
    "history": ("W1 over finished instances", Measure.STEPS, history),
}
"""By key: title, unit, measure."""
