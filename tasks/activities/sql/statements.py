"""One SQL statement as its author wrote it: what it binds, and that it is one.

The driver for PostgreSQL sends whatever text it gets, ``SELECT 1; COMMIT; DROP TABLE …`` too, which would leave the
read-only transaction. So the text is cut into tokens by PostgreSQL's lexical rules (its manual, section 4.1), and a
semicolon with anything behind it is refused. Only ``:name`` outside of quotes and comments is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workflows_app.engine.errors import ActivityError

_START = r"A-Za-z_\x80-\U0010ffff"
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<comment>--[^\r\n]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>(?:[{_START}][{_START}0-9]*)?)\$.*?\$(?P=tag)\$)
    | (?P<word>[{_START}][{_START}0-9$]*)
    | (?P<number>[0-9]+)
    | (?P<cast>::)
    | (?P<bind>:[A-Za-z_][A-Za-z_0-9]*)
    | (?P<end>;)
    | (?P<open>['"]|\$(?:[{_START}][{_START}0-9]*)?\$)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# What ends or nests the transaction that a step runs in, or outlives it on a connection that others use next.
_SESSION = frozenset(
    [
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "DEALLOCATE",
        "SET",
        "RESET",
        "DISCARD",
        "LISTEN",
        "UNLISTEN",
        "DECLARE",
        "FETCH",
        "MOVE",
        "CLOSE",
        "COPY",
        "LOAD",
        "ATTACH",
        "DETACH",
        "VACUUM",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement.

    Args:
        text: for ``sqlalchemy.text``: colons that bind nothing are escaped, the closing semicolon is gone.
        names: what it binds.
        keyword: its first word, in capitals.
    """

    text: str
    names: frozenset[str]
    keyword: str


def parse(sql: str) -> Statement:
    """Read one statement.

    Raises:
        ActivityError: MISSING_QUERY for nothing but space and comments, SQL_NOT_ALLOWED for more than one statement
            and for a quote or comment that does not end; not recoverable.

    >>> found = parse("SELECT ':no', x::int FROM t WHERE a = :a;")
    >>> found.text, sorted(found.names), found.keyword
    ("SELECT '\\\\:no', x\\\\:\\\\:int FROM t WHERE a = :a", ['a'], 'SELECT')
    """
    pieces: list[str] = []
    names: set[str] = set()
    keyword, ended, has_escapes, at = "", False, False, 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match is not None  # the last alternative takes any character
        kind, piece = str(match.lastgroup if match.lastgroup != "tag" else "dollar"), match[0]
        at = match.end()
        if kind == "block":
            piece, at = _comment(sql, match.start())
        if kind in ("space", "comment", "block"):
            pieces.append(_escaped(piece))
            continue
        if kind == "open":
            raise refused("A quote does not end.")
        if ended:
            raise refused("One statement is allowed; there is more behind the semicolon.")
        if kind == "end":
            ended = bool(keyword)
            continue
        if kind == "text" and has_escapes and "\\" in piece:
            # behind a line break it would go on as the E'' text before it, where a backslash hides a quote
            raise refused("Behind a text in E'' no other may hold a backslash: bind it as a parameter.")
        has_escapes = has_escapes or kind == "escaped"
        keyword = keyword or piece.upper()
        if kind == "bind":
            names.add(piece[1:])
            pieces.append(piece)
        else:
            pieces.append(_escaped(piece))
    if not keyword:
        raise ActivityError("There is no statement in `sql`.", code="MISSING_QUERY", recoverable=False)
    return Statement(text="".join(pieces).rstrip(), names=frozenset(names), keyword=keyword)


def bound(statement: Statement, given: Iterable[str], where: str) -> None:
    """Refuse parameters that the statement lacks, and a statement that lacks parameters.

    Args:
        statement: the statement.
        given: names of parameters.
        where: names them in the refusal.

    Raises:
        ActivityError: INVALID_PARAMETERS (not recoverable).
    """
    names = set(given)
    missing, unused = sorted(statement.names - names), sorted(names - statement.names)
    if missing or unused:
        reason = f"the statement binds :{missing[0]}, which is missing" if missing else f"nothing binds {unused[0]!r}"
        raise ActivityError(f"{where}: {reason}.", code="INVALID_PARAMETERS", recoverable=False)


def check_changing(statement: Statement) -> None:
    """Refuse what would end the step's transaction or change the session behind it.

    Raises:
        ActivityError: SQL_NOT_ALLOWED (not recoverable).
    """
    if statement.keyword in _SESSION:
        raise refused(f"{statement.keyword} is not allowed: a statement runs in a transaction that the step ends.")


def refused(reason: str) -> ActivityError:
    """The error of a statement that is not let through."""
    return ActivityError(reason, code="SQL_NOT_ALLOWED", recoverable=False)


def _comment(sql: str, start: int) -> tuple[str, int]:
    """Block comments nest in PostgreSQL."""
    depth, at = 0, start
    while True:
        edge = _COMMENT_EDGE.search(sql, at)
        if edge is None:
            raise refused("A comment does not end.")
        depth, at = depth + (1 if edge[0] == "/*" else -1), edge.end()
        if depth == 0:
            return sql[start:at], at


def _escaped(piece: str) -> str:
    return piece.replace(":", "\\:")
