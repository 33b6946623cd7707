"""The broker that needs no server, in folders of its own: it cannot be killed, but it can lose everything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUEUES = ("default", "long")


class Filesystem:
    """kombu's filesystem transport below a state folder that no other installation uses."""

    name = "filesystem"
    url = "filesystem://localhost/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"CELERY_BROKER_URL": self.url, "ORCHESTRATOR_STATE_DIR": str(folder)}

    def ping(self) -> bool:
        return True

    def flush(self) -> None:
        """Delete every message file of the product's queues."""
        for message in self._messages():
            with contextlib.suppress(FileNotFoundError):
                message.unlink()

    def waiting(self) -> int:
        """How many messages no worker has taken yet, in all queues of the product."""
        return len(self._messages())

    def _messages(self) -> list[Path]:
        folder = self.folder / "broker" / "messages"
        return [message for queue in QUEUES for message in (folder / queue).glob("*.msg")]

    def forget(self) -> None:
        """Lose every message, as ``flush`` does."""
        self.flush()


@contextmanager
def running(folder: Path) -> Iterator[Filesystem]:
    """A filesystem broker below ``folder``."""
    yield Filesystem(folder)
