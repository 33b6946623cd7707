"""A private Redis without persistence: killing it loses everything, as the fault matrix wants."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.services.processes import Process, free_port, require


class Redis:
    """One redis-server on a port of its own, which it keeps over restarts."""

    name = "redis"

    def __init__(self, folder: Path, binary: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.environment: dict[str, str] = {"CELERY_BROKER_URL": self.url}
        arguments = f"--port {self.port} --bind 127.0.0.1 --appendonly no --daemonize no --dir {folder}"
        self.process = Process(
            "redis-server",
            [binary, *arguments.split(), "--save", ""],
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            log=folder / "redis.log",
            cwd=folder,
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self.ping)

    def ping(self) -> bool:
        """Whether it answers."""
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def flush(self) -> None:
        """FLUSHALL: every queue, message and binding is gone, every connection stays."""
        with self.client() as client:
            client.flushall()

    def forget(self) -> None:
        """Lose every message, as ``flush`` does."""
        self.flush()

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.stop()

    def restart(self) -> None:
        """SIGKILL and start again on the same port, empty."""
        self.kill()
        self.start()

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=30, socket_connect_timeout=30, retry=Retry(NoBackoff(), 0))


@contextmanager
def running(folder: Path) -> Iterator[Redis]:
    """A private Redis that answers; stopped on exit."""
    server = Redis(folder, require("redis-server"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
