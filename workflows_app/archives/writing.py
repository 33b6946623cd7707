"""Writing an archive: an instance and all that it called, from rows that the caller has locked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.db import connection

from workflows_app.archives.faults import told
from workflows_app.archives.reading import FORMAT, IN_MEMORY, KINDS, opened
from workflows_app.artifacts import store
from workflows_app.artifacts.backends import Backend
from workflows_app.artifacts.staging import pieces, staged
from workflows_app.artifacts.verified import VerifiedContent
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Artifact

ROWS_AT_ONCE = 500
LARGEST = 1 << 40
_INSTANCES = """
SELECT x.id, x.workflow, x.version, x.state, x.sequence, encode(x.head_hash, 'hex'), x.parent_id, to_jsonb(x)::text
FROM workflows_app_instance x WHERE x.id = ANY (%s) ORDER BY x.depth, x.id
"""
# An instance that was migrated has run the versions before, too.
_DEFINITIONS = """
SELECT u.workflow, u.version, jsonb_build_object('name', u.workflow, 'version', u.version,
    'document', v.document, 'source', v.source, 'content_hash', v.content_hash, 'activities', v.activities,
    'calls', v.calls, 'published_at', v.published_at, 'published_by', v.published_by)::text
FROM (SELECT x.workflow, x.version FROM workflows_app_instance x WHERE x.id = ANY (%s)
    UNION SELECT x.workflow, e.data->>'from' FROM workflows_app_event e
    JOIN workflows_app_instance x ON x.id = e.instance_id
    WHERE x.id = ANY (%s) AND e.type = 'instance.migrated') AS u
JOIN workflows_app_definition d ON d.name = u.workflow
JOIN workflows_app_definitionversion v ON v.definition_id = d.id AND v.version = u.version ORDER BY 1, 2
"""
_EVENTS = """
SELECT sequence, encode(hash, 'hex') || ' ' || wf_event_text(instance_id, sequence, type, step, at, actor, data)
FROM workflows_app_event WHERE instance_id = %s AND sequence > %s ORDER BY sequence LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An archive that was read back and found right: its SHA-256, hexadecimal, and its size in bytes."""

    digest: str
    size: int


def write(backend: Backend, root: UUID, family: Sequence[UUID]) -> Written:
    """Write the archive of an instance and of all that it called, make it durable, and read it back.

    What an earlier try left of the same instance is removed first: as long as its rows are there, it belongs to none.

    Args:
        backend: where it is to lie.
        root: the instance at the top.
        family: it, and what it called; their rows are locked.

    Raises:
        ArchiveFault: ARCHIVE_FAILED; ARCHIVE_DAMAGED if what is read back, or a history in the database, does not fit.
    """
    with told(), SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _pack(file, root, family)
        file.seek(0)
        backend.remove_all(root)
        with staged(backend.staging, pieces(file), limit=LARGEST) as ready:
            backend.place(root, ready)
            written = Written(digest=ready.digest, size=ready.size)
        for row in Artifact.objects.filter(instance_id__in=family).order_by("digest", "id").distinct("digest"):
            _copy(backend, root, row)
    with opened(backend, root, written.digest) as archive:
        archive.verify()
    return written


def _pack(file: IO[bytes], root: UUID, family: Sequence[UUID]) -> None:
    instances = list(_rows(_INSTANCES, list(family)))
    manifest = {
        "format": FORMAT,
        "root": str(root),
        "instances": {
            str(row[0]): {
                "workflow": row[1],
                "version": row[2],
                "state": row[3],
                "events": row[4],
                "head": row[5],
                "parent": None if row[6] is None else str(row[6]),
            }
            for row in instances
        },
    }
    with ZipFile(file, "w") as archive:
        _member(archive, "manifest.json", [json.dumps(manifest, indent=1)])
        for name, version, text in _rows(_DEFINITIONS, list(family), list(family)):
            _member(archive, f"definitions/{name}-{version}.json", [text])
        for key, *_, text in instances:
            _member(archive, f"{key}/instance.json", [text])
            for kind in KINDS:
                _member(archive, f"{key}/{kind}s.jsonl", _of_kind(kind, key))
            _member(archive, f"{key}/history.txt", _paged(_EVENTS, key))


def _member(archive: ZipFile, name: str, lines: Iterable[str]) -> None:
    # The time of a member is no fact about the instance: without it the same rows make the same file.
    info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        for line in lines:
            member.write(f"{line}\n".encode())


def _of_kind(kind: str, instance_id: UUID) -> Iterator[str]:
    statement = (
        f"SELECT x.id, to_jsonb(x)::text FROM workflows_app_{kind} x "  # noqa: S608 - a constant
        "WHERE x.instance_id = %s AND x.id > %s ORDER BY x.id LIMIT %s"
    )
    return _paged(statement, instance_id)


def _paged(statement: str, instance_id: UUID) -> Iterator[str]:
    last = 0
    while True:
        page = list(_rows(statement, instance_id, last, ROWS_AT_ONCE))
        yield from (text for _, text in page)
        if len(page) < ROWS_AT_ONCE:
            return
        last = page[-1][0]


def _rows(statement: str, *parameters: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        yield from cursor.fetchall()


def _copy(backend: Backend, root: UUID, row: Artifact) -> None:
    """Keep the content of an artifact beside the archive; one that is gone already was lost before."""
    try:
        content = store.content(row)
    except ActivityError as problem:
        if problem.code == "ARTIFACT_NOT_FOUND":
            return
        raise
    with staged(backend.staging, content, limit=row.size) as ready:
        backend.place(root, ready)
    for _ in VerifiedContent(backend.open(root, row.digest), size=row.size, digest=row.digest, check=store.nothing):
        pass
