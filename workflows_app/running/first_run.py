"""What a first run does once: an administrator, the shipped examples. Every step may be repeated without harm."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workflows_app.running import roles, secrets
from workflows_app.running.arrangement import Arrangement

ADMINISTRATOR: Final = "admin"
PASSWORD_CHARACTERS: Final = 20


class FirstRunError(RuntimeError):
    """A step that an installation cannot do without went wrong; the message holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in.

    Args:
        user: name.
        password: the generated one, or None where somebody chose another since.
    """

    user: str
    password: str | None

    def __str__(self) -> str:
        return f"{self.user} / {self.password or 'the password you chose'}"


def migrate(arrangement: Arrangement) -> None:
    """Bring the database to the present schema as its owner, then give the application its rights.

    Raises:
        FirstRunError: with what `migrate` said.
    """
    import os

    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"],
        cwd=arrangement.base_dir,
        env={**os.environ, **arrangement.environment, "DATABASE_URL": arrangement.admin_url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        # Ctrl-C is for us: a migration that has begun ends first.
        start_new_session=True,
    )
    if done.returncode != 0:
        log = arrangement.log_dir / "migrate.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr)
        raise FirstRunError(f"The database could not be migrated: {reason(done.stderr or done.stdout)} (see {log})")
    roles.grant(arrangement.admin_url, role=roles.user_of(arrangement.database_url))


def reason(said: str) -> str:
    """The sentence that matters in what a failed command said: the exception's, without its traceback.

    >>> reason("Traceback (most recent call last):\\n  File \\"x\\", line 1\\nError: no such role\\nLINE 1: x\\n   ^")
    'Error: no such role'
    """
    lines = [line for line in said.strip().splitlines() if line.strip()]
    heads = [line for line in lines if not line[0].isspace() and not line.startswith(("Traceback", "LINE ", "During "))]
    return heads[-1] if heads else "it said nothing"


def password(state_dir: Path) -> str:
    """The generated password of this state folder's administrator."""
    return secrets.generated(state_dir / "admin_password", length=PASSWORD_CHARACTERS)


def administrator(state_dir: Path, *, embedded: bool) -> Login | None:
    """Make the administrator where there is none.

    Args:
        state_dir: folder that keeps the generated password.
        embedded: whether the database is ours. In somebody's own one an administrator of any name is enough.

    Returns:
        how to log in; None where somebody else's administrator is there.
    """
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    kept = password(state_dir)
    found = users.filter(username=ADMINISTRATOR).first()
    if found is not None:
        return Login(user=ADMINISTRATOR, password=kept if found.check_password(kept) else None)
    if not embedded and users.filter(is_superuser=True).exists():
        return None
    users.create_superuser(ADMINISTRATOR, "admin@localhost", kept)
    return Login(user=ADMINISTRATOR, password=kept)


def publish_examples(base_dir: Path) -> list[str]:
    """Publish every shipped example; one that is published already stays as it is.

    Returns:
        names and versions, as `name version`.

    Raises:
        OrchestratorError: an example is refused, for example because its version was published with other content.
    """
    from workflows_app.services import definitions

    published = []
    for path in sorted((base_dir / "examples").glob("*/workflow.yaml")):
        version = definitions.publish(text=path.read_text(encoding="utf-8"), actor="installation")
        published.append(f"{version.definition.name} {version.version}")
    return published
