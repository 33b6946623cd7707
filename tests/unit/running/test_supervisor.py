"""The supervisor restarts what ends, waits longer each time, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workflows_app.running.supervisor import Program, Supervisor, restart_delay

SLEEPER = "import time; time.sleep(600)"
# Asks for a polite end and refuses it; has a child in its group, like a worker with its pool.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError("the condition did not come true in time")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Iterator[Supervisor]:
    made = Supervisor(log_dir=tmp_path / "log", directory=tmp_path, clock=clock)
    yield made
    made.stop(seconds=0.2)
    made.close()


def printed_pid(supervisor: Supervisor, name: str) -> int:
    return int(str(wait_for(lambda: supervisor.log(name).exists() and supervisor.log(name).read_text().strip())))


def end_of(supervisor: Supervisor, name: str) -> None:
    """Poll until the supervisor has noticed that the child ended."""

    def noticed() -> bool:
        supervisor.poll()
        return supervisor.children[name].process is None

    wait_for(noticed)


def test_a_child_that_dies_is_started_again_after_the_delay(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.add(Program(name="worker", command=python(SLEEPER)))
    first = supervisor.kill("worker")
    end_of(supervisor, "worker")

    supervisor.poll()
    assert supervisor.pid("worker") is None, "not before its delay is over"
    clock.now += restart_delay(1)
    supervisor.poll()

    assert supervisor.pid("worker") not in (None, first)


def test_the_delay_doubles_while_a_child_keeps_dying_and_starts_anew_after_a_sound_run(
    supervisor: Supervisor, clock: Clock
) -> None:
    supervisor.add(Program(name="broken", command=python("raise SystemExit(3)")))
    delays = []
    for _ in range(3):
        end_of(supervisor, "broken")
        child = supervisor.children["broken"]
        delays.append(child.next_start - clock.now)
        clock.now = child.next_start
        supervisor.poll()
    clock.now += 60
    end_of(supervisor, "broken")

    assert delays == [0.5, 1.0, 2.0]
    assert supervisor.children["broken"].failures == 1


def test_people_are_told_what_ended_how_and_where_the_log_is(tmp_path: Path, clock: Clock) -> None:
    told: list[str] = []
    supervisor = Supervisor(log_dir=tmp_path, directory=tmp_path, clock=clock, tell=told.append)
    supervisor.add(Program(name="beat", command=python("print('no database'); raise SystemExit(3)")))

    end_of(supervisor, "beat")
    supervisor.stop()
    supervisor.close()

    assert told == [f"beat ended with code 3; started again in 0.5 s (see {tmp_path / 'beat.log'})"]
    assert (tmp_path / "beat.log").read_text() == "no database\n"


def test_stopping_ends_every_child_and_the_children_of_those_that_refuse(supervisor: Supervisor) -> None:
    supervisor.add(Program(name="polite", command=python(SLEEPER)))
    supervisor.add(Program(name="stubborn", command=python(STUBBORN)))
    grandchild = printed_pid(supervisor, "stubborn")
    pids = [supervisor.pid("polite"), supervisor.pid("stubborn"), grandchild]

    supervisor.stop(seconds=0.3)

    for pid in pids:
        wait_for(lambda pid=pid: gone(pid))


def test_the_pool_of_a_killed_leader_does_not_outlive_it(supervisor: Supervisor) -> None:
    supervisor.add(Program(name="stubborn", command=python(STUBBORN)))
    grandchild = printed_pid(supervisor, "stubborn")
    leader = supervisor.pid("stubborn")
    assert leader is not None

    os.kill(leader, signal.SIGKILL)
    end_of(supervisor, "stubborn")

    wait_for(lambda: gone(grandchild))


def test_what_a_program_leaves_is_cleared_before_it_starts_again(supervisor: Supervisor) -> None:
    cleared: list[str] = []
    supervisor.add(Program(name="flower", command=python(SLEEPER), after_end=lambda: cleared.append("flower")))

    supervisor.kill("flower")
    end_of(supervisor, "flower")

    assert cleared == ["flower"]


def test_nothing_stays_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from workflows_app.running.supervisor import Program, Supervisor
import sys
supervisor = Supervisor(log_dir=Path({str(tmp_path)!r}), directory=Path({str(tmp_path)!r}))
supervisor.add(Program(name="stubborn", command=[sys.executable, "-I", "-S", "-c", {STUBBORN!r}]))
print(supervisor.pid("stubborn"), flush=True)
time.sleep(600)
"""
    root = Path(__file__).parents[3]
    killed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
    assert killed.stdout is not None
    leader = int(killed.stdout.readline())
    grandchild = int(str(wait_for(lambda: (tmp_path / "stubborn.log").read_text().strip())))

    killed.kill()
    killed.wait()
    killed.stdout.close()

    # Both ignore or never get the polite signal; the watchdog's grace is five seconds.
    wait_for(lambda: gone(leader) and gone(grandchild))
