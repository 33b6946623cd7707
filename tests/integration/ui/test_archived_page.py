"""The page of an instance that was archived: read from its archive, or a word about why it cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.ui.test_operations_page import words
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Instance, LogLine
from workflows_app.selectors import log_views
from workflows_app.services import definitions, machines, purging

HARD = (
    "workflow: hard\nversion: 1.0.0\ntitle: Something hard\nsteps:\n"
    "  - {id: first, name: The first, activity: core.echo, with: {text: '<b>bold</b>'}}\n"
    "  - {id: sub, call: {workflow: below}}\n"
    "  - {id: last, activity: core.echo, retry: {max_attempts: 1}}"
)


def breaks(claim: object) -> None:
    raise ActivityError("the <i>lamp</i> is broken", code="LAMP_BROKEN")


@pytest.fixture
def gone(driver: Driver, settings: Any, tmp_path: Path) -> Instance:
    """An instance that failed and was archived since."""
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "archive")
    driver.perform = {"last": breaks}
    definitions.publish(text="workflow: below\nversion: 1.0.0\nsteps: [{id: x, activity: core.echo}]", actor="ada")
    instance = driver.start(HARD, correlation_id="order 4711")
    driver.run(instance)
    found = Instance.objects.get(pk=instance.pk)
    driver.advance(60)
    purging.purge(before=driver.now, actor="ada", archive="")
    return found


def test_it_shows_what_the_archive_holds(gone: Instance, pages: Client) -> None:
    page = words(pages, f"/instances/{gone.pk}/")

    assert "Something hard" in page
    assert "Archived 2026-01-01 00:01:00 UTC by ada" in page
    for said in ("order 4711", "The first", "LAMP_BROKEN", "the &lt;i&gt;lamp&lt;/i&gt; is broken", "instance.failed"):
        assert said in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert f"Events 1 to {gone.sequence} of {gone.sequence}" in page
    html = pages.get(f"/instances/{gone.pk}/").content.decode()
    assert '<svg class="timeline"' in html
    assert f'"/instances/{gone.pk}/acts/' not in html
    linked = {part.partition("/")[0] for part in html.split('href="/instances/')[1:] if part[0].isalnum()}
    (below,) = linked - {str(gone.pk)}
    assert "Called by" in words(pages, f"/instances/{below}/")


def test_it_says_why_it_ended_and_draws_its_graph(gone: Instance, pages: Client) -> None:
    page = pages.get(f"/instances/{gone.pk}/")

    assert "“last” failed with LAMP_BROKEN: the &lt;i&gt;lamp&lt;/i&gt; is broken." in page.content.decode()
    drawn = page.context["drawing"]
    assert {shown.piece.vertex.id: shown.words for shown in drawn.pieces} == {
        "first": "completed",
        "sub": "completed",
        "last": "failed",
    }
    assert all(way.taken for _, way in drawn.lines)


def test_what_stood_in_a_repetition_and_what_needed_no_undo_is_drawn_as_it_ended(
    driver: Driver, settings: Any, tmp_path: Path, pages: Client
) -> None:
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "archive")
    driver.perform = {"each[1].inner": breaks}
    instance = driver.start(
        "workflow: rounds\nversion: 1.0.0\nsteps:\n"
        "  - {id: paid, activity: core.echo, compensate: {activity: core.echo, when: 'false'}}\n"
        "  - id: each\n"
        "    foreach: {items: '${ [1, 2, 3] }', max_concurrency: 1, steps: [{id: inner, activity: core.echo}]}"
    )
    driver.run(instance)
    driver.advance(60)
    purging.purge(before=driver.now, actor="ada", archive="")

    page = pages.get(f"/instances/{instance.pk}/")

    drawn = page.context["drawing"]
    assert {shown.piece.vertex.id: shown.words for shown in drawn.pieces} | {"each": ""} == {
        "paid": "completed",
        "each": "",
        "inner": "failed",
    }
    assert [shown.words for shown in drawn.undos] == ["not needed"]
    assert "“paid” needed no undo, as the definition says." in page.content.decode()


def test_a_state_machine_shows_its_transitions(driver: Driver, settings: Any, tmp_path: Path, pages: Client) -> None:
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "archive")
    instance = driver.start(
        "workflow: lamp\nversion: 1.0.0\nkind: state_machine\ninitial: dark\n"
        "states: {dark: {timeout: 1s, on_timeout: lit}, lit: {terminal: true}}\n"
        "transitions: [{from: dark, to: lit, event: switch, do: [{activity: core.echo}]}]"
    )
    machines.send_event(instance_id=instance.pk, event="switch", actor="ada")
    driver.run(instance)
    driver.advance(60)
    purging.purge(before=driver.now, actor="ada", archive="")

    page = words(pages, f"/instances/{instance.pk}/")
    assert "Transitions switch[0] transition completed" in page
    assert "Completed: the machine has reached “lit”." in page


def test_an_archive_that_was_altered_is_said_and_not_shown(gone: Instance, pages: Client, tmp_path: Path) -> None:
    (file,) = (tmp_path / "archive").glob("??/*/*")
    file.write_bytes(file.read_bytes() + b"x")

    page = words(pages, f"/instances/{gone.pk}/")

    assert "It cannot be shown: the archive is damaged: its checksum is not the one on the audit trail." in page
    assert "LAMP_BROKEN" not in page
    file.unlink()
    assert "the archive is not where it was put" in words(pages, f"/instances/{gone.pk}/")


def test_nobody_learns_of_it_who_may_not_view_instances(
    gone: Instance, pages: Client, stranger: Client, anonymous: Client
) -> None:
    unknown = uuid4()

    assert pages.get(f"/instances/{unknown}/").status_code == 404
    for client in (stranger, anonymous):
        answers = [client.get(f"/instances/{key}/").status_code for key in (gone.pk, unknown)]
        assert answers[0] == answers[1] != 200


# ---------------------------------------------------------------- logs
@pytest.fixture
def spoken(driver: Driver, settings: Any, tmp_path: Path) -> Instance:
    """An archived instance whose attempts said 3 and 25 lines."""
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "archive")
    instance = driver.start(
        "workflow: loud\nversion: 1.0.0\nsteps: [{id: few, activity: core.echo}, {id: many, activity: core.echo}]"
    )
    driver.run(instance)
    LogLine.objects.bulk_create(
        LogLine(
            instance=instance,
            path=step,
            number=1,
            ordinal=number,
            at=driver.now + timedelta(microseconds=number),
            level="warning",
            logger="stock",
            text=f"<i>{step}</i> {number}",
        )
        for step, lines in (("few", 3), ("many", 25))
        for number in range(1, lines + 1)
    )
    driver.advance(60)
    purging.purge(before=driver.now, actor="ada", archive="")
    return instance


def test_it_shows_the_end_of_what_each_attempt_logged_and_leads_to_the_rest(spoken: Instance, pages: Client) -> None:
    said = words(pages, f"/instances/{spoken.pk}/")

    assert "Log of attempt 1 · 3 lines" in said
    assert "All 25 lines , here the last 20" in said
    assert "&lt;i&gt;many&lt;/i&gt; 6" in said
    assert "&lt;i&gt;many&lt;/i&gt; 5 " not in said
    html = pages.get(f"/instances/{spoken.pk}/").content.decode()
    assert f'"/instances/{spoken.pk}/log/?step=many&amp;attempt=1"' in html


def test_its_log_has_a_page_of_its_own_by_step_and_attempt(
    spoken: Instance, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/instances/{spoken.pk}/log/"

    everything = pages.get(address)
    assert [line.path for line in everything.context["lines"][:4]] == ["few", "many", "few", "many"]
    assert len(everything.context["lines"]) == 28
    chosen = pages.get(address, {"step": "few", "attempt": "1"}).context["lines"]
    assert [line.text for line in chosen] == [f"<i>few</i> {number}" for number in (1, 2, 3)]
    assert "Nothing was logged" in words(pages, address + "?step=nobody")
    monkeypatch.setattr(log_views, "MOST_LINES", 5)
    assert "These are the last 5 lines" in words(pages, address)


def test_the_log_of_an_archive_that_is_gone_says_so(spoken: Instance, pages: Client, tmp_path: Path) -> None:
    (file,) = (tmp_path / "archive").glob("??/*/*")
    file.unlink()

    assert "the archive is not where it was put" in words(pages, f"/instances/{spoken.pk}/log/")
    assert pages.get(f"/instances/{uuid4()}/log/").status_code == 404
