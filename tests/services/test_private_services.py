"""The fixtures keep their promises: private instances start, answer, die and come back, and leave nothing behind."""

import os
import sys
from pathlib import Path

import amqp
import pytest

from tests.services import processes, rabbitmq, redis
from tests.services.processes import Process, eventually, running


def python(folder: Path, code: str, **more) -> Process:
    return Process(
        "python", [sys.executable, "-c", code], environment=dict(os.environ), log=folder / "python.log", **more
    )


KEPT = "kept-over-a-kill"
"""A queue whose name stands in no file of a node that does not have it."""


def holds(folder: Path, word: bytes) -> bool:
    """Whether one of the files in which RabbitMQ keeps its queues has the word."""
    files = [*folder.rglob("*.LOG"), *folder.rglob("*.DC?")]
    return any(word in file.read_bytes() for file in files if file.exists())


def test_killing_a_process_ends_its_whole_group_and_what_left_the_group(tmp_path):
    code = (
        "import subprocess, sys, time; sleep = [sys.executable, '-c', 'import time; time.sleep(600)'];"
        "subprocess.Popen(sleep); subprocess.Popen(sleep, start_new_session=True); time.sleep(600)"
    )
    with python(tmp_path, code) as process:
        process.wait_until(lambda: len(process.children) == 2)
        below = process.children

        process.kill()

        assert not process.alive
        assert not any(running(pid) for pid in below)


def test_a_process_ends_when_the_test_fails(tmp_path):
    process = python(tmp_path, "import time; time.sleep(600)")

    with pytest.raises(ZeroDivisionError), process:
        raise ZeroDivisionError

    assert not process.alive


def test_a_process_that_ends_before_it_is_ready_says_why_at_once(tmp_path):
    process = python(tmp_path, "raise SystemExit('no such port')")
    process.start()

    with pytest.raises(AssertionError, match="no such port"):
        process.wait_until(lambda: False)

    process.stop()


def test_waiting_says_what_did_not_happen():
    with pytest.raises(AssertionError, match="the moon is full"):
        eventually(lambda: False, 0.01, "the moon is full")


def test_a_missing_server_skips_the_test_by_name(monkeypatch):
    monkeypatch.delenv("ORCHESTRATOR_REQUIRE_BROKERS", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-server is not installed"):
        processes.require("no-such-server")


def test_a_missing_server_fails_the_test_where_brokers_are_demanded(monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_REQUIRE_BROKERS", "1")

    with pytest.raises(pytest.fail.Exception, match="no-such-server is not installed"):
        processes.require("no-such-server")


@pytest.mark.redis
def test_a_private_redis_can_be_flushed_killed_and_started_again(tmp_path):
    with redis.running(tmp_path) as server:
        with server.client() as client:
            client.set("key", "value")
            server.flush()
            assert client.get("key") is None
            client.set("key", "value")

        server.kill()
        assert not server.ping()

        server.start()
        with server.client() as client:
            assert client.get("key") is None


@pytest.mark.rabbitmq
def test_a_private_rabbitmq_keeps_durable_queues_over_a_kill_and_loses_them_when_told_to_forget(tmp_path):
    with rabbitmq.running(tmp_path) as server:
        with server.connection() as connection:
            connection.channel().queue_declare(KEPT, durable=True, auto_delete=False)
        # The answer comes before the node's log of queues is on disk; what a kill takes from memory is not durable.
        server.process.wait_until(lambda: holds(tmp_path / "mnesia", KEPT.encode()))

        server.restart()
        with server.connection() as connection:
            connection.channel().queue_declare(KEPT, passive=True)
        server.flush()
        below = [server.process.pid, server.mapper.pid, *server.process.children]

        server.forget()
        with server.connection() as connection, pytest.raises(amqp.exceptions.NotFound):
            connection.channel().queue_declare(KEPT, passive=True)

    assert not any(running(pid) for pid in below)
