"""The shape of the house: imports go one way, the engine is pure, every file says what it is for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("orchestrator", "tasks", "workflows_app")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_reads_no_clock_and_draws_no_random_numbers() -> None:
    forbidden = re.compile(r"datetime\.(now|utcnow|today)\(|date\.today\(|uuid[14]\(|os\.urandom|getrandbits")

    for path in (ROOT / "workflows_app" / "engine").rglob("*.py"):
        assert not forbidden.search(path.read_text()), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body and "migrations" not in path.parts:
        assert ast.get_docstring(tree), f"{path} has no docstring"


def test_no_module_has_a_name_that_says_nothing() -> None:
    nothing = {"utils", "helpers", "common", "base", "misc"}

    named = {path.stem for path in SOURCES if "settings" not in path.parts}

    assert not named & nothing


def test_every_index_and_constraint_has_a_name_of_its_own() -> None:
    migrations = "\n".join(p.read_text() for p in (ROOT / "workflows_app" / "migrations").glob("0*.py"))

    assert "unique_together" not in migrations
    assert "index_together" not in migrations


@pytest.mark.django_db
def test_the_models_have_no_change_without_a_migration() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
