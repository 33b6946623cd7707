"""`manage.py up`, `doctor` and `demo` as a person meets them, from an empty folder to sample orders and back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.services.processes import PATIENCE, REPOSITORY, eventually, free_port

pytestmark = pytest.mark.acceptance

OURS = ("DATABASE_URL", "DATABASE_ADMIN_URL", "SHOP_DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
IDLE_SHARE, IDLE_SECONDS = 0.10, 10
PORTS = {name: str(free_port()) for name in ("ORCHESTRATOR_PORT", "ORCHESTRATOR_FLOWER_PORT", "ORCHESTRATOR_SHOP_PORT")}


def environment(state: Path) -> dict[str, str]:
    """The caller's environment without any server that it names, and ports of our own."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, **PORTS, "ORCHESTRATOR_ENV": "dev", "ORCHESTRATOR_STATE_DIR": str(state)}


def manage(state: Path, *arguments: str, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Up:
    """A running `manage.py up` and what it said so far."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.state = state
        self.output = state.with_name(f"{state.name}-{time.monotonic_ns()}.out")
        self.began = time.monotonic()
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *arguments],
                cwd=REPOSITORY,
                env=environment(state),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, sentence: str) -> None:
        def found() -> bool:
            assert self.process.poll() is None, f"it ended: {self.said}"
            return sentence in self.said

        eventually(found, PATIENCE, lambda: f"{sentence!r} in {self.said}")

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.said)
        assert match, f"{pattern} in {self.said}"
        return match.group(1)

    def family(self) -> list[psutil.Process]:
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def clear(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def living(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if _lives(each)]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "var"


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that another program has."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.fixture(scope="module")
def first(state: Path, taken: int) -> Iterator[Up]:
    """The first `up` in an empty folder, asked for a port that is taken, once its sample orders have ended."""
    up = Up(state, "--port", str(taken))
    try:
        up.wait_for("Serving after")
        up.wait_for("sample orders ended")
        yield up
    finally:
        up.clear()


@pytest.fixture(scope="module")
def pages(first: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=first.found(r"open\s+(http\S+)"), follow_redirects=True, timeout=PATIENCE) as client:
        yield client


def test_it_serves_and_says_where_and_how_to_log_in(first: Up, pages: httpx.Client) -> None:
    answer = pages.get("/")

    assert float(first.found(r"Serving after ([\d.]+) s")) < PATIENCE
    assert answer.status_code == 200
    assert "log in     admin / " in first.said


def test_a_taken_port_is_left_to_its_owner_and_the_new_one_is_said(first: Up, taken: int) -> None:
    assert f"Port {taken} is taken by another program. The web pages will use " in first.said
    assert f":{taken}/" not in first.said


def test_the_administrator_can_log_in_with_the_printed_password(first: Up, pages: httpx.Client) -> None:
    password = first.found(r"log in     admin / (\S+)")
    page = pages.get("/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token

    form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token.group(1), "next": "/"}
    answer = pages.post(page.url.path, data=form, headers={"Referer": str(page.url)})

    assert page.url.path == "/login/"
    assert answer.status_code == 200
    assert pages.get("/").url.path != "/login/"
    kept = first.state / "admin_password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().strip() == password


def test_every_sample_order_ended_as_its_story_says(first: Up) -> None:
    from examples.order_processing import orders

    answer = manage(first.state, "workflow", "list", "--format", "json", "--limit", "500")
    assert answer.returncode == 0, answer.stderr
    listed: dict[str, Any] = {row["correlation_id"]: row["state"] for row in json.loads(answer.stdout)["instances"]}

    assert listed == {order["order_id"]: orders.expected_state(order) for order in orders.load()}


def test_the_doctor_finds_it_healthy(first: Up) -> None:
    names = (
        *("database", "migrations", "roles", "backlog", "keys", "retention", "broker", "workers", "disk", "secrets"),
        "artifacts",
    )

    def found() -> tuple[int, dict[str, str]]:
        answer = manage(first.state, "doctor", "--format", "json")
        return answer.returncode, {check["name"]: check["state"] for check in json.loads(answer.stdout)["checks"]}

    # Workers of a busy machine may answer too late to be found.
    eventually(lambda: found() == (0, dict.fromkeys(names, "ok")), PATIENCE, lambda: str(found()))


def test_flower_asks_for_the_same_log_in_and_listens_on_loopback_only(first: Up) -> None:
    address = first.found(r"Flower     (http\S+)")
    password = first.found(r"log in     admin / (\S+)")

    assert address.startswith("http://127.0.0.1:")
    assert httpx.get(address, timeout=PATIENCE).status_code == 401
    assert httpx.get(address, auth=("admin", password), timeout=PATIENCE).status_code == 200


def test_a_second_up_in_the_same_folder_is_refused_and_leaves_the_first_alone(first: Up, pages: httpx.Client) -> None:
    answer = manage(first.state, "up")

    assert answer.returncode == 1
    assert f"It is running here already (process {first.process.pid})" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert pages.get("/").status_code == 200


def test_it_idles_under_a_tenth_of_a_core(first: Up, pages: httpx.Client) -> None:
    def spent() -> float:
        return sum(each.cpu_times().user + each.cpu_times().system for each in living(first.family()))

    before, began = spent(), time.monotonic()
    first.process.poll()
    with pytest.raises(subprocess.TimeoutExpired):
        first.process.wait(IDLE_SECONDS)
    share = (spent() - before) / (time.monotonic() - began)

    assert share < IDLE_SHARE


def test_stopping_ends_everything_it_started_and_a_later_up_keeps_the_data(first: Up, state: Path) -> None:
    family = first.family()

    code = first.stop()

    assert code == 0
    assert living(family) == []
    second = Up(state)
    try:
        second.wait_for("Ctrl-C stops everything.")
        assert "Starting for the first time" not in second.said
        answer = manage(state, "workflow", "list", "--format", "json", "--limit", "500")
        assert len(json.loads(answer.stdout)["instances"]) == 200
        # Fed once: nothing is fed again.
        assert "Sample orders" not in second.said
        everything = second.family()
        second.process.kill()
        second.process.wait()
        eventually(lambda: not living(everything), PATIENCE, lambda: f"still there: {living(everything)}")
    finally:
        second.clear()


def test_the_doctor_says_what_is_missing_and_how_to_mend_it_where_nothing_runs(tmp_path: Path) -> None:
    answer = manage(tmp_path / "var", "doctor")

    assert answer.returncode == 1
    assert "MISSING  database    The embedded PostgreSQL is not running." in answer.stdout
    assert "→ Start it: make up." in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr


def test_the_demonstration_loses_nothing_when_a_worker_is_killed(tmp_path: Path) -> None:
    answer = manage(tmp_path / "var", "demo", "--orders", "40", "--deadline", str(PATIENCE), seconds=2 * PATIENCE)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "were killed with SIGKILL" in answer.stdout
    assert re.search(r"^  lost +0$", answer.stdout, re.MULTILINE)
    for invariant in ("every instance ended", "history replays", "audit chain verifies", "books balance"):
        assert re.search(rf"^  holds .*{invariant}", answer.stdout, re.MULTILINE)
