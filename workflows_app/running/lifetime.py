"""An installation from its first process to its last: everything that is started here is gone at the end."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from workflows_app.running import first_run, folder_broker, postgres, programs, roles
from workflows_app.running.arrangement import Arrangement
from workflows_app.running.interrupts import Interrupts
from workflows_app.running.supervisor import Supervisor

SERVING_SECONDS: Final = 60.0


class NotServingError(RuntimeError):
    """The pages did not answer in time; the message names the log to read."""


class Stopped(Exception):
    """Somebody asked to stop before everything ran."""


@contextmanager
def database(arrangement: Arrangement) -> Iterator[postgres.Server | None]:
    """The embedded PostgreSQL with its roles, until the end of the block; None where the database is somebody's own.

    Raises:
        PostgresError: it does not start.
    """
    if not arrangement.embedded_database:
        yield None
        return
    arrangement.log_dir.mkdir(parents=True, exist_ok=True)
    server = postgres.start(arrangement.postgres_dir, log=arrangement.log_dir / "postgres.log")
    try:
        roles.prepare(server.url)
        yield server
    finally:
        server.stop()


@contextmanager
def running(arrangement: Arrangement, interrupts: Interrupts, *, tell: Callable[[str], None]) -> Iterator[Supervisor]:
    """Database, schema, rights, broker folders, then every process; all ended at the end of the block.

    Args:
        interrupts: asked between the steps.
        tell: receives sentences for people.

    Raises:
        PostgresError, FirstRunError: a part without which nothing works.
        Stopped: somebody asked to stop meanwhile.
    """
    with ExitStack() as stack:
        server = stack.enter_context(database(arrangement))
        first_run.migrate(arrangement)
        if interrupts.asked:
            raise Stopped
        if arrangement.embedded_broker:
            # Messages of an earlier run: nobody knows them any more, and the database sends again what is due.
            folder_broker.empty(arrangement.broker_dir)
        # The parent publishes and reads too: under the same settings as its children.
        os.environ.update(arrangement.environment)
        supervisor = Supervisor(log_dir=arrangement.log_dir, directory=arrangement.base_dir, tell=tell)
        stack.callback(supervisor.close)
        stack.callback(supervisor.stop)
        if server is not None and server.process is not None:
            supervisor.guard(server.pid)
        for program in programs.of(arrangement, password=first_run.password(arrangement.state_dir)):
            supervisor.add(program)
        yield supervisor


def wait_until_serving(
    arrangement: Arrangement, supervisor: Supervisor, interrupts: Interrupts, *, seconds: float = SERVING_SECONDS
) -> None:
    """Wait until the pages answer.

    Raises:
        NotServingError: they do not within ``seconds``.
        Stopped: somebody asked to stop meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not answers(arrangement):
        if interrupts.asked:
            raise Stopped
        if time.monotonic() > deadline:
            log = supervisor.log("web")
            raise NotServingError(f"The pages do not answer; the end of {log}:\n{postgres.tail(log)}")
        supervisor.poll()
        interrupts.sleep(0.1)


def answers(arrangement: Arrangement) -> bool:
    """Whether the web process answers a request, with whatever page."""
    host = "127.0.0.1" if arrangement.host in ("0.0.0.0", "::") else arrangement.host  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(host, arrangement.web.number, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": "localhost"})
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()
