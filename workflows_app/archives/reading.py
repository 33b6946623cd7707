"""Reading an archive: nothing of it is given out before its own SHA-256, and the chain of the history, fit."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile

from workflows_app.archives.faults import damaged, told
from workflows_app.artifacts.backends import Backend
from workflows_app.artifacts.staging import PIECE
from workflows_app.models.numbers import Decoder

KINDS = ("step", "attempt", "effect", "artifact", "logline")
"""Tables whose rows are kept beside the instance and its history."""
FORMAT = "orchestrator.archive/1"
IN_MEMORY = 16_000_000
"""Bytes of an archive that are not put on a disk to be read."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedEvent:
    """One event of an archived history; its hash was found right."""

    sequence: int
    type: str
    step: str
    at: datetime
    actor: str
    data: Any


class Archive:
    """The instances in one archive."""

    def __init__(self, file: ZipFile) -> None:
        self._file = file

    @cached_property
    def instances(self) -> dict[str, dict[str, Any]]:
        """What the manifest says of each instance, by its id.

        Raises:
            ArchiveFault: ARCHIVE_DAMAGED.
        """
        manifest = self._one("manifest.json")
        if manifest.get("format") != FORMAT:
            raise damaged(f"its format is {str(manifest.get('format'))[:50]!r}, not {FORMAT}")
        return dict(manifest["instances"])

    def instance(self, instance_id: UUID) -> dict[str, Any]:
        """Return the row of an instance."""
        return self._one(f"{instance_id}/instance.json")

    def definition(self, instance_id: UUID) -> dict[str, Any]:
        """Return the published version that an instance ran."""
        row = self.instances[str(instance_id)]
        return self._one(f"definitions/{row['workflow']}-{row['version']}.json")

    def rows(self, instance_id: UUID, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of one of the ``KINDS``, in order; ``kind`` is its plural."""
        for line in self._lines(f"{instance_id}/{kind}.jsonl"):
            yield _parsed(line)

    def history(self, instance_id: UUID) -> Iterator[ArchivedEvent]:
        """Yield the events of an instance, each after its hash has been found right.

        Raises:
            ArchiveFault: ARCHIVE_DAMAGED; an event does not fit those before it, or some are missing.
        """
        head, number = b"", 0
        for number, line in enumerate(self._lines(f"{instance_id}/history.txt"), start=1):
            kept, _, text = line.partition(" ")
            head = hashlib.sha256(head + text.encode()).digest()
            if head.hex() != kept:
                raise damaged(f"event {number} of {instance_id} does not have its hash")
            instance, sequence, type_, step, at, actor, data = _parsed(text)
            if instance != str(instance_id) or sequence != number:
                raise damaged(f"event {number} of {instance_id} is another one")
            when = _EPOCH + timedelta(microseconds=at)
            yield ArchivedEvent(sequence=sequence, type=type_, step=step, at=when, actor=actor, data=data)
        expected = self.instances[str(instance_id)]
        if number != expected["events"] or head.hex() != expected["head"]:
            raise damaged(f"the history of {instance_id} ends elsewhere")

    def verify(self) -> None:
        """Read everything once.

        Raises:
            ArchiveFault: ARCHIVE_DAMAGED, with the first thing that does not fit.
        """
        for key in self.instances:
            instance_id = UUID(key)
            self.instance(instance_id), self.definition(instance_id)
            for kind in KINDS:
                for _ in self.rows(instance_id, f"{kind}s"):
                    pass
            for _ in self.history(instance_id):
                pass

    def _one(self, name: str) -> dict[str, Any]:
        with _read(), self._file.open(name) as member:
            found: dict[str, Any] = json.loads(member.read(), cls=Decoder)
            return found

    def _lines(self, name: str) -> Iterator[str]:
        with _read(), self._file.open(name) as member:
            for line in io.TextIOWrapper(member, encoding="utf-8", newline="\n"):
                yield line.removesuffix("\n")


def _parsed(text: str) -> Any:
    with _read():
        return json.loads(text, cls=Decoder)


@contextmanager
def opened(backend: Backend, root: UUID, digest: str) -> Iterator[Archive]:
    """Open an archive whose every byte has been hashed first.

    Args:
        backend: where it lies.
        root: the instance at the top.
        digest: its SHA-256, hexadecimal, as the audit trail has it.

    Raises:
        ArchiveFault: ARCHIVE_MISSING, ARCHIVE_DAMAGED, ARCHIVE_FAILED.
    """
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        seen = hashlib.sha256()
        with told():
            source = backend.open(root, digest)
            try:
                while piece := source.read(PIECE):
                    seen.update(piece)
                    file.write(piece)
            except OSError as problem:
                raise damaged("it cannot be read") from problem
            finally:
                source.close()
        if seen.hexdigest() != digest:
            raise damaged("its checksum is not the one on the audit trail")
        file.seek(0)
        with _read():
            found = ZipFile(file)
        with found:
            yield Archive(found)


@contextmanager
def _read() -> Iterator[None]:
    try:
        yield
    except (BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError) as problem:
        raise damaged(f"it cannot be read ({type(problem).__name__})") from problem
