"""Logs of attempts: what a step says while it runs is kept with its attempt, masked, bounded, and shown to people."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from _pytest.logging import LogCaptureHandler
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from tasks.leases import Hold, keeper
from tests.integration.working import Worker, make_worker
from workflows_app.activities import ActivityContext, registry
from workflows_app.activities.registered import RegisteredActivity
from workflows_app.models import Instance, LogLine
from workflows_app.selectors import changes, log_views
from workflows_app.services import log_lines, purging, secrets, steps
from workflows_app.services.steps import Claim

SAYING = """
workflow: saying
version: 1.0.0
steps:
  - id: talk
    activity: core.echo
    with: {given: %s}
    retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}
"""
own = logging.getLogger("warehouse.stock")
Says = Callable[[ActivityContext], Any]


@pytest.fixture
def driver(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    own.setLevel(logging.INFO)
    yield make_worker(monkeypatch)
    own.setLevel(logging.NOTSET)


@pytest.fixture
def talk(driver: Worker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Instance]:
    """Run a step whose activity does what the test says."""

    def start(says: Says, given: str = '""') -> Instance:
        def perform(self: RegisteredActivity, parameters: Any, context: ActivityContext) -> Any:
            return says(context) if context.workflow == "saying" else None

        monkeypatch.setattr(RegisteredActivity, "perform", perform)
        found = driver.start(SAYING % given, {})
        driver.drain()
        return found

    registry.discover()
    return start


def said(found: Instance) -> list[tuple[int, str, str]]:
    lines, _ = log_views.last_lines(found.pk)
    return [(line.number, line.level, line.text) for line in lines]


def on_its_way(driver: Worker) -> tuple[Claim, log_lines.LogLines]:
    """Claim the step that waits, and let its attempt say something that is not written yet."""
    claim = driver.claim_next()
    assert claim is not None
    lines = log_lines.LogLines(claim)
    lines.add(logging.INFO, "here", "on my way")
    return claim, lines


def printed(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("workflow", "logs", *arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_what_an_attempt_says_is_kept_in_order_with_its_level(talk: Callable[..., Instance]) -> None:
    def says(context: ActivityContext) -> None:
        context.log.info("loaded", rows=3)
        context.log.warning("%s of %s are missing", 1, 4)
        context.log.info("sorted", extra={"by": "name"})
        own.info("shelf %s", 7)

    found = talk(says)

    assert said(found) == [
        (1, "info", "loaded rows=3"),
        (1, "warning", "1 of 4 are missing"),
        (1, "info", "sorted by='name'"),
        (1, "info", "shelf 7"),
    ]


def test_the_workers_log_names_instance_and_step_all_the_same(
    talk: Callable[..., Instance], caplog: pytest.LogCaptureFixture
) -> None:
    found = talk(lambda context: context.log.info("loaded", rows=3))

    (record,) = [each for each in caplog.records if each.name == "orchestrator.activity"]
    assert record.getMessage().startswith("event='loaded'")
    assert f"instance_id='{found.pk}'" in record.getMessage()
    assert "step='talk'" in record.getMessage()


def test_an_unexpected_exception_leaves_its_traceback_and_the_next_attempt_has_a_log_of_its_own(
    driver: Worker, talk: Callable[..., Instance]
) -> None:
    def says(context: ActivityContext) -> None:
        context.log.info("attempt", number=context.attempt)
        if context.attempt == 1:
            raise ZeroDivisionError("by zero")

    found = talk(says)
    driver.run(found)

    first, trace, second = said(found)
    assert (first, second) == ((1, "info", "attempt number=1"), (2, "info", "attempt number=2"))
    assert trace[:2] == (1, "warning")
    assert "Traceback" in trace[2]
    assert "ZeroDivisionError: by zero" in trace[2]


def test_a_thread_that_an_activity_starts_says_nothing_in_its_name(talk: Callable[..., Instance]) -> None:
    def says(context: ActivityContext) -> None:
        other = threading.Thread(target=own.info, args=("from elsewhere",))
        other.start()
        other.join()
        own.info("from here")

    assert said(talk(says)) == [(1, "info", "from here")]


def test_what_is_said_between_attempts_belongs_to_none(talk: Callable[..., Instance]) -> None:
    found = talk(lambda context: None)
    own.warning("nobody's")

    assert said(found) == []


def test_secrets_are_masked_in_the_kept_log_and_in_the_workers(
    talk: Callable[..., Instance], caplog: pytest.LogCaptureFixture
) -> None:
    secrets.put(name="pin", text="tram-4711-tram", actor="ada")

    def says(context: ActivityContext) -> None:
        context.log.info("sent", pin="tram-4711-tram")
        own.info("pin %s", "tram-4711-tram")

    found = talk(says, """'${ secret("pin") }'""")

    assert said(found) == [(1, "info", "sent pin='***'"), (1, "info", "pin ***")]
    kept = [vars(record) for record in caplog.records]
    assert "tram-4711" not in repr(kept) + repr([getattr(each["msg"], "said", "") for each in kept])


def test_lines_and_their_length_are_bounded_and_what_is_cut_is_said(
    talk: Callable[..., Instance], settings: Any
) -> None:
    settings.ORCHESTRATOR_LOG_LINES, settings.ORCHESTRATOR_LOG_LINE_LENGTH = 2, 10

    def says(context: ActivityContext) -> None:
        for text in ("short", "x" * 30, "third", "fourth"):
            context.log.info(text)

    first, second, note = said(talk(says))

    assert first[2] == "short"
    assert second[2] == "xxxxx … 20 characters … xxxxx"
    assert note[1] == "warning"
    assert note[2].startswith("2 lin … ")


@contextmanager
def unwatched() -> Iterator[None]:
    """Let pytest not see what is logged: it cannot hand such a text from one of its processes to another."""
    root = logging.getLogger()
    watching = [handler for handler in root.handlers if isinstance(handler, LogCaptureHandler)]
    for handler in watching:
        root.removeHandler(handler)
    yield
    for handler in watching:
        root.addHandler(handler)


def test_a_text_that_no_database_takes_is_kept_without_what_it_cannot_hold(talk: Callable[..., Instance]) -> None:
    with unwatched():
        found = talk(lambda context: own.info("a\x00b\ud800c\nd"))

    assert said(found) == [(1, "info", "a b c\nd")]


def test_a_log_that_cannot_be_written_costs_lines_and_never_the_step(
    talk: Callable[..., Instance], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Any, batch: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(log_lines.LogLines, "_insert", refuse)

    found = talk(lambda context: context.log.info("lost"))

    found.refresh_from_db()
    assert (found.state, said(found)) == ("completed", [])
    assert "the log of talk" in caplog.text


def test_an_attempt_that_says_nothing_asks_the_database_for_nothing(talk: Callable[..., Instance]) -> None:
    seen: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        talk(lambda context: None)

    assert not [sql for sql in seen if "wf_log" in sql]


def test_lines_of_an_attempt_that_was_given_up_stay_and_writing_twice_adds_nothing(driver: Worker) -> None:
    found = driver.start(SAYING % '""', {})
    claim, lines = on_its_way(driver)
    steps.failed(claim=claim, error={"code": "X", "message": "", "details": {}, "recoverable": False})

    batch = lines._lines[:]
    lines.write()
    lines._insert(batch)

    assert said(found) == [(1, "info", "on my way")]
    assert LogLine.objects.get().at <= driver.now


def test_logs_go_with_their_instance_and_a_late_line_finds_nobody(driver: Worker) -> None:
    found = driver.start(SAYING % '""', {})
    claim, lines = on_its_way(driver)
    lines.write()
    steps.succeeded(claim=claim, output=None)
    purging.delete(instance_id=found.pk, actor="ada")

    lines.add(logging.INFO, "here", "too late")
    lines.write()

    assert not LogLine.objects.exists()


def test_lines_are_written_with_the_lease_and_are_news_for_the_page(driver: Worker) -> None:
    found = driver.start(SAYING % '""', {})
    claim, lines = on_its_way(driver)
    hold = Hold(claim)
    hold.lines = lines
    before = changes.marks_of([found.pk])

    keeper._renew(hold, time.monotonic())

    assert said(found) == [(1, "info", "on my way")]
    assert changes.marks_of([found.pk]) != before
    steps.succeeded(claim=claim, output=None)


def test_the_command_prints_them_by_step_and_attempt(driver: Worker, talk: Callable[..., Instance]) -> None:
    def says(context: ActivityContext) -> None:
        context.log.info("first line\nforged \x1b[2J line")
        if context.attempt == 1:
            raise ValueError("once more")

    found = talk(says)
    driver.run(found)

    text = printed(str(found.pk), "--step", "talk", "--attempt", "2")
    assert "talk #2  info      first line\n    forged " in text
    assert "\x1b" not in text
    assert "talk #1" not in text
    assert '"text": "first line' in printed(str(found.pk), format="json")
    assert "earlier ones" in printed(str(found.pk), "--limit", "1")
    for refused in ((str(found.pk), "--step", "nobody"), ("no-id",)):
        with pytest.raises(SystemExit):
            printed(*refused)
    with pytest.raises(CommandError):
        printed(str(found.pk), "--attempt", "none")
