"""A private RabbitMQ node with its own port mapper, cookie, database and log; durable over a SIGKILL."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import amqp

from tests.services.processes import Process, free_port, require

# Debian's command changes to a user of its own; the script behind it runs as whoever starts it.
DEBIAN_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
QUEUES = ("default", "long")


class RabbitMQ:
    """One node on ports of its own, which it keeps over restarts."""

    name = "rabbitmq"

    def __init__(self, folder: Path, binary: str, mapper: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.mapper_port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.environment: dict[str, str] = {"CELERY_BROKER_URL": self.url}
        for part in ("mnesia", "log", "home", "config"):
            (folder / part).mkdir()
        config = folder / "config"
        (config / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 1MB\nlog.file.level = warning\n"
        )
        (config / "enabled_plugins").write_text("[].\n")
        (config / "env.conf").write_text("")
        self.mapper = Process(
            "epmd",
            [mapper, "-port", str(self.mapper_port), "-address", "127.0.0.1"],
            environment=self._environment(),
            log=folder / "epmd.log",
            cwd=folder,
        )
        self.process = Process(
            "rabbitmq-server",
            [str(DEBIAN_SCRIPT) if DEBIAN_SCRIPT.exists() else binary],
            environment=self._environment(),
            log=folder / "rabbitmq.log",
            cwd=folder,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"orchestrator{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "config" / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "config" / "env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "config" / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_PID_FILE": str(self.folder / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def start(self) -> None:
        if not self.mapper.alive:
            self.mapper.start()
            self.mapper.wait_until(lambda: _listens(self.mapper_port))
        self.process.start()
        self.process.wait_until(self.ping)

    def ping(self) -> bool:
        """Whether a client can log in."""
        try:
            with self.connection():
                return True
        except (OSError, amqp.exceptions.AMQPError):
            return False

    def flush(self) -> None:
        """Purge the product's queues: every ready message is gone, every connection stays."""
        for queue in QUEUES:
            with self.connection() as connection:
                try:
                    connection.channel().queue_purge(queue)
                except amqp.exceptions.NotFound:
                    continue

    def kill(self) -> None:
        """SIGKILL; what it wrote to disk stays."""
        self.process.kill()

    def stop(self) -> None:
        """End it and its port mapper. Nobody needs its data any more, so there is no orderly shutdown."""
        self.process.kill()
        self.mapper.stop()

    def restart(self) -> None:
        """SIGKILL and start again on the same port with what was on disk."""
        self.kill()
        self.start()

    def forget(self) -> None:
        """SIGKILL, lose the disk, start again: the counterpart of a FLUSHALL that also ends every connection."""
        self.kill()
        shutil.rmtree(self.folder / "mnesia")
        (self.folder / "mnesia").mkdir()
        self.start()

    def connection(self) -> amqp.Connection:
        return amqp.Connection(host=f"127.0.0.1:{self.port}", connect_timeout=30, read_timeout=30, write_timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(30)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(folder: Path) -> Iterator[RabbitMQ]:
    """A private RabbitMQ that lets clients in; stopped on exit."""
    server = RabbitMQ(folder, require("rabbitmq-server"), require("epmd"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
