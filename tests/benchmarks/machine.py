"""What the figures were made on, and how quiet it was."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

Value = TypeVar("Value")

SAMPLE_SECONDS: Final = 0.3
QUIET_PERCENT: Final = 12.0
SYNCS: Final = 200
# macOS has only the other.
synchronise = getattr(os, "fdatasync", os.fsync)


def facts(folder: Path) -> dict[str, Any]:
    """The machine, its programs and the disk under ``folder``."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("celery", "kombu", "redis", "amqp", "Django", "psycopg2-binary")},
        "filesystem": filesystem(folder),
        "fdatasync_ms": round(sync_milliseconds(folder), 3),
    }


def processor() -> str:
    """The processor's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def filesystem(folder: Path) -> str:
    """The type of the file system that ``folder`` is on: on one in memory nothing is durable."""
    best = max(
        (part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)),
        key=lambda part: len(part.mountpoint),
        default=None,
    )
    return best.fstype if best else "unknown"


def sync_milliseconds(folder: Path) -> float:
    """How long it takes to make 8 kB durable: the floor under every commit."""
    path = folder / "sync"
    with path.open("wb") as file:
        begun = time.perf_counter()
        for _ in range(SYNCS):
            file.write(bytes(8192))
            file.flush()
            synchronise(file.fileno())
        spent = time.perf_counter() - begun
    path.unlink()
    return spent / SYNCS * 1000


def busy_percent() -> float:
    """Share of all cores in use while nothing of the benchmark is under way."""
    psutil.cpu_percent()
    time.sleep(SAMPLE_SECONDS)
    return float(psutil.cpu_percent())


def settle(patience: float) -> None:
    """Wait until others leave the machine alone, ``patience`` seconds at most."""
    end = time.monotonic() + patience
    while time.monotonic() < end and busy_percent() > QUIET_PERCENT:
        pass


def observed(run: Callable[[], Value], *, patience: float) -> tuple[Value, float]:
    """Run something on a machine that is quiet or will not become so.

    Args:
        run: what is run.
        patience: seconds to wait for quiet.

    Returns:
        What it returned, and the share of all cores (per cent) that others used meanwhile: programs outside the
        benchmark, and other machines on the same host.
    """
    settle(patience)
    everybody, own, clock = used_seconds(), own_seconds(os.getppid()), time.monotonic()
    value = run()
    others = (used_seconds() - everybody) - (own_seconds(os.getppid()) - own)
    spent = (time.monotonic() - clock) * (os.cpu_count() or 1)
    return value, round(max(0.0, others / spent * 100), 1) if spent else 0.0


def used_seconds() -> float:
    """Seconds of processor time that all programs have used, and that the host kept from this machine.

    Interrupts belong to nobody and are left out.
    """
    times = psutil.cpu_times()
    return float(times.user + getattr(times, "nice", 0) + times.system + getattr(times, "steal", 0))


def own_seconds(root: int) -> float:
    """Seconds of processor time that a process and everything below it have used."""
    found = 0.0
    top = psutil.Process(root)
    for process in (top, *top.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found += times.user + times.system
    return found
