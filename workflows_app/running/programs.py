"""The processes of an installation on one machine, each with its command line."""

from __future__ import annotations

import sys
from typing import Final

from workflows_app.running import folder_broker
from workflows_app.running.arrangement import Arrangement
from workflows_app.running.supervisor import Program

# Steps mostly wait for the network; four at a time keep two cores busy.
WORKER_PROCESSES: Final = 4
LONG_PROCESSES: Final = 2
FLOWER_CONF: Final = "--conf=orchestrator/flowerconfig.py"
# Workers that talk to each other keep an idle machine busy; Flower needs to hear from them now and then.
QUIET: Final = ("--without-gossip", "--without-mingle", "--heartbeat-interval", "30", "--loglevel", "WARNING")


def of(arrangement: Arrangement, *, password: str, workers: int = WORKER_PROCESSES) -> list[Program]:
    """Every process but the database.

    Args:
        password: for Flower's log-in, unless ``FLOWER_BASIC_AUTH`` says otherwise.
        workers: processes of the worker for the default queue.
    """
    common = arrangement.environment

    def python(name: str, *arguments: str, **more: str) -> Program:
        return Program(name=name, command=[sys.executable, *arguments], environment={**common, **more})

    def celery(name: str, *arguments: str, **more: str) -> Program:
        return python(name, "-m", "celery", "-A", "orchestrator", *arguments, **more)

    def forget_flower() -> None:
        if arrangement.embedded_broker:
            folder_broker.forget_queues(arrangement.broker_dir, "celeryev")

    flower = celery("flower", "flower", f"--port={arrangement.flower.number}", FLOWER_CONF, **flower_settings(password))
    return [
        python("shop", "-m", "examples.order_processing.shop", "--port", str(arrangement.shop.number))
        if not arrangement.shop_url
        else python(
            "shop",
            *("-m", "examples.order_processing.shop", "--port", str(arrangement.shop.number)),
            DATABASE_URL=arrangement.shop_url,
        ),
        python(
            "web",
            *("-m", "uvicorn", "orchestrator.asgi:application"),
            *("--host", arrangement.host, "--port", str(arrangement.web.number)),
            # Nobody stands in front of this server: a forwarded address would be a visitor's own invention.
            *("--no-access-log", "--no-server-header", "--no-proxy-headers"),
            *("--lifespan", "off", "--log-level", "warning"),
            # Streams of live pages would hold up the end of the process; browsers connect again.
            *("--timeout-graceful-shutdown", "2"),
        ),
        celery("worker", *worker("default", processes=workers)),
        celery("long", *worker("long", processes=LONG_PROCESSES), "--prefetch-multiplier", "1"),
        python("sweep", "manage.py", "sweep"),
        celery("beat", "beat", "--pidfile=", "--loglevel", "WARNING"),
        Program(name=flower.name, command=flower.command, environment=flower.environment, after_end=forget_flower),
    ]


def worker(queue: str, *, processes: int) -> tuple[str, ...]:
    """Arguments of a worker that consumes ``queue`` with a pool of ``processes``."""
    return ("worker", "-Q", queue, "-n", f"{queue}@%h", "-P", "prefork", "-c", str(processes), *QUIET)


def flower_settings(password: str) -> dict[str, str]:
    """Flower's variables: on loopback, behind a log-in; in the environment, as command lines are public."""
    import os

    return {
        "FLOWER_ADDRESS": "127.0.0.1",
        "FLOWER_BASIC_AUTH": os.environ.get("FLOWER_BASIC_AUTH") or f"admin:{password}",
        "FLOWER_MAX_TASKS": "10000",
        "FLOWER_ENABLE_EVENTS": "True",
    }
