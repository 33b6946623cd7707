"""What a driver or server says, as an activity's error: a stable code, the SQLSTATE, and no secret.

The toolkit's own text is never shown: it repeats the DSN, the statement or values. Classes of SQLSTATE are those of
PostgreSQL's manual, appendix A.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tasks.activities.sql.databases import Database
from workflows_app.engine.errors import ActivityError

READ_ONLY_STATE = "25006"
CANCELED_STATE = "57014"
_LOST = ("08", "57P")
_TEMPORARY = ("40", "53", "55P03", *_LOST)
_SQLITE_TEMPORARY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM")
_MOST = 1_000  # characters of a server's text


def of_connecting(database: Database, error: Exception) -> ActivityError:
    """The error of a connection that was not made; nothing was sent on it."""
    return ActivityError(
        f"Connection {database.name!r} cannot be made: {_said(database, getattr(error, 'orig', None))}",
        code="CONNECTION_FAILED",
        details={"connection": database.name},
    )


def of_statement(database: Database, error: SQLAlchemyError, *, committing: bool = False) -> ActivityError:
    """The error of a statement that failed, or of a commit.

    Args:
        database: where it ran.
        error: the toolkit's.
        committing: whether the commit was on its way: if the connection was lost then, its effect is unknown.
    """
    original = error.orig if isinstance(error, DBAPIError) else None
    details: dict[str, Any] = {"connection": database.name}
    if database.is_sqlite:
        code, recoverable = _sqlite(original, details)
    else:
        code, recoverable = _postgres(original, details)
    if code == "CONNECTION_FAILED":
        if committing:
            details["effect"] = "unknown"
        when = "while it committed" if committing else "while a statement ran"
        message = f"Connection {database.name!r} was lost {when}: {_said(database, original)}"
    else:
        message = f"Connection {database.name!r}: {_said(database, original)}"
    return ActivityError(message, code=code, details=details, recoverable=recoverable)


def _postgres(original: Any, details: dict[str, Any]) -> tuple[str, bool]:
    state = getattr(original, "pgcode", None)
    if state is None:
        is_lost = type(original).__name__ in ("OperationalError", "InterfaceError")
        return ("CONNECTION_FAILED", True) if is_lost else ("QUERY_EXECUTION_FAILED", False)
    details["sqlstate"] = state
    told = getattr(original, "diag", None)
    for key in ("constraint_name", "table_name", "column_name"):
        if told is not None and getattr(told, key, None):
            details[key.removesuffix("_name")] = getattr(told, key)
    if state == READ_ONLY_STATE:
        return "READ_ONLY", False
    if state == CANCELED_STATE:
        return "QUERY_TIMEOUT", True
    if state.startswith(_LOST):
        return "CONNECTION_FAILED", True
    return "QUERY_EXECUTION_FAILED", state.startswith(_TEMPORARY)


def _sqlite(original: Any, details: dict[str, Any]) -> tuple[str, bool]:
    name = getattr(original, "sqlite_errorname", None) or ""
    if name:
        details["sqlite"] = name
    if name.startswith("SQLITE_READONLY"):
        return "READ_ONLY", False
    if name == "SQLITE_AUTH":
        return "SQL_NOT_ALLOWED", False
    if name == "SQLITE_INTERRUPT":
        return "QUERY_TIMEOUT", True
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return "CONNECTION_FAILED", False
    return "QUERY_EXECUTION_FAILED", name.startswith(_SQLITE_TEMPORARY)


def _said(database: Database, original: Any) -> str:
    told = getattr(original, "diag", None)
    text = getattr(told, "message_primary", None) or (
        str(original) if original is not None else "the driver refused it"
    )
    return database.scrubbed(" ".join(text.split()))[:_MOST]
