"""What commands write to files: whole or not at all, and never over something else without being asked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from workflows_app.engine.errors import Refused


def write(file: str, text: str) -> None:
    """Write a file that the command line names; what it held before is replaced in one move.

    Raises:
        Refused: with code FILE_UNWRITABLE.
    """
    target = Path(file)
    try:
        _put(target, text)
    except (OSError, ValueError) as problem:
        raise _unwritable(file, problem) from problem


def write_new(folder: str, texts: Mapping[str, str]) -> None:
    """Write several files into a folder, which is made if need be.

    Args:
        folder: where.
        texts: by file name.

    Raises:
        Refused: FILE_EXISTS, before anything is written, if a file is there with another content; FILE_UNWRITABLE.
    """
    where = Path(folder)
    try:
        where.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            target = where / name
            if target.is_symlink() or (target.exists() and target.read_bytes() != text.encode()):
                raise Refused(f"{target} is there already with another content", code="FILE_EXISTS")
        for name, text in texts.items():
            _put(where / name, text)
    except (OSError, ValueError) as problem:
        raise _unwritable(folder, problem) from problem


def _put(target: Path, text: str) -> None:
    if target.exists() and not target.is_file():
        # A terminal, a pipe, /dev/stdout: nothing to be replaced.
        target.write_text(text, encoding="utf-8")
        return
    handle, name = tempfile.mkstemp(dir=target.resolve().parent, prefix=f".{target.name[:50]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unwritable(file: str, problem: Exception) -> Refused:
    reason = getattr(problem, "strerror", None) or problem
    return Refused(f"{file} cannot be written: {reason}", code="FILE_UNWRITABLE")
