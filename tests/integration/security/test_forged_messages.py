"""Messages put straight into the broker: what fits no dispatch row does nothing, whatever it holds."""

from __future__ import annotations

import logging
import pickle
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from kombu import serialization
from kombu.exceptions import ContentDisallowed

from orchestrator.celery import app
from tasks import steps
from tests.integration.driver import Driver
from workflows_app.models import AuditEntry, Event, Instance

DOCUMENT = "workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}"
INJECTIONS = [
    "a'; DELETE FROM workflows_app_dispatch; --",
    "a' OR '1'='1",
    "%s %(x)s",
    "a\\",
    "$$",
    "a\r\nFAKE 2026-01-01 CRITICAL everything is lost",
    "\x1b[2J",
    "x" * 1_000_000,
]

REQUEST = SimpleNamespace(hostname="w", chain=None, chord=None)


@pytest.fixture(autouse=True)
def same_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker looks after its connection before each message; here it is the test's own."""
    monkeypatch.setattr(steps.connection, "close_if_unusable_or_obsolete", lambda: None)


def everything() -> dict[str, Any]:
    """All that a message could change."""
    with connection.cursor() as cursor:
        found = {}
        for table in ("instance", "step", "attempt", "event", "dispatch", "timer", "auditentry", "queue"):
            rows = f"SELECT t::text AS line FROM workflows_app_{table} t"
            cursor.execute(f"SELECT md5(coalesce(string_agg(line, '|' ORDER BY line), '')) FROM ({rows}) r")
            found[table] = cursor.fetchone()[0]
    return found


@pytest.mark.parametrize("path", INJECTIONS)
def test_a_step_name_is_data_and_writes_no_line_of_its_own(
    driver: Driver, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    instance = driver.start(DOCUMENT)
    before = everything()

    with caplog.at_level(logging.INFO):
        steps.run(
            REQUEST,
            {"instance": str(instance.pk), "step": path, "generation": 1},
        )

    assert everything() == before
    assert not any("\n" in record.getMessage() or "\x1b" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"instance": None, "step": None, "generation": None},
        {"instance": "x\r\nFAKE LINE", "step": "a", "generation": 1},
        {"instance": "' OR 1=1 --", "step": "a", "generation": 1},
        {"instance": [], "step": "a", "generation": 1},
        {"instance": "{id}", "step": ["a"], "generation": 1},
        {"instance": "{id}", "step": {"$ne": 1}, "generation": 1},
        {"instance": "{id}", "step": "a\0", "generation": 1},
        {"instance": "{id}", "step": "\ud800", "generation": 1},
        {"instance": "{id}", "step": "a", "generation": 0},
        {"instance": "{id}", "step": "a", "generation": -1},
        {"instance": "{id}", "step": "a", "generation": 2**31},
        {"instance": "{id}", "step": "a", "generation": 10**400},
        {"instance": "{id}", "step": "a", "generation": 1.0},
        {"instance": "{id}", "step": "a", "generation": "1; DROP TABLE x"},
        {"instance": "{id}", "step": "a", "generation": 2},
        {"instance": "{id}", "step": "b", "generation": 1},
    ],
)
def test_a_message_that_is_no_ticket_changes_nothing(
    driver: Driver, caplog: pytest.LogCaptureFixture, message: dict[str, Any]
) -> None:
    instance = driver.start(DOCUMENT)
    before = everything()
    filled = {key: str(instance.pk) if value == "{id}" else value for key, value in message.items()}

    with caplog.at_level(logging.INFO):
        steps.run(REQUEST, filled)

    assert everything() == before
    assert not any("\n" in record.getMessage() for record in caplog.records)


def test_an_unknown_instance_a_finished_step_and_another_run_s_ticket_change_nothing(driver: Driver) -> None:
    ended = driver.start(DOCUMENT)
    driver.drain()
    other = driver.start(DOCUMENT)
    claim = driver.claim_next(other.pk)
    assert claim is not None
    before = everything()

    for instance_id, path, generation in (
        (uuid4(), "a", 1),
        (ended.pk, "a", 1),
        (ended.pk, "b", 1),
        (other.pk, "a", 1),
        (other.pk, "b", 1),
    ):
        steps.run(
            REQUEST,
            {"instance": str(instance_id), "step": path, "generation": generation, "token": claim.number},
        )

    assert everything() == before
    assert Instance.objects.get(pk=ended.pk).state == "completed"
    assert Event.objects.filter(instance=ended).count() == 8
    assert AuditEntry.objects.count() == 1


class Bomb:
    """Would run a function when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickled body was loaded",)


@pytest.mark.parametrize(
    ("content_type", "encoding", "body"),
    [
        ("application/x-python-serialize", "binary", pickle.dumps(Bomb())),
        ("application/x-yaml", "utf-8", b"!!python/object/apply:os.system ['false']"),
        ("application/x-msgpack", "binary", b"\x80"),
    ],
)
def test_workers_read_nothing_but_json(content_type: str, encoding: str, body: bytes) -> None:
    accepted = serialization.prepare_accept_content(app.conf.accept_content)

    with pytest.raises(ContentDisallowed):
        serialization.loads(body, content_type, encoding, accept=accepted, force=True)

    assert accepted == {"application/json"}
    assert app.conf.result_accept_content in (None, ["json"])
    assert {app.conf.task_serializer, app.conf.result_serializer, app.conf.event_serializer} == {"json"}


def test_json_of_the_broker_makes_no_object_of_our_classes() -> None:
    hostile = b'{"__type__": "os.system", "__value__": "false", "__type__": "builtins.eval", "py/object": "os.system"}'

    found = serialization.loads(hostile, "application/json", "utf-8", accept={"application/json"})

    assert isinstance(found, dict)
