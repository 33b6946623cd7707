"""Production mode starts only with settings that are fit for it, and says everything that is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.environment import positive_duration, production_problems

ROOT = Path(__file__).parents[3]
SOUND = {
    "SECRET_KEY": "0123456789-abcdefghij-ABCDEFGHIJ-klmnopqrstu-KLMNOP",
    "ALLOWED_HOSTS": "flows.example.com",
    "DATABASE_URL": "postgresql://app@db/orchestrator",
    "CELERY_BROKER_URL": "amqp://broker",
}


def codes(**changes: str) -> list[str]:
    return [problem.split()[0] for problem in production_problems({**SOUND, **changes})]


def test_sound_settings_are_accepted() -> None:
    assert production_problems(SOUND) == []


def test_a_default_short_or_missing_secret_is_refused() -> None:
    for secret in ("", "changeme", "django-insecure-0123456789-abcdefghij-ABCDEFGHIJ-klmn", "x" * 60):
        assert codes(SECRET_KEY=secret) == ["SECRET_KEY"]


def test_debug_is_refused_however_it_is_spelt() -> None:
    for value in ("1", "true", "True", "yes", "on"):
        assert codes(DEBUG=value) == ["DEBUG"]


def test_wildcard_and_missing_hosts_are_refused() -> None:
    for hosts in ("", "*", "a.example,*"):
        assert codes(ALLOWED_HOSTS=hosts) == ["ALLOWED_HOSTS"]


def test_the_broker_for_one_machine_is_refused() -> None:
    assert codes(CELERY_BROKER_URL="filesystem://") == ["CELERY_BROKER_URL"]


def test_the_command_line_names_every_problem_without_a_traceback() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {*SOUND, "DEBUG", "DJANGO_SETTINGS_MODULE", "ORCHESTRATOR_ENV"}
    }

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**environment, "ORCHESTRATOR_ENV": "prod"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in SOUND:
        assert name in done.stderr


@pytest.mark.parametrize(("text", "why"), [("soon", "is not a duration"), ("0s", "longer than zero")])
def test_a_variable_that_holds_no_duration_is_refused_with_its_name(text: str, why: str) -> None:
    with pytest.raises(SystemExit, match=f"^KEEP.*{why}"):
        positive_duration("KEEP", default="7d", environment={"KEEP": text})
