"""One subprocess in a group of its own, which never outlives the test that started it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from workflows_app.running.parent_death import follow_parent

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin")
PATIENCE = 300.0
"""Seconds for whatever takes a moment on an idle machine; waiting longer costs nothing where the condition holds."""

PORT_SHARES = 16

Answer = TypeVar("Answer")


def require(binary: str, *others: str) -> str:
    """Find an installed server, or the browser.

    Args:
        binary: its file name, for example ``redis-server``.
        others: names that it has on other systems.

    Returns:
        Its path. A missing one skips the test by name; with ``ORCHESTRATOR_REQUIRE_BROKERS=1`` it fails it.
    """
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    found = (shutil.which(name, path=folders) for name in (binary, *others))
    path = next(filter(None, found), None)
    if path is None:
        reason = f"{binary} is not installed"
        if os.environ.get("ORCHESTRATOR_REQUIRE_BROKERS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on at this moment.

    Not one of those that the system gives to whoever connects somewhere (from 32768 on Linux, 49152 elsewhere): a
    server that is killed and started again on its port would find it in use, even by those that look for the server.
    Each of pytest-xdist's workers has ports of its own: none takes what another one has chosen and not bound yet.
    """
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_SHARES
    while True:
        port = random.SystemRandom().randrange(15_000 + place, 32_000, PORT_SHARES)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def eventually(
    condition: Callable[[], Answer], deadline: float, message: str | Callable[[], str], *, every: float = 0.05
) -> Answer:
    """Wait until a condition holds.

    Args:
        condition: asked again and again; holds when its answer is true.
        deadline: seconds to wait at most; ``PATIENCE`` unless the time itself is what the test is about.
        message: what is said when the time is over, or a function that says it.
        every: seconds between two questions.

    Returns:
        The condition's first true answer.

    Raises:
        AssertionError: when the deadline passes.
    """
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            text = message() if callable(message) else message
            raise AssertionError(f"not within {deadline:g} s: {text}")
        time.sleep(every)


def descendants(pid: int) -> list[int]:
    """The processes below one, children before grandchildren (empty where there is no ``/proc``)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = entry.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found: list[int] = []
    frontier = [pid]
    while frontier:
        frontier = [child for parent in frontier for child in children.get(parent, [])]
        found.extend(frontier)
    return found


def running(pid: int) -> bool:
    """Whether a process exists and is more than an entry that its parent has not collected yet."""
    try:
        os.kill(pid, 0)
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except (OSError, IndexError):
        return not Path("/proc").is_dir()


class Process:
    """A subprocess with a process group and a log file of its own.

    Args:
        name: for messages and the log's file name.
        arguments: the command line.
        environment: the whole environment of the process.
        log: the file that takes its output; appended to on every start.
        cwd: its working directory.
        pipes: give it pipes for standard input and output instead of nothing and the log.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        cwd: Path = REPOSITORY,
        pipes: bool = False,
    ) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.environment = dict(environment)
        self.log = log
        self.cwd = cwd
        self.pipes = pipes
        self.popen: subprocess.Popen[Any] | None = None

    @property
    def pid(self) -> int:
        assert self.popen is not None, f"{self.name} was never started"
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    @property
    def children(self) -> list[int]:
        return descendants(self.pid)

    def start(self) -> None:
        """Start it; the caller waits until it is ready."""
        assert not self.alive, f"{self.name} already runs"
        self._release()
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.arguments,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.PIPE if self.pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.pipes else output,
                stderr=output,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGTERM),
                text=True if self.pipes else None,
            )

    def kill(self) -> None:
        """SIGKILL to the whole group and whatever else descends from it, as a power cut would."""
        if self.popen is None:
            return
        below = self.children if self.alive else []
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._release()
        eventually(lambda: not any(map(running, below)), PATIENCE, f"{self.name}: the processes below it ended")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        os.killpg(self.pid, number)

    def stop(self, grace: float = 10.0) -> None:
        """SIGTERM to the process, then SIGKILL to the group once it ended or after ``grace`` seconds."""
        if self.alive:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(grace)
        self.kill()

    def tail(self, lines: int = 40) -> str:
        """The last lines of its log, for a message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"--- {self.name}: {self.log}\n" + "\n".join(text.splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], Any], deadline: float = PATIENCE, what: str = "ready") -> None:
        """Wait for readiness; a process that ends meanwhile is an error at once, with its log."""

        def condition() -> bool:
            # One that was ready, and was killed by its work before anybody looked, was ready.
            lives = self.alive
            done = bool(ready())
            assert done or lives, f"{self.name} ended before it was {what}\n{self.tail()}"
            return done

        eventually(condition, deadline, lambda: f"{self.name} {what}\n{self.tail()}")

    def _release(self) -> None:
        if self.popen is not None:
            self.popen.wait()
            for stream in (self.popen.stdin, self.popen.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
