"""Whom root runs PostgreSQL as: it refuses root itself."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Ours first; `nobody` where no user can be made (a read-only system, no useradd).
USERS: Final = ("pgserver", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user and group by number."""

    uid: int
    gid: int


def identity() -> Identity | None:
    """The user for a process that must not be root, or None where the caller is not root anyway.

    The user `pgserver` is made on the first call, as the wheel's own starter does.

    Raises:
        RuntimeError: there is no such user and none can be made.
    """
    if os.geteuid() != 0:
        return None
    for attempt in ("look", "make"):
        if attempt == "make" and shutil.which("useradd"):
            command = ["useradd", "--system", "--no-create-home", USERS[0]]
            subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        for name in USERS[:1] if attempt == "look" else USERS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return Identity(uid=entry.pw_uid, gid=entry.pw_gid)
    raise RuntimeError("PostgreSQL does not run as root, and there is no other user: make one named pgserver.")


def let_pass(path: Path, who: Identity) -> None:
    """Let ``who`` pass through the folders above ``path``: adds the right to traverse, nothing else, where it lacks."""
    for folder in path.resolve().parents:
        mode = folder.stat()
        if mode.st_uid != who.uid and not mode.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


def let_read(root: Path) -> None:
    """Let everybody read the programs below ``root``, which a strict umask at installation may have kept private."""
    for folder, _, files in os.walk(root):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            # Whoever owns it may run it: so may everybody.
            wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if mode != wanted:
                path.chmod(wanted)
