"""SQLite: a file below the folder for files, and no statement that reaches another one."""

from __future__ import annotations

import sqlite3
import stat
from typing import Any

from tasks.activities.files import roots
from workflows_app.engine.errors import ActivityError

BUSY_SECONDS = 5.0
# What tells of tables, and what the toolkit asks when it connects; others reach files or change the file's format.
_PRAGMAS = frozenset(
    [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_keys",
        "foreign_key_check",
        "read_uncommitted",
        "user_version",
        "query_only",
        "integrity_check",
        "quick_check",
    ]
)


def names(path: str) -> tuple[str, ...]:
    """The parts of a file's path below the folder for files.

    Args:
        path: what stands behind ``sqlite:///``; absolute only if it leads below that folder.

    Raises:
        ValueError: it leads elsewhere.
    """
    if not path or path == ":memory:" or path.startswith("file:"):
        raise ValueError("sqlite:/// needs the path of a file")
    try:
        if path.startswith("/"):
            top = f"{roots.root()}/"
            if not path.startswith(top):
                raise ValueError("a SQLite file must lie below the folder for files")
            path = path.removeprefix(top)
        return roots.parts(path)
    except ActivityError as error:
        raise ValueError(error.message.rstrip(".")) from None


def connect(name: str, path: str, *, writes: bool) -> sqlite3.Connection:
    """Open the file.

    Args:
        name: of the connection, for errors.
        path: as ``names`` takes it.
        writes: whether it is opened to change something; it is made then if it is missing.

    Raises:
        ActivityError: CONNECTION_FAILED (not recoverable) if it is not there or is no file.
    """
    relative = "/".join(names(path))
    with roots.place(relative) as where:
        found = roots.status(where)
        if found is None and not writes:
            raise ActivityError(
                f"The file of connection {name!r} does not exist.", code="CONNECTION_FAILED", recoverable=False
            )
        assert found is None or stat.S_ISREG(found.st_mode)
    uri = (roots.root() / relative).absolute().as_uri()
    opened = sqlite3.connect(
        f"{uri}?mode={'rwc' if writes else 'ro'}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # another thread interrupts a statement that takes too long
    )
    opened.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    opened.set_authorizer(_permit)
    return opened


def _permit(action: int, first: Any, second: Any, *_: Any) -> int:
    if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (str(first).lower() not in _PRAGMAS):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and str(second).lower() in ("load_extension", "fts3_tokenizer"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
