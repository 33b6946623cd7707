"""References: the JSON objects that stand for artifacts, signed by the installation so that nobody else can make one.

The signature is an HMAC-SHA256 (RFC 2104) under a key derived from ``SECRET_KEY``; the keys in
``SECRET_KEY_FALLBACKS`` are accepted too, so that a key can be changed while references are on their way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from workflows_app.artifacts.refusals import refusal
from workflows_app.engine.errors import ActivityError

KEY = "$artifact"
ALGORITHM = "sha256"
NAME_LENGTH = 255
_KEYS = frozenset({KEY, "instance", "size", "media_type", "name", "signature"})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOKEN = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,62}"  # noqa: S105 - RFC 6838, section 4.2
_MEDIA_TYPE = re.compile(f"{_TOKEN}/{_TOKEN}")
_SALT = "orchestrator.artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is known of an artifact without looking at it.

    Args:
        digest: SHA-256 of the content, 64 hexadecimal digits.
        instance: the instance that keeps it.
        size: bytes.
        media_type: ``type/subtype``, as whoever wrote it said.
        name: what people call it; data, never a path.
    """

    digest: str
    instance: UUID
    size: int
    media_type: str
    name: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON object, signed."""
        return {
            KEY: f"{ALGORITHM}:{self.digest}",
            "instance": str(self.instance),
            "size": self.size,
            "media_type": self.media_type,
            "name": self.name,
            "signature": self.signature(settings.SECRET_KEY),
        }

    def signature(self, key: str) -> str:
        """The signature under a secret key, hexadecimal."""
        text = json.dumps([self.digest, str(self.instance), self.size, self.media_type, self.name])
        return salted_hmac(_SALT, text, secret=key, algorithm="sha256").hexdigest()


def is_digest(text: str) -> bool:
    """Whether a text is a SHA-256 as it stands in file names: nothing else ever reaches a file system."""
    return _DIGEST.fullmatch(text) is not None


def check_words(name: str, media_type: str) -> None:
    """Refuse names and media types that could not be shown, or sent in a header, as they are.

    Raises:
        ActivityError: ARTIFACT_INVALID.
    """
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise refusal("ARTIFACT_INVALID", f"The name of an artifact has 1 to {NAME_LENGTH} printable characters.")
    if not isinstance(media_type, str) or _MEDIA_TYPE.fullmatch(media_type) is None:
        raise refusal("ARTIFACT_INVALID", "The media type of an artifact is type/subtype, such as application/pdf.")


def printable(text: str, *, otherwise: str) -> str:
    """A name made of what somebody else said.

    >>> printable("a\\r\\nb.pdf", otherwise="answer"), printable("", otherwise="answer")
    ('a__b.pdf', 'answer')
    """
    return "".join(each if each.isprintable() else "_" for each in text[:NAME_LENGTH]) or otherwise


def media_type_of(text: str, *, otherwise: str) -> str:
    """The media type in a header's value, without parameters.

    >>> media_type_of("Text/CSV; charset=utf-8", otherwise="a/b"), media_type_of("nonsense", otherwise="a/b")
    ('text/csv', 'a/b')
    """
    found = text.partition(";")[0].strip().lower()
    return found if _MEDIA_TYPE.fullmatch(found) else otherwise


def parse(value: Any) -> Reference:
    """Read a reference that this installation made; every part of it is covered by the signature.

    Raises:
        ActivityError: ARTIFACT_INVALID if it is none, ARTIFACT_NOT_ALLOWED if its signature is missing or wrong.
    """
    found = _read(value)
    if found is None:
        raise refusal("ARTIFACT_INVALID", "This is no reference to an artifact.")
    given = value.get("signature")
    keys = (settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", ()))
    if not isinstance(given, str) or not any(constant_time_compare(found.signature(key), given) for key in keys):
        raise not_allowed("its signature is not this installation's")
    return found


def not_allowed(reason: str) -> ActivityError:
    """The error of a reference that may not be read; it does not say whether there is such an artifact."""
    return refusal("ARTIFACT_NOT_ALLOWED", f"The reference to an artifact is refused: {reason}.")


def _read(value: Any) -> Reference | None:
    if not isinstance(value, Mapping) or not set(value) <= _KEYS:
        return None
    match value:
        case {"$artifact": str(named), "instance": str(instance), "size": int(size), "media_type": str(kind)}:
            algorithm, _, digest = named.partition(":")
            name = value.get("name")
            if algorithm != ALGORITHM or not is_digest(digest) or isinstance(size, bool) or not isinstance(name, str):
                return None
            try:
                owner = UUID(instance)
            except ValueError:
                return None
            return Reference(digest=digest, instance=owner, size=size, media_type=kind, name=name)
    return None
