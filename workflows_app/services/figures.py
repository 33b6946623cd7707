"""Figures: how busy a process and its machine are. For people; nothing is decided by them.

A process measures itself with the children of its pool. Rates are those since it measured last.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings


class Meter:
    """Measures this process, its children and the machine.

    What needs two looks is missing from the first, and what the system does not tell from all of them.
    """

    def __init__(self) -> None:
        self._at: float | None = None
        self._cpu: dict[int, float] = {}
        self._network: tuple[int, int] | None = None

    def read(self) -> dict[str, Any]:
        """Return the figures of now.

        Returns:
            ``cpu``: percent of one processor, of the process and its children; ``memory``: bytes that they hold
            (RSS; pages that they share count for each); ``host_cpu``: percent of all processors; ``processors``;
            ``host_memory``, ``host_memory_used``, ``disk``, ``disk_free``: bytes, of the disk with the state folder;
            ``sent``, ``received``: bytes a second over the machine's network.
        """
        at = time.monotonic()
        seconds = None if self._at is None else at - self._at
        self._at = at
        found: dict[str, Any] = {}
        for part in (self._processes, self._memory, self._rates, self._disk):
            # Whoever cannot be measured is there all the same.
            with suppress(psutil.Error, OSError, RuntimeError):
                found |= part(seconds)
        return found

    def _memory(self, _: float | None) -> dict[str, Any]:
        memory = psutil.virtual_memory()
        return {
            "processors": psutil.cpu_count() or 1,
            "host_memory": memory.total,
            "host_memory_used": memory.total - memory.available,
        }

    def _disk(self, _: float | None) -> dict[str, Any]:
        disk = psutil.disk_usage(str(_existing(Path(settings.STATE_DIR))))
        return {"disk": disk.total, "disk_free": disk.free}

    def _processes(self, seconds: float | None) -> dict[str, Any]:
        spent: dict[int, float] = {}
        held = 0
        here = psutil.Process()
        for each in (here, *here.children(recursive=True)):
            with suppress(psutil.Error):  # it may be over by now
                with each.oneshot():
                    times = each.cpu_times()
                    held += each.memory_info().rss
                spent[each.pid] = times.user + times.system
        before, self._cpu = self._cpu, spent
        if not seconds:
            return {"memory": held}
        used = sum(max(0.0, now - before.get(pid, 0.0)) for pid, now in spent.items())
        return {"memory": held, "cpu": round(100 * used / seconds, 1)}

    def _rates(self, seconds: float | None) -> dict[str, Any]:
        percent = psutil.cpu_percent(interval=None)
        network = psutil.net_io_counters()
        before, self._network = self._network, None if network is None else (network.bytes_sent, network.bytes_recv)
        if not seconds:
            return {}
        found: dict[str, Any] = {"host_cpu": percent}
        if before is not None and network is not None:
            found["sent"] = round(max(0, network.bytes_sent - before[0]) / seconds)
            found["received"] = round(max(0, network.bytes_recv - before[1]) / seconds)
        return found


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
