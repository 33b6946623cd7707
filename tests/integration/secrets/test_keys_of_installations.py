"""Where keys come from: the variable, a file that an installation makes for itself, or nowhere in production."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.processes import REPOSITORY

SHOW = "import django; django.setup(); from workflows_app.services import keyring; keyring.check(); print('usable')"
FIRST, SECOND = "a" * 42 + "A", "b" * 42 + "A="


def installation(folder: Path, kind: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "ORCHESTRATOR_ENV": kind,
        "DJANGO_SETTINGS_MODULE": f"orchestrator.settings.{kind}",
        "ORCHESTRATOR_STATE_DIR": str(folder),
        **more,
    }
    command = [sys.executable, "-c", SHOW]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)


def test_an_embedded_installation_makes_a_key_that_only_its_owner_reads_and_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "secret_encryption_keys"

    first = installation(tmp_path, "dev")
    kept = file.read_text()
    second = installation(tmp_path, "dev")

    assert (first.stdout, second.stdout) == ("usable\n", "usable\n"), first.stderr + second.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == kept


def test_the_file_may_hold_several_keys_and_the_variable_goes_before_it(tmp_path: Path) -> None:
    file = tmp_path / "secret_encryption_keys"
    file.write_text(f"{FIRST}\n{SECOND}\n")

    assert installation(tmp_path, "dev").stdout == "usable\n"
    file.write_text("no key")
    assert "SECRET_KEYS" in installation(tmp_path, "dev").stderr
    assert installation(tmp_path, "dev", ORCHESTRATOR_SECRET_KEYS=f"{FIRST},{SECOND}").stdout == "usable\n"


@pytest.mark.parametrize("keys", ["", FIRST])
def test_production_makes_no_key_of_its_own(tmp_path: Path, keys: str) -> None:
    found = installation(
        tmp_path,
        "prod",
        SECRET_KEY="0123456789-abcdefghij-ABCDEFGHIJ-klmnopqrstu-KLMNOP",
        ALLOWED_HOSTS="a.example",
        DATABASE_URL="postgresql://h/d",
        CELERY_BROKER_URL="redis://h",
        ORCHESTRATOR_SECRET_KEYS=keys,
    )

    assert found.stdout == ("usable\n" if keys else ""), found.stderr
    assert ("no key is set" in found.stderr) is not bool(keys)
    assert not (tmp_path / "secret_encryption_keys").exists()
