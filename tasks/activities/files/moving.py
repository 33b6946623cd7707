"""Copying, moving and deleting a file, so that doing it again after a loss changes nothing more."""

from __future__ import annotations

import errno
import os
from typing import Any

from tasks.activities.files import placing, roots
from tasks.activities.files.failures import failure, told
from workflows_app.activities import ActivityContext


def copy(source: str, target: str, *, replace: bool, context: ActivityContext) -> dict[str, Any]:
    """Copy a file; the copy appears whole or not at all.

    Args:
        source: relative path.
        target: relative path; missing folders are made.
        replace: whether a file that stands at the target gives way.
        context: the attempt.

    Returns:
        ``{path, size, sha256}`` of the copy.
    """
    with roots.place(source) as origin:
        descriptor = roots.open_file(origin)
        try:
            with roots.place(target, make_folders=True) as where:
                _refuse_same(origin, where)
                chunks = placing.read_chunks(descriptor, origin, context)
                written = placing.put(where, chunks, context, replace=replace)
        finally:
            os.close(descriptor)
    return {"path": target, "size": written.size, "sha256": written.sha256}


def move(source: str, target: str, *, replace: bool, context: ActivityContext) -> dict[str, Any]:
    """Move a file.

    A later attempt that finds the source gone and the target there is done: the one before moved it.

    Args:
        source: relative path.
        target: relative path; missing folders are made.
        replace: whether a file that stands at the target gives way.
        context: the attempt.

    Returns:
        ``{path, size}``.
    """
    with roots.place(source) as origin:
        found = roots.status(origin)
        if found is None and context.attempt == 1:
            raise failure("FILE_NOT_FOUND", source, "does not exist")
        return _moved(origin, found, target, replace=replace, context=context)


def _moved(
    origin: roots.Place, found: os.stat_result | None, target: str, *, replace: bool, context: ActivityContext
) -> dict[str, Any]:
    source = origin.path
    with roots.place(target, make_folders=found is not None) as where:
        standing = roots.status(where)
        if found is None:
            if standing is None:
                raise failure("FILE_NOT_FOUND", source, "does not exist")
            return {"path": target, "size": standing.st_size}
        is_linked = standing is not None and os.path.samestat(found, standing)
        if source == target or (is_linked and context.attempt == 1):
            raise failure("FILE_EXISTS", target, "is the same file")
        if is_linked:  # an attempt ended between putting it there and taking it away
            with told(source):
                os.unlink(origin.name, dir_fd=origin.folder)
            return {"path": target, "size": found.st_size}
        if standing is not None and not replace:
            raise failure("FILE_EXISTS", target, "exists already")
        _put_there(origin, where, context, replace=replace)
        return {"path": target, "size": found.st_size}


def delete(path: str, *, missing_ok: bool, context: ActivityContext) -> dict[str, Any]:
    """Delete a file; a later attempt that finds none is done.

    Returns:
        ``{path, deleted}``.
    """
    with roots.place(path) as where:
        if roots.status(where) is None:
            if missing_ok or context.attempt > 1:
                return {"path": path, "deleted": False}
            raise failure("FILE_NOT_FOUND", path, "does not exist")
        with told(path):
            os.unlink(where.name, dir_fd=where.folder)
    return {"path": path, "deleted": True}


def _put_there(origin: roots.Place, where: roots.Place, context: ActivityContext, *, replace: bool) -> None:
    with told(where.path):
        try:
            if replace:
                os.rename(origin.name, where.name, src_dir_fd=origin.folder, dst_dir_fd=where.folder)
            else:
                os.link(
                    origin.name,
                    where.name,
                    src_dir_fd=origin.folder,
                    dst_dir_fd=where.folder,
                    follow_symlinks=False,
                )
                os.unlink(origin.name, dir_fd=origin.folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # another file system is mounted in between
            copy(origin.path, where.path, replace=replace, context=context)
            os.unlink(origin.name, dir_fd=origin.folder)
        os.fsync(where.folder)


def _refuse_same(origin: roots.Place, where: roots.Place) -> None:
    found, standing = roots.status(origin), roots.status(where)
    if found is not None and standing is not None and os.path.samestat(found, standing):
        raise failure("FILE_EXISTS", where.path, "is the same file")
