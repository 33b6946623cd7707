"""Presence of a worker: a thread of its main process says every few seconds that it is there, and what it takes.

It opens a connection each time and gives it back: between two signs nothing is held, and a pool that forks meanwhile
inherits nothing.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from celery.worker import state
from django.db import Error, connection

from tasks import tallies
from workflows_app.activities import registry
from workflows_app.services import figures, presence

log = logging.getLogger(__name__)

_over = threading.Event()


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Start the thread once the worker takes messages."""
    _over.clear()
    threading.Thread(target=_go_on, args=[sender], name="presence", daemon=True).start()


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """Let the thread take the worker off the list; running attempts may still finish."""
    _over.set()


def _go_on(consumer: Any) -> None:
    meter = figures.Meter()
    while not _over.is_set():
        _try(lambda: sign_of(consumer, meter).give())
        _over.wait(presence.INTERVAL)
    _try(lambda: sign_of(consumer).withdraw())


def sign_of(consumer: Any, meter: figures.Meter | None = None) -> presence.Sign:
    """Return what a worker says of itself; its queues may change while it runs.

    Args:
        consumer: Celery's.
        meter: measures how busy it is; ``None``: it does not say.
    """
    processes = int(getattr(consumer.pool, "num_processes", None) or 1)
    return presence.Sign(
        kind="worker",
        name=str(consumer.hostname),
        queues=sorted(consumer.app.amqp.queues.consume_from),
        processes=processes,
        activities=[each.key for each in registry.all()],
        figures={} if meter is None else {**meter.read(), **_pool(processes)},
    )


def _pool(processes: int) -> dict[str, int]:
    """Return how many of a pool's processes are at work, and what they have done since it started."""
    return {
        "processes": processes,
        "busy": min(processes, len(state.active_requests)),
        "completed": tallies.total(tallies.COMPLETED),
        "failed": tallies.total(tallies.FAILED),
    }


def _try(act: Any) -> None:
    try:
        act()
    except Error as problem:
        log.info("the worker could not say that it is there: %s", problem)
    finally:
        connection.close()
