"""The examples' small services are processes that answer JSON, refuse what is none, and end cleanly."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from examples.file_root import CHECKOUT, file_root


def program(module: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *options]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def profiles() -> Iterator[httpx.Client]:
    """A caller of the profiles' service; afterwards the service must have ended cleanly."""
    with program("examples.data_processing.profiles", "--port", "0") as process:
        url = process.stdout.readline().split()[-1]
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_service_answers_and_ends_when_told_to(profiles: httpx.Client) -> None:
    answer = profiles.post("/profiles", json={"user_ids": ["u001", "u001", "u009"]})

    assert [each["customer"] for each in answer.json()["profiles"]] == ["u001"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("POST", "/profiles", b"{", 400, "NOT_JSON"),
        ("POST", "/profiles", b"\xff", 400, "NOT_JSON"),
        ("POST", "/profiles", b"[" * 100_000, 400, "NOT_JSON"),
        ("POST", "/profiles", b'{"user_ids": [7]}', 400, "BODY_INVALID"),
        ("POST", "/profiles", b" " * 1_000_001, 413, "TOO_LARGE"),
        ("GET", "/profiles", b"", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nothing", b"", 404, "NOT_FOUND"),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(
    profiles: httpx.Client, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = profiles.request(method, path, content=content)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert profiles.post("/profiles", json={"user_ids": []}).json() == {"profiles": []}


def test_a_port_that_is_taken_is_said_without_a_traceback() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        program("examples.customer_360.sources", "--port", str(taken.getsockname()[1])) as process,
    ):
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "cannot listen on 127.0.0.1" in errors
    assert "Traceback" not in errors


def test_seeds_go_where_the_installation_has_its_files() -> None:
    named = {"ORCHESTRATOR_FILE_ROOT": "/srv/files", "ORCHESTRATOR_STATE_DIR": "/srv/state"}

    assert str(file_root(named)) == "/srv/files"
    assert str(file_root({"ORCHESTRATOR_STATE_DIR": "/srv/state"})) == "/srv/state/files"
    assert file_root({}) == CHECKOUT / "var" / "files"
