"""Who runs a command, for history and audit."""

from __future__ import annotations

import getpass


def person() -> str:
    """Return the name of the system's user, ``command`` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command"
