"""Contents of published documents: when two are the same, and how their versions are ordered."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

SEMANTIC_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def content_hash(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical JSON, hexadecimal."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_version(version: str) -> tuple[int, int, int, str]:
    """Split a semantic version.

    >>> parse_version("1.10.2-rc.1+build")
    (1, 10, 2, 'rc.1')
    """
    match = SEMANTIC_VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"not a semantic version: {version}")
    return int(match[1]), int(match[2]), int(match[3]), match[4] or ""
