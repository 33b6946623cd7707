"""``python -m tests.benchmarks``: start the servers, run a session for each arrangement, show what came out."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg2

from tests.benchmarks import flatness, machine, plot, report, servers
from tests.benchmarks.fleet import POOLS
from tests.benchmarks.rows import Row, at_their_best, read
from tests.benchmarks.session import Order
from tests.benchmarks.workloads import KEYS, WORKLOADS, Fusion, Shape
from tests.services.database import Cluster
from tests.services.processes import Process

FILL: Final = 200_000
BOTH: Final = "both"
# Not on a file system in memory, as /tmp may be: commits must reach a disk.
PLACE: Final = "/var/tmp"
TITLE: Final = "Orchestrator ÷ plain Celery"


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    known = [*KEYS, *flatness.MEASURES]
    parser.add_argument(
        "--broker", choices=[*servers.BROKERS, BOTH], help="both by default; one that is there if small"
    )
    parser.add_argument("--pool", choices=[*POOLS, BOTH], help="one worker of two processes, or two of one (both)")
    parser.add_argument("--fusion", choices=["on", "off", BOTH], default=BOTH, help="off: step by step only")
    parser.add_argument("--only", metavar="W1,W4", help=f"some of {', '.join(known)}")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each side (3)")
    parser.add_argument("--small", action="store_true", help="reduced sizes, one broker, one pool: a minute or two")
    parser.add_argument("--flatness", action="store_true", help="with the measure over many finished instances")
    parser.add_argument("--fill", type=int, default=FILL, help=f"how many finished instances that is ({FILL})")
    parser.add_argument("--results", choices=["redis", "rpc"], default="redis", help="the yardstick's, on RabbitMQ")
    parser.add_argument("--patience", type=float, default=0, help="seconds to wait for a quiet machine before a run")
    parser.add_argument(
        "--statements", action="store_true", help="tell what the database did; needs half a minute each"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios as SVG")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the logs of the sessions' processes here")
    chosen = parser.parse_args(arguments)
    chosen.only = chosen.only.split(",") if chosen.only else default_keys(chosen)
    if unknown := sorted(set(chosen.only) - set(known)):
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(known)}")
    if chosen.repeat < 1:
        parser.error("--repeat: at least one turn")
    return chosen


def default_keys(chosen: argparse.Namespace) -> list[str]:
    """What is run where ``--only`` names nothing."""
    if chosen.small:
        return list(KEYS)
    return [key for key in (*KEYS, *flatness.MEASURES) if chosen.flatness or key != "history"]


def arrangements(chosen: argparse.Namespace, broker: str, *, first: bool) -> list[tuple[str, Fusion, list[str]]]:
    """The sessions on one broker: pool, fusion, keys.

    Args:
        first: no other broker comes before: what is measured once only is measured here.
    """
    pools = (
        list(POOLS) if chosen.pool == BOTH or (chosen.pool is None and not chosen.small) else [chosen.pool or "prefork"]
    )
    twice = {workload.key for workload in WORKLOADS if workload.both}
    found = []
    for number, pool in enumerate(pools):
        once = first and number == 0
        if chosen.fusion != "off":
            keys = [key for key in chosen.only if once or key not in flatness.MEASURES]
            found.append((pool, Fusion.ON, keys))
        if chosen.fusion != "on":
            keys = [key for key in chosen.only if key in twice or (chosen.fusion == "off" and key in KEYS)]
            found.append((pool, Fusion.OFF, keys))
    return [arrangement for arrangement in found if arrangement[2]]


def measurable(keys: Sequence[str], *, results: str) -> list[str]:
    """The keys that plain Celery can be measured on with a kind of results: the backend ``rpc`` refuses chords."""
    chords = {workload.key for workload in WORKLOADS if workload.shape in (Shape.FAN, Shape.BLOCK)}
    return [key for key in keys if results != "rpc" or key not in chords]


def tell(sentence: str) -> None:
    """Say on standard error what goes on."""
    print(sentence, file=sys.stderr, flush=True)


class Run:
    """One call of the program: servers, sessions, rows."""

    def __init__(self, chosen: argparse.Namespace, folder: Path) -> None:
        self.chosen = chosen
        self.folder = folder
        self.logs = chosen.logs or folder / "logs"
        self.rows: list[Row] = []
        self.statements: list[dict[str, Any]] = []
        self.machine: dict[str, Any] = {}

    def perform(self) -> None:
        """Run everything that was chosen.

        Raises:
            Missing: no broker is there.
        """
        self.machine = machine.facts(self.folder)
        ran: list[str] = []
        with servers.databases(self.folder) as cluster:
            self.machine["postgresql"] = database_facts(cluster)
            for name in self._brokers():
                try:
                    self._on(name, cluster, first=not ran)
                    ran.append(name)
                except servers.Missing as problem:
                    tell(f"{name} is left out: {problem}")
                if self.chosen.small and self.chosen.broker is None and ran:
                    break
        if not ran:
            raise servers.Missing("No broker to measure on: install redis-server or rabbitmq-server.")

    def _brokers(self) -> list[str]:
        return list(servers.BROKERS) if self.chosen.broker in (None, BOTH) else [self.chosen.broker]

    def _on(self, name: str, cluster: Cluster, *, first: bool) -> None:
        with servers.broker(name, self.folder / name, results=self.chosen.results) as broker:
            self.machine[name] = {"version": servers.version(broker), "yardstick_results": broker.results_kind}
            for pool, fusion, wanted in arrangements(self.chosen, name, first=first):
                keys = measurable(wanted, results=broker.results_kind)
                if left_out := [key for key in wanted if key not in keys]:
                    tell(f"{', '.join(left_out)} left out: {broker.results_kind} results know no chords")
                if not keys:
                    continue
                tell(f"{name}, {pool}, {fusion}: {', '.join(keys)}")
                self._session(broker, cluster, pool, fusion, keys)

    def _session(self, broker: servers.Broker, cluster: Cluster, pool: str, fusion: Fusion, keys: list[str]) -> None:
        folder = self.logs / f"{broker.name}-{pool}-{fusion.replace(' ', '-')}"
        folder.mkdir(parents=True, exist_ok=True)
        database = servers.fresh(cluster)
        order = Order(
            broker=broker.name,
            pool=pool,
            fusion=fusion,
            url=broker.url,
            plain_url=broker.plain_url,
            results_url=broker.results_url,
            database_url=database.url,
            admin_url=database.admin_url,
            folder=str(folder),
            only=keys,
            repeat=self.chosen.repeat,
            small=self.chosen.small,
            patience=self.chosen.patience,
            statements=self.chosen.statements,
            fill=self.chosen.fill,
        )
        process = Process(
            "session",
            [sys.executable, "-m", "tests.benchmarks.session"],
            environment=order.environment(),
            log=folder / "session.log",
            pipes=True,
        )
        with process:
            orders, answers = process.popen.stdin, process.popen.stdout
            orders.write(order.as_line())
            orders.flush()
            done = False
            for line in answers:
                message = json.loads(line)
                done = done or message.get("done", False)
                if "told" in message:
                    tell(f"  {message['told']}")
                if "row" in message:
                    self.rows.append(read(message["row"]))
                if "statements" in message:
                    place = {"broker": broker.name, "pool": pool, "variant": fusion}
                    self.statements.append({**place, **message["statements"]})
        if not done:
            raise RuntimeError(f"the session broke off\n{process.tail(30)}")


def database_facts(cluster: Cluster) -> dict[str, str]:
    """PostgreSQL's version and what makes it durable."""
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")
    with closing(psycopg2.connect(cluster.admin_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, current_setting(name) FROM unnest(%s) AS n(name)", [list(names)])
        return dict(cursor.fetchall())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 where something broke or a ratio missed its target by more than half, else 0."""
    chosen = options(arguments)
    # Told to end, it takes its servers and workers along and removes its folder, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = PLACE if os.access(PLACE, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-", dir=place, ignore_cleanup_errors=True) as folder:
        run = Run(chosen, Path(folder))
        try:
            run.perform()
        except servers.Missing as problem:
            tell(str(problem))
            return 1
        except KeyboardInterrupt:
            tell("interrupted")
            return 130
    run.rows += at_their_best(run.rows)
    print(report.table(run.rows))
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(report.document(run.rows, run.machine, run.statements), encoding="utf-8")
    if chosen.plot:
        chosen.plot.parent.mkdir(parents=True, exist_ok=True)
        chosen.plot.write_text(plot.svg(run.rows, TITLE), encoding="utf-8")
    judged = [row for row in run.rows if row.held is not None]
    print(f"\n{sum(row.held is True for row in judged)} of {len(judged)} targets held.")
    gross = [f"{row.workload} ({row.broker}, {row.pool}, {row.variant})" for row in run.rows if row.grossly_missed]
    if gross:
        print(f"Broken, or missed by more than half: {', '.join(gross)}")
    return 1 if gross else 0


if __name__ == "__main__":
    sys.exit(main())
