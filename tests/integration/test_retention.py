"""Finished instances go when their retention is over, whoever looks first, and no earlier."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, shell  # noqa: F401 - a fixture
from tests.integration.ui.conftest import pages, viewer  # noqa: F401 - fixtures
from tests.integration.ui.test_operations_page import words
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.models import AuditEntry, Event, Instance
from workflows_app.running import checkup
from workflows_app.services import definitions, retention, verification

DAY = 86_400
ECHO = "workflow: %s\nversion: 1.0.0\n%ssteps: [{id: a, activity: core.echo}]"
CALLER = "workflow: %s\nversion: 1.0.0\nretention: 1d\nsteps: [{id: a, call: {workflow: %s}}]"


@pytest.fixture
def installation(settings: Any) -> Any:
    """An installation that says nothing of retention itself, until a test does."""
    settings.ORCHESTRATOR_RETENTION = None
    settings.ORCHESTRATOR_RETENTION_THEN = "purge"
    return settings


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("installation")]


def finished(driver: Driver, name: str, kept: str = "") -> Instance:
    instance = driver.start(ECHO % (name, kept and f"retention: {kept}\n"))
    driver.run(instance)
    return instance


def left() -> set[str]:
    return set(Instance.objects.values_list("workflow", flat=True))


def test_each_goes_when_its_own_version_says_so(driver: Driver) -> None:
    for name, kept in (("short", "1d"), ("long", "{keep: 10d}"), ("eternal", "forever"), ("silent", "")):
        finished(driver, name, kept)
    driver.start("workflow: waits\nversion: 1.0.0\nretention: 1s\nsteps: [{id: w, wait: {for: 900d}}]")
    driver.advance(DAY - 1)
    assert (retention.due(), retention.enforce().counts["instance"]) == ([], 0)

    driver.advance(2)
    (due,) = retention.due()
    assert (due.workflow, due.keep, due.then, due.instances) == ("short", DAY, "purge", 1)
    done = retention.enforce()

    assert (done.counts["instance"], done.failures) == (1, ())
    assert left() == {"long", "eternal", "silent", "waits"}
    entry = AuditEntry.objects.get(sequence=done.checkpoints[0])
    assert (entry.actor, entry.action, entry.data["reason"]) == (
        "retention",
        "instances.purged",
        "their retention is over",
    )
    assert verification.verify_checkpoints() == []
    driver.advance(1000 * DAY)
    assert retention.enforce().counts["instance"] == 1
    assert left() == {"eternal", "silent", "waits"}


def test_the_installation_decides_where_a_version_is_silent(driver: Driver, installation: Any) -> None:
    for name, kept in (("eternal", "forever"), ("silent", ""), ("long", "10d")):
        finished(driver, name, kept)
    driver.advance(2 * DAY)
    assert not retention.due()

    installation.ORCHESTRATOR_RETENTION = float(DAY)
    assert [(each.workflow, each.keep) for each in retention.due()] == [("silent", DAY)]
    retention.enforce()

    assert left() == {"eternal", "long"}


def test_what_was_called_goes_with_its_caller_but_not_before_it_may(driver: Driver) -> None:
    definitions.publish(text=ECHO % ("plain", ""), actor="ada")
    definitions.publish(text=ECHO % ("brief", "retention: 1s\n"), actor="ada")
    definitions.publish(text=ECHO % ("kept", "retention: 3d\n"), actor="ada")
    for name in ("plain", "brief", "kept"):
        instance = driver.start(CALLER % (f"calls-{name}", name))
        driver.hand_over()
        driver.run(instance)
    driver.advance(60)
    retention.enforce()
    assert len(left()) == 6

    driver.advance(DAY)
    retention.enforce()
    assert left() == {"calls-kept", "kept"}

    driver.advance(2 * DAY)
    retention.enforce()
    assert left() == set()
    assert not Event.objects.exists()


def test_batch_by_batch_and_no_more_than_was_asked_for(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention.purging, "BATCH", 2)
    for _ in range(5):
        finished(driver, "short", "1d")
    driver.advance(DAY + 1)

    assert retention.enforce(batches=2).counts["instance"] == 4
    assert retention.enforce().counts["instance"] == 1
    assert verification.verify_audit() is None


@pytest.mark.parametrize(
    ("written", "place", "said"),
    [
        ("0s", "retention", "must be longer than zero"),
        ("soon", "retention", "must be"),
        ("{keep: 1d, then: burn}", "retention.then", "must be one of purge, archive"),
        ("{then: archive}", "retention.keep", "is missing"),
        ("{keep: 1d, until: x}", "retention.until", "is not a known key"),
    ],
)
def test_a_retention_that_says_nothing_is_refused_with_its_place(
    driver: Driver, written: str, place: str, said: str
) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.publish(text=ECHO % ("odd", f"retention: {written}\n"), actor="ada")

    assert any(each.path == place and said in each.message for each in refused.value.problems), refused.value.problems


def test_the_commands_and_the_plan_say_it(driver: Driver, shell: Shell) -> None:  # noqa: F811
    finished(driver, "short", "1d")
    assert "nobody's retention is over" in shell.run("workflow", "retention")[1]
    driver.advance(DAY + 1)

    code, told = shell.json("workflow", "retention")
    assert (code, told["instances"], told["more"]) == (0, 1, False)
    assert told["due"][0].items() >= {"workflow": "short", "keep": "1d", "then": "purge"}.items()
    assert "finished instances are purged 1d after their end" in shell.run("workflow", "plan", "short")[1]
    code, told = shell.json("workflow", "retention", "--apply")
    assert (code, told["instances"], told["failures"]) == (0, 1, [])
    assert left() == set()


def test_the_check_up_and_the_page_say_what_goes_next_and_that_nobody_does_it(
    driver: Driver,
    pages: Client,  # noqa: F811
) -> None:
    finished(driver, "short", "1d")
    assert (checkup.retention().state, checkup.retention().detail) == ("ok", "Nobody's retention is over.")
    assert "No finished instance is to be purged or archived now" in words(pages, "/operations/")

    driver.advance(DAY + 60)
    assert checkup.retention().state == "ok"
    assert "short 1.0.0 1 d purge 1 2026-01-02 00:00:00" in words(pages, "/operations/")
    driver.advance(2 * 3600)
    found = checkup.retention()

    assert (found.state, found.detail) == (
        "warning",
        "1 finished instances are to go, the first since 2026-01-02 00:00 UTC.",
    )
    assert "DATABASE_ADMIN_URL" in found.mend


@pytest.mark.parametrize(("place", "codes"), [(None, ["ARCHIVE_NOT_CONFIGURED"]), ("/archive", [])])
def test_publishing_warns_where_nothing_can_be_archived(
    driver: Driver, installation: Any, place: str | None, codes: list[str]
) -> None:
    installation.ORCHESTRATOR_ARCHIVE = place

    found = definitions.validate(text=ECHO % ("cold", "retention: {keep: 1d, then: archive}\n"))

    assert [(each.code, each.path, each.severity) for each in found] == [
        (code, "retention.then", "warning") for code in codes
    ]
    assert definitions.validate(text=ECHO % ("cold", "retention: 1d\n")) == []


def test_the_check_up_fails_where_nothing_can_be_archived(driver: Driver, installation: Any) -> None:
    finished(driver, "short", "{keep: 1d, then: archive}")
    installation.ORCHESTRATOR_ARCHIVE = None

    assert checkup.retention().state == "failed"


def test_of_two_sweepers_one_does_it(driver: Driver) -> None:
    finished(driver, "short", "1d")
    driver.advance(DAY + 1)

    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('workflows_app.retention'))")
        assert retention.enforce().counts["instance"] == 0
        cursor.execute("SELECT pg_advisory_unlock(hashtext('workflows_app.retention'))")
    assert retention.enforce().counts["instance"] == 1
