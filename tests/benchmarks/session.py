"""One arrangement (broker, pool, fusion) in a process of its own: ``python -m tests.benchmarks.session``.

Django and Celery read their settings once, so every arrangement needs a fresh client. The process reads an order (one
line of JSON) from standard input and writes lines of JSON: ``{"told": sentence}`` and ``{"row": row}``, at last
``{"done": true}``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from celery import Celery

from tests.benchmarks import measuring, plain, statements
from tests.benchmarks.fleet import Fleet
from tests.benchmarks.rows import Row
from tests.benchmarks.servers import Database
from tests.benchmarks.workloads import FUSION_VARIABLE, WORKLOADS, Fusion, Measure, Workload
from tests.benchmarks.yardstick import Yardstick
from tests.services.processes import REPOSITORY

ACTIVITIES = "tests.benchmarks.activities"
"""The module of what our workers perform beside the activities that ship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a session has to do.

    Args:
        broker, pool, fusion: the arrangement.
        url, plain_url, results_url: addresses of the broker for us, for the yardstick, and of its results.
        database_url, admin_url: the session's own database, as the application and as a superuser.
        folder: for logs and state.
        only: keys of the workloads, or of the measures of ``flatness``.
        repeat: turns of each side.
        small: reduced sizes.
        patience: seconds to wait for a quiet machine before each run.
        statements: tell what the database did for each workload.
        fill: finished instances for the measures of flatness; 0 leaves them out.
    """

    broker: str
    pool: str
    fusion: str
    url: str
    plain_url: str
    results_url: str
    database_url: str
    admin_url: str
    folder: str
    only: list[str]
    repeat: int
    small: bool
    patience: float
    statements: bool = False
    fill: int = 0

    @property
    def database(self) -> Database:
        """The session's database."""
        return Database(url=self.database_url, admin_url=self.admin_url)

    def environment(self) -> dict[str, str]:
        """The whole environment of the session and of every process of it: the product's own settings, no others."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            "ORCHESTRATOR_ENV": "dev",
            "ORCHESTRATOR_STATE_DIR": self.folder,
            "DATABASE_URL": self.database_url,
            "CELERY_BROKER_URL": self.url,
            "ORCHESTRATOR_ACTIVITIES": ACTIVITIES,
            plain.BROKER_VARIABLE: self.plain_url,
            plain.RESULTS_VARIABLE: self.results_url,
            # On is the default, and what is measured is what ships.
            **({FUSION_VARIABLE: "off"} if self.fusion == Fusion.OFF else {}),
        }

    def as_line(self) -> str:
        """The order as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


class Session:
    """Both sides of one arrangement, with their workers."""

    def __init__(self, order: Order, tell: Callable[..., None]) -> None:
        from celery import current_app

        from tests.benchmarks.ours import Ours

        self.order = order
        self._tell = tell
        self.plain, self.ours = Yardstick(), Ours()
        folder = Path(order.folder)
        environment = order.environment()

        def fleet(name: str, application: str, queue: str, app: Celery, **beside: list[str]) -> Fleet:
            return Fleet(
                name,
                application=application,
                queue=queue,
                pool=order.pool,
                beside=beside,
                environment=environment,
                folder=folder,
                # On RabbitMQ both sides' workers hear the question.
                ping=lambda: [
                    node for answer in app.control.ping(timeout=0.5) or [] for node in answer if node.startswith(queue)
                ],
            )

        app: Celery = current_app._get_current_object()  # type: ignore[attr-defined]
        self.plain_fleet = fleet("plain", "tests.benchmarks.plain", "celery", plain.app)
        self.our_fleet = fleet("ours", "orchestrator", "default", app, sweep=["manage.py", "sweep"])

    @property
    def fleets(self) -> tuple[Fleet, Fleet]:
        """The workers of both sides."""
        return self.plain_fleet, self.our_fleet

    def start(self) -> None:
        """Start the workers of both sides."""
        for fleet in self.fleets:
            fleet.start()

    def stop(self) -> None:
        """Kill the workers of both sides."""
        for fleet in self.fleets:
            fleet.stop()

    def told(self, sentence: str) -> None:
        """Say what is going on."""
        self._tell(told=sentence)

    def row(self, **more: Any) -> None:
        """Hand back a row of this arrangement."""
        arrangement = {"broker": self.order.broker, "pool": self.order.pool, "variant": self.order.fusion}
        self._tell(row=Row(**{**arrangement, **more}).as_dict())

    def run(self, workload: Workload) -> None:
        """Measure a workload; what breaks is a row too, and the next one begins anew."""
        consumed = workload.measure is not Measure.STARTS
        if not consumed:
            self.stop()
        common = {"workload": workload.key, "title": workload.title, "unit": workload.measure}
        target = workload.targets.get((self.order.broker, Fusion(self.order.fusion)))
        try:
            values, busy = measuring.measure(
                (self.plain, self.ours),
                workload,
                repeat=self.order.repeat,
                patience=self.order.patience,
                clean=self.order.database.empty,
                told=self.told,
            )
            for name, found in values.items():
                self.row(
                    **{**common, "workload": f"{workload.key} {name}".strip()},
                    plain=found["plain"],
                    ours=found["ours"],
                    target=target if name in ("", "p50") else None,
                    busy=busy,
                )
            if self.order.statements and workload.measure is Measure.STEPS:
                done = statements.of_run(self.order.database, lambda: measuring.rate(self.ours, workload))
                self._tell(statements={"workload": workload.key, "steps": workload.steps, **done})
        except Exception as problem:
            logs = "\n".join(fleet.tails() for fleet in self.fleets) if consumed else ""
            print(f"{traceback.format_exc()}\n{logs}", file=sys.stderr, flush=True)
            self.row(**common, target=target, error=f"{type(problem).__name__}: {problem}"[:500])
            self.begin_anew()
        if not consumed:
            self.start()

    def begin_anew(self) -> None:
        """Throw away everything under way on both sides, and start fresh workers."""
        self.stop()
        for side in (self.plain, self.ours):
            with suppress(Exception):
                side.purge()
        self.order.database.empty()
        self.start()


def main() -> None:
    """Do what the order on standard input says."""
    # Killed from outside, the workers must go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    order = Order(**json.loads(sys.stdin.readline()))
    answers = sys.stdout
    # Nothing else may write between the lines of JSON.
    sys.stdout = sys.stderr

    def tell(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    import django

    from orchestrator.environment import use_settings

    use_settings()
    django.setup()

    from tests.benchmarks import flatness

    if order.statements:
        statements.enable(order.database)
    session = Session(order, tell)
    try:
        session.start()
        for workload in WORKLOADS:
            if workload.key in order.only:
                session.run(workload.reduced() if order.small else workload)
        flatness.run(session, order.only)
    finally:
        session.stop()
    tell(done=True)


if __name__ == "__main__":
    main()
