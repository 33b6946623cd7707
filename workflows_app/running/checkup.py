"""What an installation needs, checked one thing at a time: what is reachable, what is missing, how to mend it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError

from workflows_app.artifacts import inspection
from workflows_app.running import postgres, roles

OLDEST_POSTGRES: Final = 150_000
# Bytes free on the disk of the state folder.
SCARCE_BYTES: Final = 2_000_000_000
TOO_FEW_BYTES: Final = 200_000_000
# Seconds a published dispatch may wait for a worker before somebody should look.
STALE_SECONDS: Final = 30
PING_SECONDS: Final = 1.5
# Seconds that finished instances may wait to be purged before somebody should look.
LATE_SECONDS: Final = 3600


class Health(StrEnum):
    """How a check ended; a warning does not make the installation unhealthy."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Args:
        name: the thing that was looked at.
        state: how it is.
        detail: what was found, one sentence.
        mend: what to do about it, empty where nothing is to be done.
    """

    name: str
    state: Health
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON-like data."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(name: str, detail: str) -> Finding:
    """A finding that asks for nothing."""
    return Finding(name=name, state=Health.OK, detail=detail)


def warning(name: str, detail: str, mend: str) -> Finding:
    """A finding that somebody should know about."""
    return Finding(name=name, state=Health.WARNING, detail=detail, mend=mend)


def failed(name: str, detail: str, mend: str) -> Finding:
    """A finding that keeps the installation from working."""
    return Finding(name=name, state=Health.FAILED, detail=detail, mend=mend)


def is_embedded() -> bool:
    """Whether this process would use the database of the state folder."""
    entry: Mapping[str, Any] = settings.DATABASES["default"]
    return str(entry.get("OPTIONS", {}).get("host", "")) == str(postgres.socket_folder(settings.STATE_DIR / "postgres"))


def database() -> Finding:
    """Whether the database answers, and is recent enough."""
    name = "database"
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
            number, version = cursor.fetchone()
    except DatabaseError as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if is_embedded():
            return failed(name, "The embedded PostgreSQL is not running.", "Start it: make up.")
        return failed(name, f"It does not answer: {said}", "Start PostgreSQL or correct DATABASE_URL.")
    if number < OLDEST_POSTGRES:
        return failed(name, f"PostgreSQL {version} is too old.", "Use PostgreSQL 15 or later.")
    return ok(name, f"PostgreSQL {version} answers.")


def migrations() -> Finding:
    """Whether the schema is the one that this code expects."""
    from django.db.migrations.executor import MigrationExecutor

    name = "migrations"
    executor = MigrationExecutor(connection)
    missing = [
        f"{migration.app_label}.{migration.name}"
        for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        return failed(name, f"Not applied: {shown}.", "Apply them: manage.py up --only-migrate.")
    return ok(name, "All are applied.")


def separation() -> Finding:
    """Whether the application is kept from rewriting history."""
    name = "roles"
    url = os.environ.get("DATABASE_URL") or roles.url_of(settings.DATABASES["default"])
    if roles.is_separated(url):
        return ok(name, f"{roles.user_of(url)} can add to history and cannot rewrite it.")
    return warning(
        name,
        f"{roles.user_of(url)} could rewrite history: one role owns the tables and runs the application.",
        "Set DATABASE_ADMIN_URL to an owner's address and DATABASE_URL to another role's; manage.py up --only-migrate.",
    )


def broker() -> Finding:
    """Whether the broker answers."""
    from celery import current_app

    name = "broker"
    url = current_app.connection().as_uri()
    if url.startswith("filesystem"):
        folder = Path(settings.STATE_DIR) / "broker" / "messages"
        if folder.is_dir() and os.access(folder, os.W_OK):
            return ok(name, f"Messages travel through {folder}.")
        return failed(name, f"{folder} is not there.", "It is made by: make up.")
    try:
        with current_app.connection_for_write() as opened:
            opened.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except Exception as error:
        # Every transport has exceptions of its own.
        return failed(name, f"{url} does not answer: {error}", "Start the broker or correct CELERY_BROKER_URL.")
    return ok(name, f"{url} answers.")


def workers() -> Finding:
    """Whether workers answer, for each queue."""
    from celery import current_app

    name = "workers"
    mend = "Start them: make up, or celery -A orchestrator worker -Q default and -Q long."
    try:
        queues = current_app.control.inspect(timeout=PING_SECONDS).active_queues() or {}
    except Exception as error:
        return failed(name, f"They cannot be asked: {error}", mend)
    served: dict[str, int] = {}
    for consumed in queues.values():
        for queue in consumed:
            served[queue["name"]] = served.get(queue["name"], 0) + 1
    unserved = [queue for queue in ("default", "long") if queue not in served]
    if unserved:
        return failed(name, f"No worker consumes {' and '.join(unserved)}.", mend)
    return ok(name, ", ".join(f"{count} on {queue}" for queue, count in sorted(served.items())) + ".")


def backlog() -> Finding:
    """Whether dispatched work is taken up."""
    from django.db.models.functions import Now

    from workflows_app.models import Dispatch

    name = "backlog"
    waiting = Dispatch.objects.count()
    stale = Dispatch.objects.filter(published_at__lt=Now() - timedelta(seconds=STALE_SECONDS)).count()
    if stale:
        return warning(
            name,
            f"{stale} of {waiting} dispatched steps have waited over {STALE_SECONDS} s for a worker.",
            "Look at the workers' logs, or start more of them.",
        )
    return ok(name, f"{waiting} dispatched steps wait for a worker." if waiting else "Nothing waits for a worker.")


def disk() -> Finding:
    """Whether the state folder has room."""
    name = "disk"
    folder = Path(settings.STATE_DIR)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB are free for {settings.STATE_DIR}."
    if free < TOO_FEW_BYTES:
        return failed(name, said, "Make room.")
    if free < SCARCE_BYTES:
        return warning(name, said, "Make room before it runs full.")
    return ok(name, said)


def artifacts() -> Finding:
    """Whether steps can keep what is too large for a row."""
    found = inspection.inspect()
    finding = failed if found.is_broken else warning
    return finding("artifacts", found.detail, found.mend) if found.mend else ok("artifacts", found.detail)


def secrets() -> Finding:
    """Whether generated secrets are private."""
    name = "secrets"
    loose = [
        path.name
        for path in (
            Path(settings.STATE_DIR) / kept for kept in ("secret_key", "secret_encryption_keys", "admin_password")
        )
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if loose:
        return failed(
            name,
            f"Others can read {' and '.join(loose)}.",
            f"chmod 600 {settings.STATE_DIR}/{loose[0]}, and change it.",
        )
    if len(settings.SECRET_KEY) < 32:
        return warning(name, "SECRET_KEY is short.", "Give it at least 50 random characters.")
    return ok(name, "Nobody else can read them.")


def keys() -> Finding:
    """Whether the secrets of steps can be decrypted."""
    from workflows_app.models import Secret
    from workflows_app.services import keyring, secrets

    name = "keys"
    count = Secret.objects.count()
    try:
        keyring.check()
    except keyring.KeysUnusable as refused:
        said = f"{refused.message[:1].upper()}{refused.message[1:]}."
        mend = "Give ORCHESTRATOR_SECRET_KEYS the keys that the web process and all workers share."
        if count or settings.ORCHESTRATOR_SECRET_KEYS:
            return failed(name, said, mend)
        return warning(name, said, mend)
    lost = secrets.unreadable()
    if lost:
        shown = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        return failed(
            name,
            f"{len(lost)} of {count} stored secrets cannot be decrypted: {shown}.",
            "Add the key they were encrypted with to ORCHESTRATOR_SECRET_KEYS, or set them again.",
        )
    return ok(name, f"{count} stored secrets can be decrypted." if count else "No secret is stored.")


def retention() -> Finding:
    """Whether what nobody keeps any longer goes."""
    from workflows_app.archives import places
    from workflows_app.archives.faults import ArchiveFault, told
    from workflows_app.selectors import presence
    from workflows_app.services import retention

    name = "retention"
    if not retention.is_set():
        return ok(name, "Finished instances are kept for ever.")
    if retention.archives():
        try:
            with told():
                problem = places.at("").problem()
        except ArchiveFault as fault:
            problem = fault.message
        if problem is not None:
            return failed(name, f"Nothing can be archived: {problem}.", "Correct ORCHESTRATOR_ARCHIVE.")
    due = retention.due()
    if not due:
        return ok(name, "Nobody's retention is over.")
    number, since = sum(each.instances for each in due), min(each.since for each in due)
    most = "at least " if number >= retention.MOST_LOOKED_AT else ""
    said = f"{most}{number} finished instances are to go, the first since {since:%Y-%m-%d %H:%M} UTC."
    if since < presence.clock() - timedelta(seconds=LATE_SECONDS):
        return warning(
            name,
            said,
            "Give the sweeper DATABASE_ADMIN_URL and read its log, or run as the owner: manage.py workflow retention "
            "--apply.",
        )
    return ok(name, said)


# What rests on the database is looked at where that answers.
ALONE: Final[tuple[Callable[[], Finding], ...]] = (disk, artifacts, secrets)
ON_DATABASE: Final[tuple[Callable[[], Finding], ...]] = (migrations, separation, backlog, keys, retention)


def findings() -> Iterator[Finding]:
    """Look at everything, one after the other."""
    for first, dependent in ((database, ON_DATABASE), (broker, (workers,))):
        found = attempt(first)
        yield found
        if found.state is Health.OK:
            yield from map(attempt, dependent)
    yield from map(attempt, ALONE)


def attempt(check: Callable[[], Finding]) -> Finding:
    """Run one check; one that breaks is a finding too, not a reason to keep the others back."""
    try:
        return check()
    except Exception as error:
        said = str(error).strip().splitlines()
        return failed(check.__name__, f"It could not be checked: {said[0] if said else type(error).__name__}", "")
