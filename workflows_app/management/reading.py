"""What commands read: files, standard input, JSON arguments, and the definitions below a folder or in a bundle."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from workflows_app.engine import strict_json
from workflows_app.engine.errors import InputInvalid, Problem, Refused
from workflows_app.services.bundles import (
    LARGEST_ARCHIVE,
    LARGEST_CONTENT,
    MOST_DOCUMENTS,
    SUFFIXES,
    Source,
    unpack,
)


def read(file: str) -> bytes:
    """Read a file, or standard input for ``-``.

    Raises:
        Refused: with code FILE_UNREADABLE.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as problem:
        raise _unreadable(file, problem) from problem


def read_input(text: str, what: str = "input") -> Any:
    """Read ``--input``: JSON, or ``@FILE`` with JSON; strict, so NaN and double keys are refused.

    Args:
        text: the option's value.
        what: names it in a refusal.

    Raises:
        InputInvalid: naming the place.
    """
    source = read(text[1:]) if text.startswith("@") else text
    try:
        return strict_json.read(source)
    except ValueError as problem:
        message = f"the {what} is not JSON: {problem}"
        raise InputInvalid(
            message, code="NOT_JSON", problems=[Problem(code="NOT_JSON", path=what, message=str(problem))]
        ) from problem


def read_definitions(paths: Sequence[str]) -> list[Source]:
    """Read the definitions that paths name: files, ``-``, archives (``.zip``), and all below folders.

    Below a folder names that begin with a dot, and files with other endings than those of definitions, are left
    alone; a link is refused, as it may lead anywhere.

    Raises:
        Refused: with code FILE_UNREADABLE, PATH_REFUSED, NOTHING_TO_IMPORT, ARCHIVE_INVALID or ARCHIVE_TOO_LARGE.
    """
    found: list[Source] = []
    size = 0
    for path in paths:
        before = len(found)
        for source in _sources(path):
            found.append(source)
            size += len(source.text)
            if len(found) > MOST_DOCUMENTS or size > LARGEST_CONTENT:
                message = f"these are more than {MOST_DOCUMENTS} definitions or {LARGEST_CONTENT} bytes"
                raise Refused(message, code="ARCHIVE_TOO_LARGE")
        if len(found) == before:
            raise Refused(f"{path} holds no definition (.yaml, .yml or .json)", code="NOTHING_TO_IMPORT")
    return found


def _sources(path: str) -> Iterator[Source]:
    limit = settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES
    if path == "-":
        yield Source(place="-", text=sys.stdin.buffer.read(limit + 1))
    elif os.path.isdir(path):
        for file in _below(path):
            yield Source(place=file, text=_beginning(file, limit))
    elif path.lower().endswith(".zip"):
        yield from unpack(_beginning(path, LARGEST_ARCHIVE), name=path, limit_bytes=limit)
    else:
        yield Source(place=path, text=_beginning(path, limit))


def _below(folder: str) -> Iterator[str]:
    def stop(problem: OSError) -> None:
        raise _unreadable(problem.filename, problem) from problem

    for where, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = os.path.join(where, name)
            if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                continue
            if not stat.S_ISREG(os.lstat(file).st_mode):
                raise Refused(f"{file} is a link or no ordinary file; name it by itself", code="PATH_REFUSED")
            yield file


def _beginning(file: str, limit: int) -> bytes:
    """Read one byte more than is allowed, which is enough to see that there are too many."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(limit + 1)
    except (OSError, ValueError) as problem:
        raise _unreadable(file, problem) from problem


def _unreadable(file: str, problem: Exception) -> Refused:
    reason = getattr(problem, "strerror", None) or problem
    return Refused(f"{file} cannot be read: {reason}", code="FILE_UNREADABLE")
