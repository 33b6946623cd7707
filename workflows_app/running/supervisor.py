"""A small process supervisor: restarts what ends, with back-off, and takes everything along when it goes.

Each child leads a session and process group of its own, so that a terminal's Ctrl-C reaches the supervisor alone and
nothing but its own children is ever signalled. If the supervisor itself is killed, Linux signals the children and
the watchdog ends whatever they leave.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workflows_app.running import watchdog
from workflows_app.running.parent_death import follow_parent

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
# A child that ran this long was sound: its next end starts the back-off anew.
SOUND_SECONDS: Final = 30.0
LOG_BYTES: Final = 10_000_000


def restart_delay(failures: int) -> float:
    """Seconds to wait before a start after ``failures`` ends in a row: 0.5, 1, 2, 4, … at most 30.

    >>> [restart_delay(n) for n in (1, 2, 3, 8)]
    [0.5, 1.0, 2.0, 30.0]
    """
    return min(FIRST_DELAY * 2.0 ** (failures - 1), LONGEST_DELAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run.

    Args:
        name: unique; names the log file.
        command: program and arguments.
        environment: variables on top of the supervisor's own.
        after_end: called after each end of the process, before the next start.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    after_end: Callable[[], None] | None = None


@dataclass(slots=True, kw_only=True)
class Child:
    """The running side of a program."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    restarts: int = 0
    next_start: float = 0.0


class Supervisor:
    """Runs programs until ``stop``. To be made and used in the main thread.

    Args:
        log_dir: folder for one log per program.
        directory: working directory of the children.
        clock: seconds from any fixed point; injected by tests.
        tell: receives a sentence for people when a child ended by itself.
    """

    def __init__(
        self,
        *,
        log_dir: Path,
        directory: Path,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.log_dir = log_dir
        self.directory = directory
        self.children: dict[str, Child] = {}
        self._clock = clock
        self._tell = tell
        log_dir.mkdir(parents=True, exist_ok=True)
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", watchdog.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def add(self, program: Program) -> None:
        """Start ``program`` and keep it running from now on."""
        child = self.children[program.name] = Child(program=program)
        self._start(child)

    def guard(self, group: int) -> None:
        """Let the watchdog end a process group that the caller started and stops itself."""
        self._note(f"+{group}")

    def pid(self, name: str) -> int | None:
        """Process id of a child, None while it is down."""
        process = self.children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def kill(self, name: str) -> int | None:
        """SIGKILL a child with its whole process group, as an accident would; it is started again like after one."""
        pid = self.pid(name)
        if pid is not None:
            signal_group(pid, signal.SIGKILL)
        return pid

    def poll(self) -> None:
        """Notice children that ended and start those whose back-off is over. To be called every second or so."""
        for child in self.children.values():
            if child.process is None:
                if self._clock() >= child.next_start:
                    child.restarts += 1
                    self._start(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            lived = self._clock() - child.started
            child.failures = 1 if lived >= SOUND_SECONDS else child.failures + 1
            delay = restart_delay(child.failures)
            child.next_start = self._clock() + delay
            self._ended(child)
            name = child.program.name
            self._tell(f"{name} {ending(code)}; started again in {delay:g} s (see {self.log(name)})")

    def stop(self, *, seconds: float = 6.0) -> None:
        """Ask every child to end, then end what is left after ``seconds``; nothing of them stays."""
        running = [child for child in self.children.values() if child.process is not None]
        for child in running:
            assert child.process is not None
            # To the leader alone: it knows how to end its own children without losing their work.
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        deadline = time.monotonic() + seconds
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                signal_group(child.process.pid, signal.SIGKILL)
                child.process.wait()
            self._ended(child)
        self.children.clear()

    def close(self) -> None:
        """Send the watchdog home; to be called last."""
        self._note("bye")
        if self._watchdog.stdin is not None:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.close()
        self._watchdog.wait()

    def log(self, name: str) -> Path:
        """Where the output of the program ``name`` goes."""
        return self.log_dir / f"{name}.log"

    def _start(self, child: Child) -> None:
        program = child.program
        path = self.log(program.name)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            child.process = subprocess.Popen(  # noqa: S603 - our own command lines
                list(program.command),
                env={**os.environ, **program.environment},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGTERM),
            )
        child.started = self._clock()
        self._note(f"+{child.process.pid}")

    def _ended(self, child: Child) -> None:
        assert child.process is not None
        # What the leader left behind, like the pool of a worker that was killed.
        signal_group(child.process.pid, signal.SIGKILL)
        self._note(f"-{child.process.pid}")
        child.process = None
        if child.program.after_end is not None:
            child.program.after_end()

    def _note(self, line: str) -> None:
        if self._watchdog.stdin is not None and not self._watchdog.stdin.closed:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.write(line + "\n")
                self._watchdog.stdin.flush()


def signal_group(group: int, sign: signal.Signals) -> None:
    """Send ``sign`` to a process group, if any of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sign)


def ending(code: int) -> str:
    """How a process ended, in words.

    >>> ending(-9), ending(1)
    ('was killed by SIGKILL', 'ended with code 1')
    """
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
