"""Loads: how busy each process and each host is, now and over the last hours, for the page of operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.models import Worker
from workflows_app.selectors.samples import Samples
from workflows_app.ui.sparklines import Sparkline, sparkline


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLoad:
    """A process that says how busy it is; ``figures`` are those of now."""

    row: Worker
    figures: Mapping[str, Any]
    cpu: Sparkline | None
    memory: Sparkline | None
    busy: Sparkline | None

    @property
    def idle(self) -> int | None:
        """How many of its processes have nothing to do; ``None`` of one without a pool."""
        busy = self.figures.get("busy")
        return None if busy is None else max(0, self.figures.get("processes", 1) - busy)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """A machine, by what the process on it said that was heard of last."""

    name: str
    figures: Mapping[str, Any]
    cpu: Sparkline | None
    memory: Sparkline | None
    disk_free: Sparkline | None
    sent: Sparkline | None
    received: Sparkline | None


def of_processes(rows: Iterable[Worker], samples: Samples) -> list[ProcessLoad]:
    """Return the load of each process that said anything of it."""
    found = []
    for row in rows:
        if row.figures:
            curves = samples.processes.get((row.kind, row.name, row.host), {})
            found.append(
                ProcessLoad(
                    row=row,
                    figures=row.figures,
                    cpu=sparkline(curves.get("cpu", ()), top=100.0),
                    memory=sparkline(curves.get("memory", ())),
                    busy=sparkline(curves.get("busy", ()), top=float(row.processes)),
                )
            )
    return found


def of_hosts(rows: Iterable[Worker], samples: Samples) -> list[HostLoad]:
    """Return the load of each host that a process is on which said anything of it."""
    last: dict[str, Worker] = {}
    for row in rows:
        if "host_memory" in row.figures and (row.host not in last or row.seen_at > last[row.host].seen_at):
            last[row.host] = row
    found = []
    for name, row in sorted(last.items()):
        curves = samples.hosts.get(name, {})
        found.append(
            HostLoad(
                name=name,
                figures=row.figures,
                cpu=sparkline(curves.get("host_cpu", ()), top=100.0),
                memory=sparkline(curves.get("host_memory_used", ()), top=row.figures["host_memory"]),
                disk_free=sparkline(curves.get("disk_free", ()), top=row.figures.get("disk")),
                sent=sparkline(curves.get("sent", ())),
                received=sparkline(curves.get("received", ())),
            )
        )
    return found
