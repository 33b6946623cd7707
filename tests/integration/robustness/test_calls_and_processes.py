"""Processes that die between a commit and what follows, and a database with calls in it, migrated up and down."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.services.documents import workflow
from tests.services.filesystem import Filesystem
from tests.services.fixtures import Services
from tests.services.processes import PATIENCE, REPOSITORY
from tests.services.product import Product

BELOW = workflow("below", {"id": "work", "activity": "core.echo"})
ABOVE = workflow("above", {"id": "below", "call": {"workflow": "below"}})


class Installation(Product):
    """An installation without workers, whose owner is at its prompt: commands come one after the other."""

    def die(self, *arguments: str, at: str) -> int:
        """Run one command in a process of its own, which is killed at a failpoint; return its exit code."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=self.environment({"ORCHESTRATOR_FAILPOINTS": f"{at}=kill"}),
            capture_output=True,
            timeout=PATIENCE,
        ).returncode

    def answer(self, *arguments: str) -> Any:
        answer = self.command(*arguments, "--format", "json")
        assert answer.code == 0, answer
        return answer.json

    def migrate(self, *target: str) -> None:
        answer = self.command("migrate", *target, "--verbosity", "0")
        assert answer.code == 0, answer

    def rows(self, query: str) -> list[Any]:
        with closing(psycopg2.connect(self.database_url)) as session, session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


@pytest.fixture
def shell(services: Services, tmp_path: Path) -> Iterator[Installation]:
    cluster = services.cluster()
    owner_url, _ = cluster.addresses(cluster.create(template=cluster.template))
    installation = Installation(tmp_path, owner_url, Filesystem(tmp_path))
    yield installation
    installation.stop()


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
    shell.publish(ABOVE | {"version": "1.1.0"})
    again = shell.answer("workflow", "start", "above")
    assert [child["state"] for child in shell.answer("workflow", "show", again["id"])["children"]] == ["running"]
