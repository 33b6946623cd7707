"""Secrets that an installation generates for itself and keeps in files only its owner can read."""

import os
import secrets
from pathlib import Path


def generated(path: Path, *, length: int) -> str:
    """The secret kept in ``path``; made on the first call, the same ever after, also when two processes race.

    Args:
        path: file that keeps it, created with mode 0600; its folder is made with mode 0755 when missing.
        length: characters, taken from the alphabet of URL-safe base 64.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(length)[:length] + "\n")
    try:
        # link refuses to replace: whoever comes second takes what the first one wrote.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
