"""Which settings a process runs under: ``ORCHESTRATOR_ENV`` (dev, test, prod), unless Django's own variable says it."""

import os
from collections.abc import Mapping

from workflows_app.engine.durations import InvalidDuration, parse_duration

ENVIRONMENTS = ("dev", "test", "prod")


def use_settings() -> str:
    """Point Django at the settings module of the environment and return its dotted name.

    Raises:
        SystemExit: ``ORCHESTRATOR_ENV`` names no environment.
    """
    chosen = os.environ.get("ORCHESTRATOR_ENV", "dev")
    if chosen not in ENVIRONMENTS:
        raise SystemExit(f"ORCHESTRATOR_ENV is {chosen!r}; it must be one of {', '.join(ENVIRONMENTS)}.")
    return os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"orchestrator.settings.{chosen}")


def positive_duration(name: str, *, default: str, environment: Mapping[str, str] = os.environ) -> float:
    """Return the seconds that a variable stands for.

    Raises:
        SystemExit: it holds no duration, or one of zero.

    >>> positive_duration("KEEP", default="7d", environment={"KEEP": "90s"})
    90.0
    """
    text = environment.get(name) or default
    try:
        seconds = parse_duration(text)
    except InvalidDuration as problem:
        raise SystemExit(f"{name}: {problem.message}") from problem
    if not seconds:
        raise SystemExit(f"{name} is {text!r}; it must be longer than zero.")
    return seconds


def duration_or_none(name: str, *, environment: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds that a variable stands for, ``None`` where it is not set.

    Raises:
        SystemExit: it holds no duration, or one of zero.

    >>> duration_or_none("KEEP", environment={}), duration_or_none("KEEP", environment={"KEEP": "1d"})
    (None, 86400.0)
    """
    return positive_duration(name, default="", environment=environment) if environment.get(name) else None


def one_of(name: str, words: tuple[str, ...], *, environment: Mapping[str, str] = os.environ) -> str:
    """Return the word that a variable holds, the first one where it is not set.

    Raises:
        SystemExit: it holds another one.

    >>> one_of("THEN", ("purge", "archive"), environment={})
    'purge'
    """
    chosen = environment.get(name) or words[0]
    if chosen not in words:
        raise SystemExit(f"{name} is {chosen!r}; it must be one of {', '.join(words)}.")
    return chosen


def production_problems(environment: Mapping[str, str]) -> list[str]:
    """What forbids production mode under these variables, one sentence each; an empty list when nothing does.

    >>> production_problems({"SECRET_KEY": "abcdefghij" * 5, "ALLOWED_HOSTS": "a.example", "DATABASE_URL": "postgres://h/d",
    ...                      "CELERY_BROKER_URL": "redis://h"})
    []
    """
    problems = []
    secret = environment.get("SECRET_KEY", "")
    if not secret:
        problems.append("SECRET_KEY is not set: give it at least 50 random characters.")
    elif len(secret) < 50 or len(set(secret)) < 5 or secret.startswith("django-insecure"):
        problems.append("SECRET_KEY is a default or too short: give it at least 50 random characters.")
    if environment.get("DEBUG", "").strip().lower() in ("1", "true", "yes", "on", "t", "y", "ok"):
        problems.append("DEBUG is on: it shows settings and data to anybody who meets an error.")
    hosts = [host.strip() for host in environment.get("ALLOWED_HOSTS", "").split(",") if host.strip()]
    if not hosts:
        problems.append("ALLOWED_HOSTS is not set: name the hosts that this installation answers to.")
    elif any(host == "*" or host in (".", ".*") for host in hosts):
        problems.append("ALLOWED_HOSTS holds a wildcard for every host: name the hosts it answers to.")
    for name, kind in (("DATABASE_URL", "PostgreSQL 15 or later"), ("CELERY_BROKER_URL", "Redis 7 or RabbitMQ 3.10")):
        if not environment.get(name):
            problems.append(f"{name} is not set: production needs {kind} of its own.")
    if environment.get("CELERY_BROKER_URL", "").startswith(("filesystem", "memory")):
        problems.append("CELERY_BROKER_URL names a broker for one machine: production needs Redis or RabbitMQ.")
    return problems


def demand_production(environment: Mapping[str, str]) -> None:
    """Refuse to go on unless the variables are fit for production.

    Raises:
        SystemExit: with every problem, none only the first.
    """
    problems = production_problems(environment)
    if problems:
        raise SystemExit("Production settings are refused:\n" + "\n".join(f"  - {problem}" for problem in problems))
