"""An installation whose owner is at its prompt: commands in processes of their own, over a database of their own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg2

from tests.services.processes import PATIENCE, REPOSITORY
from tests.services.product import Product


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
