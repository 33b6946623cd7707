"""Bundles: definitions out of a .zip, read in memory under bounds; no entry is ever written to a disk.

What is refused, and not merely left out, as it has no place in an honest bundle: names that are absolute or climb
(``..``), backslashes and drives, links, entries under a password, the same name twice, and more than the bounds allow
once unpacked, whatever the archive says of its own sizes.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from workflows_app.engine.errors import Refused

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
"""Endings of the files that are taken for definitions; others are left alone."""
MOST_DOCUMENTS = 1000
MOST_ENTRIES = 5000
LARGEST_ARCHIVE = 20_000_000
"""Bytes of a bundle as it comes."""
LARGEST_CONTENT = 50_000_000
"""Bytes of all its definitions together, unpacked."""

_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LIES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document before it is read: where it stands, for messages, and its bytes."""

    place: str
    text: bytes


def unpack(data: bytes, *, name: str, limit_bytes: int) -> list[Source]:
    """Return the definitions of an archive, by name.

    Args:
        data: the archive.
        name: what it is called, prefix of each place.
        limit_bytes: of a larger document so much is read as shows that it is too large.

    Raises:
        Refused: with code ARCHIVE_INVALID, ARCHIVE_TOO_LARGE or PATH_REFUSED.
    """
    # Every entry of the directory begins with this mark: counted before any of them becomes an object.
    if len(data) > LARGEST_ARCHIVE or data.count(_ENTRY) > MOST_ENTRIES:
        raise Refused(
            f"{name} is larger than {LARGEST_ARCHIVE} bytes or has more than {MOST_ENTRIES} entries",
            code="ARCHIVE_TOO_LARGE",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sorted(_sources(archive, name, limit_bytes), key=lambda source: source.place)
    except _LIES as problem:
        raise Refused(f"{name} is no sound .zip archive: {problem}", code="ARCHIVE_INVALID") from problem


def _sources(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> Iterator[Source]:
    left = LARGEST_CONTENT
    seen: set[str] = set()
    number = 0
    for entry in archive.infolist():
        _check(entry, name)
        if entry.filename in seen:
            raise Refused(f"{name} has two entries {entry.filename!r}", code="ARCHIVE_INVALID")
        seen.add(entry.filename)
        if entry.is_dir() or PurePosixPath(entry.filename).suffix.lower() not in SUFFIXES:
            continue
        if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
            message = f"{name}: {entry.filename!r} is under a password or packed in a way other than deflate"
            raise Refused(message, code="ARCHIVE_INVALID")
        with archive.open(entry) as packed:
            text = packed.read(min(limit_bytes, left) + 1)
        left -= len(text)
        number += 1
        if left < 0 or number > MOST_DOCUMENTS:
            raise Refused(
                f"{name} unpacks to more than {LARGEST_CONTENT} bytes or {MOST_DOCUMENTS} definitions",
                code="ARCHIVE_TOO_LARGE",
            )
        yield Source(place=f"{name}:{entry.filename}", text=text)


def _check(entry: zipfile.ZipInfo, name: str) -> None:
    written = entry.orig_filename
    climbs = ".." in PurePosixPath(written).parts
    if climbs or written.startswith("/") or any(mark in written for mark in ("\\", ":", "\x00")):
        raise Refused(f"{name}: the entry {written!r} would lead out of its folder", code="PATH_REFUSED")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Refused(f"{name}: the entry {written!r} is a link", code="PATH_REFUSED")
