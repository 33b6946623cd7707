"""Processes that die between a commit and what follows, and a database with calls in it, migrated up and down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

REPOSITORY = Path(__file__).parents[3]
BELOW = "workflow: below\nversion: 1.0.0\nsteps: [{id: work, activity: core.echo}]"
ABOVE = "workflow: above\nversion: 1.0.0\nsteps: [{id: below, call: {workflow: below}}]"


class Shell:
    """Commands in processes of their own, over a database of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def run(self, *arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "DATABASE_URL": self.url,
                "DATABASE_ADMIN_URL": self.url,
                "ORCHESTRATOR_STATE_DIR": str(self.folder),
                "CELERY_BROKER_URL": "memory://",
                **environment,
            },
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def answer(self, *arguments: str, text: str = "") -> Any:
        done = self.run(*arguments, "--format", "json", text=text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def migrate(self, *target: str) -> None:
        done = self.run("migrate", *target, "--verbosity", "0")
        assert done.returncode == 0, done.stderr

    def rows(self, query: str) -> list[Any]:
        with closing(psycopg2.connect(self.url)) as session, session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    return Shell(database_url, tmp_path)


def test_a_process_killed_between_the_commit_and_the_start_of_what_it_called(shell: Shell) -> None:
    shell.migrate()
    for document in (BELOW, ABOVE):
        shell.answer("workflow", "publish", "-", text=document)

    died = shell.run("workflow", "start", "above", ORCHESTRATOR_FAILPOINTS="notice.committed=kill")

    assert died.returncode == -signal.SIGKILL
    found = "SELECT workflow, state FROM workflows_app_instance ORDER BY workflow"
    assert shell.rows(found) == [("above", "running"), ("below", "pending")]
    assert shell.answer("sweep", "--once")["handed_over"] == 1
    assert shell.rows(found) == [("above", "running"), ("below", "running")]
    assert shell.rows("SELECT path FROM workflows_app_dispatch") == [("work",)]
    assert shell.run("replay", "--check").returncode == 0


def test_a_place_that_was_given_up_by_a_killed_process_is_taken_at_the_next_sweep(shell: Shell) -> None:
    shell.migrate()
    limited = BELOW.replace("steps:", "concurrency: {limit: 1}\nsteps:")
    for document in (limited, ABOVE):
        shell.answer("workflow", "publish", "-", text=document)
    first, second = (shell.answer("workflow", "start", "above")["id"] for _ in range(2))
    (holder,) = shell.answer("workflow", "show", first)["children"]
    (waiting,) = shell.answer("workflow", "show", second)["children"]
    assert (holder["state"], waiting["state"]) == ("running", "pending")

    died = shell.run("workflow", "terminate", holder["id"], ORCHESTRATOR_FAILPOINTS="notice.committed=kill")

    assert died.returncode == -signal.SIGKILL
    assert "about to start" in shell.answer("workflow", "show", waiting["id"])["waits_for"]["sentence"]
    assert shell.run("replay", "--check").returncode == 0
    swept = shell.answer("sweep", "--once")
    assert (swept["begun"], swept["handed_over"]) == (1, 1)
    assert shell.answer("workflow", "show", waiting["id"])["state"] == "running"
    assert shell.answer("workflow", "show", first)["state"] == "failed"
    assert shell.run("replay", "--check").returncode == 0


def test_the_migration_goes_up_and_down_with_data(shell: Shell) -> None:
    shell.migrate()
    for document in (BELOW, ABOVE):
        shell.answer("workflow", "publish", "-", text=document)
    started = shell.answer("workflow", "start", "above")
    before = shell.answer("workflow", "show", started["id"])
    assert [child["workflow"] for child in before["children"]] == ["below"]

    planned = shell.answer("workflow", "start", "below", "--in", "1h")
    refused = shell.run("migrate", "workflows_app", "0026")
    assert (refused.returncode, "starts are planned" in refused.stderr) == (1, True)
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
    shell.answer("workflow", "publish", "-", text=ABOVE.replace("1.0.0", "1.1.0"))
    again = shell.answer("workflow", "start", "above")
    assert [child["state"] for child in shell.answer("workflow", "show", again["id"])["children"]] == ["running"]
