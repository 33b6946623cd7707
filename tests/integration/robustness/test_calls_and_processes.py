"""Processes that die between a commit and what follows, and a database with calls in it, migrated up and down."""

from __future__ import annotations

import signal

from tests.integration.robustness.prompt import Installation
from tests.services.documents import workflow

BELOW = workflow("below", {"id": "work", "activity": "core.echo"})
ABOVE = workflow("above", {"id": "below", "call": {"workflow": "below"}})


def test_a_process_killed_between_the_commit_and_the_start_of_what_it_called(shell: Installation) -> None:
    for document in (BELOW, ABOVE):
        shell.publish(document)

    died = shell.die("workflow", "start", "above", at="notice.committed")

    assert died == -signal.SIGKILL
    found = "SELECT workflow, state FROM workflows_app_instance ORDER BY workflow"
    assert shell.rows(found) == [("above", "running"), ("below", "pending")]
    assert shell.answer("sweep", "--once")["handed_over"] == 1
    assert shell.rows(found) == [("above", "running"), ("below", "running")]
    assert shell.rows("SELECT path FROM workflows_app_dispatch") == [("work",)]
    assert shell.command("replay", "--check").code == 0


def test_a_place_that_was_given_up_by_a_killed_process_is_taken_at_the_next_sweep(shell: Installation) -> None:
    for document in (BELOW | {"concurrency": {"limit": 1}}, ABOVE):
        shell.publish(document)
    first, second = (shell.answer("workflow", "start", "above")["id"] for _ in range(2))
    (holder,) = shell.answer("workflow", "show", first)["children"]
    (waiting,) = shell.answer("workflow", "show", second)["children"]
    assert (holder["state"], waiting["state"]) == ("running", "pending")

    died = shell.die("workflow", "terminate", holder["id"], at="notice.committed")

    assert died == -signal.SIGKILL
    assert "about to start" in shell.answer("workflow", "show", waiting["id"])["waits_for"]["sentence"]
    assert shell.command("replay", "--check").code == 0
    swept = shell.answer("sweep", "--once")
    assert (swept["begun"], swept["handed_over"]) == (1, 1)
    assert shell.answer("workflow", "show", waiting["id"])["state"] == "running"
    assert shell.answer("workflow", "show", first)["state"] == "failed"
    assert shell.command("replay", "--check").code == 0


def test_the_migration_goes_up_and_down_with_data(shell: Installation) -> None:
    for document in (BELOW, ABOVE):
        shell.publish(document)
    started = shell.answer("workflow", "start", "above")
    before = shell.answer("workflow", "show", started["id"])
    assert [child["workflow"] for child in before["children"]] == ["below"]

    planned = shell.answer("workflow", "start", "below", "--in", "1h")
    refused = shell.command("migrate", "workflows_app", "0026")
    assert (refused.code, "starts are planned" in refused.err) == (1, True)
    shell.migrate()  # what came later has gone back before
    shell.answer("workflow", "cancel", planned["id"])

    shell.migrate("workflows_app", "0007")
    assert shell.rows("SELECT to_regclass('workflows_app_notice')::text") == [(None,)]
    shell.migrate("workflows_app", "0005")
    assert shell.rows("SELECT to_regclass('workflows_app_slot')::text") == [(None,)]
    assert shell.rows("SELECT count(*) FROM workflows_app_instance") == [(3,)]
    shell.migrate()

    defaults = "SELECT DISTINCT parent_id, parent_path, depth, awaited FROM workflows_app_instance"
    assert shell.rows(defaults) == [(None, None, 0, False)]
    assert shell.rows("SELECT DISTINCT calls FROM workflows_app_definitionversion") == [({},)]
    shell.answer("workflow", "start", "below")
    shell.publish(ABOVE | {"version": "1.1.0"})
    again = shell.answer("workflow", "start", "above")
    assert [child["state"] for child in shell.answer("workflow", "show", again["id"])["children"]] == ["running"]
