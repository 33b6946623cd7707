"""``workflow logs --follow``: what is said is printed as it comes, each line once, until the instance has ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.integration.test_logs import SAYING, on_its_way
from tests.integration.working import Worker, make_worker
from workflows_app.engine.errors import NotFound
from workflows_app.management import logs
from workflows_app.management.commands import workflow as command
from workflows_app.models import Instance, LogLine
from workflows_app.services import purging, steps

Act = Callable[[], object]


@pytest.fixture
def driver(db: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return make_worker(monkeypatch)


@pytest.fixture
def started(driver: Worker) -> Instance:
    return driver.start(SAYING % '""', {})


def acting(*acts: Act) -> Act:
    """A pause in which something happens, each time the next; more pauses than acts are none that anybody waits for."""
    coming = iter(acts)
    return lambda: next(coming)()


def followed(instance: Instance, pause: Act, **chosen: Any) -> list[str]:
    options = {"step": None, "attempt": None, "limit": 1000, **chosen}
    return [row["text"] for row, _ in logs.follow(id=str(instance.pk), pause=pause, **options)]


def nothing() -> None:
    pass


def test_lines_come_as_they_are_written_until_the_instance_has_ended(driver: Worker, started: Instance) -> None:
    claim, lines = on_its_way(driver)
    seen: list[list[str]] = []

    def say(text: str) -> Act:
        def act() -> None:
            seen.append(list(printed))
            lines.add(logging.INFO, "here", text)
            lines.write()

        return act

    pause = acting(lines.write, say("nearly there"), lambda: steps.succeeded(claim=claim, output=None), say("goodbye"))
    printed: list[str] = []
    for row, _ in logs.follow(id=str(started.pk), step=None, attempt=None, limit=1000, pause=pause):
        printed.append(row["text"])

    assert seen == [["on my way"], ["on my way", "nearly there"]]
    assert printed == ["on my way", "nearly there", "goodbye"], "the last worker may write after the end"


def test_a_line_that_was_committed_after_a_later_one_is_not_missed(driver: Worker, started: Instance) -> None:
    claim, lines = on_its_way(driver)
    lines.write()
    (line,) = LogLine.objects.all()

    def late() -> None:
        LogLine.objects.create(
            pk=line.pk - 1, instance=started, path="talk", number=1, ordinal=9, at=line.at, level="info", text="late"
        )
        steps.succeeded(claim=claim, output=None)

    assert followed(started, acting(nothing, late, nothing)) == ["on my way", "late"]


def test_of_what_is_there_already_only_the_last_lines_are_printed(driver: Worker, started: Instance) -> None:
    claim, lines = on_its_way(driver)
    for number in range(5):
        lines.add(logging.INFO, "here", f"line {number}")
    lines.write()
    steps.succeeded(claim=claim, output=None)

    assert followed(started, acting(), limit=2) == ["line 3", "line 4"]


def test_a_step_that_has_not_begun_may_be_followed_but_no_step_that_cannot_be(
    driver: Worker, started: Instance
) -> None:
    def run() -> None:
        claim, lines = on_its_way(driver)
        lines.write()
        steps.succeeded(claim=claim, output=None)

    assert followed(started, acting(run, nothing), step="talk") == ["on my way"]
    for step in ("nobody", "talk[3].x", "[["):
        with pytest.raises(NotFound, match="can have no step") as refused:
            followed(started, acting(), step=step)
        assert refused.value.code == "STEP_NOT_FOUND"


def test_an_instance_that_is_purged_meanwhile_ends_it_with_a_reason(driver: Worker, started: Instance) -> None:
    def end() -> None:
        driver.run(started)

    def purge() -> None:
        purging.delete(instance_id=started.pk, actor="ada")

    with pytest.raises(NotFound) as refused:
        followed(started, acting(nothing, lambda: (end(), purge())))

    assert refused.value.code == "INSTANCE_NOT_FOUND"


def test_the_command_prints_an_object_a_line_and_an_interrupt_ends_it_without_a_traceback(
    driver: Worker, started: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines = on_its_way(driver)
    lines.add(logging.WARNING, "here", "second")
    lines.write()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupt)
    out, err = StringIO(), StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("workflow", "logs", str(started.pk), "--follow", format="json", stdout=out, stderr=err)

    assert [json.loads(line)["text"] for line in out.getvalue().splitlines()] == ["on my way", "second"]
    assert (ended.value.code, err.getvalue()) == (130, "Interrupted.\n")
