"""``manage.py sweep``: the loop that fires timers, takes over lost work and keeps the queues filled."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from workflows_app.management.answers import DONE, AnsweringCommand
from workflows_app.running import keeping
from workflows_app.services import figures, presence, sweep

log = logging.getLogger(__name__)


class Command(AnsweringCommand):
    help = "Fire timers, take over lost work, start who waited, keep queues filled. Run one or more beside the workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do one pass and end")
        parser.add_argument("--interval", type=float, default=0.5, help="longest pause between passes, in seconds")
        self.add_format(parser)

    def answer(self, *, once: bool, interval: float, **options: Any) -> int:
        if once:
            swept = sweep.run()
            self.show(
                {name: getattr(swept, name) for name in swept.__slots__},
                f"{swept.timers} timers fired, {swept.lost} lost and {swept.timed_out} overdue attempts ended, "
                f"{swept.begun} pending instances started, {swept.published} messages published, "
                f"{swept.sent_again} sent again, {swept.forgotten} cached results forgotten; "
                f"{swept.events} events handed over, {swept.expired} removed after their retention, "
                f"{swept.handed_over} notices between instances handed over",
            )
            return DONE
        self._loop(interval)
        return DONE

    def _loop(self, interval: float) -> None:
        stop = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: stop.set())
        keeping.begin(stop)
        meter, next_sign = figures.Meter(), 0.0
        while not stop.is_set():
            pause = interval
            try:
                swept = sweep.run()
                pause = min(interval, max(0.05, swept.next_due if swept.next_due is not None else interval))
            except (OperationalError, InterfaceError) as problem:
                log.warning("the sweep waits for the database: %s", problem)
                connection.close()
            except Exception:
                log.exception("a pass of the sweep broke off; the next one follows")
                connection.close()
            if time.monotonic() >= next_sign:
                self._give(_sign(meter.read()))
                next_sign = time.monotonic() + presence.INTERVAL
            stop.wait(pause)
        with suppress(DatabaseError, InterfaceError):
            _sign({}).withdraw()

    @staticmethod
    def _give(sign: presence.Sign) -> None:
        """Say that this sweeper is there; nothing depends on it."""
        try:
            sign.give()
            presence.forget_silent()
        except (DatabaseError, InterfaceError) as problem:
            log.info("the sweeper could not say that it is there: %s", problem)
            connection.close()


def _sign(read: Mapping[str, Any]) -> presence.Sign:
    return presence.Sign(kind="sweeper", name=f"sweep@{socket.gethostname()}", processes=0, figures=read)
