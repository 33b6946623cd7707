"""Masking: secrets in whatever a step returns, raises or logs become ``***``, also where they were encoded.

The forms that a text takes on its way through libraries are masked too: JSON and Python escapes, percent encoding, and
base64, also where the text is only a part of what was encoded (the password in ``user:password``). A digest or an
encryption of a secret is none of them: it does not give the secret away.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from workflows_app.engine.credentials import SHORTEST
from workflows_app.engine.errors import ActivityError
from workflows_app.engine.values import MAX_DEPTH

MASK = "***"


def forms(text: str) -> set[str]:
    """Every form of a text that is masked.

    >>> sorted(form for form in forms("a/b c+d") if "%" in form)
    ['a%2Fb%20c%2Bd', 'a%2Fb+c%2Bd', 'a%2fb%20c%2bd', 'a%2fb+c%2bd', 'a/b%20c%2Bd', 'a/b%20c%2bd']
    """
    found: set[str] = set()
    for part in {text, text.strip(), *(line.strip() for line in text.splitlines())}:
        if len(part) >= SHORTEST:
            found.update(_forms(part))
    return {form for form in found if len(form) >= SHORTEST}


def _forms(text: str) -> Iterator[str]:
    raw = text.encode(errors="surrogatepass")
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(json.dumps(text)[1:-1])[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(text)
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), quoted)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from _within(raw, encode)


def _within(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """The characters of a base64 that come from these bytes alone, for each place where they may begin in a group.

    More of them where nothing comes after these bytes.
    """
    for before in range(3):
        whole = encode(b"\0" * before + raw).decode()[(0, 2, 3)[before] :]
        yield whole
        yield whole.rstrip("=")
        yield whole[: (before + len(raw)) * 8 // 6 - (0, 2, 3)[before]]


class Masks:
    """The texts to mask; more can be added at any time.

    >>> masks = Masks()
    >>> masks.add(["correct horse"])
    >>> masks.text("Basic dXNlcjpjb3JyZWN0IGhvcnNl for correct%20horse")
    'Basic dXNlcjp*** for ***'
    """

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._forms)

    def add(self, texts: Iterable[str]) -> None:
        """Mask these from now on; those shorter than ``SHORTEST`` are not."""
        found = set(self._forms).union(*map(forms, texts))
        # The longest first: a part of it may be another secret.
        self._forms = tuple(sorted(found, key=lambda form: (-len(form), form)))

    def text(self, text: str) -> str:
        """A text with all of them masked."""
        # One search for each is quicker than one pattern of all, which a key of many lines makes long.
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any, *, limit: int) -> Any:
        """A value with all of them masked, keys included.

        What is no JSON, and what lies too deep to be stored, stays as it is: it is refused where it would be stored.

        Args:
            limit: characters and parts that are looked at.

        Raises:
            ActivityError: TOO_LARGE, not recoverable: it holds more, so that it cannot be stored either.
        """
        return _Walk(self, limit).value(value, 0) if self._forms else value


class _Walk:
    def __init__(self, masks: Masks, limit: int) -> None:
        self.masks = masks
        self.limit = self.left = limit

    def value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, Mapping):
            self._spend(len(value))
            return {
                self._text(key) if isinstance(key, str) else key: self.value(part, depth + 1)
                for key, part in value.items()
            }
        if isinstance(value, list | tuple):
            self._spend(len(value))
            return [self.value(part, depth + 1) for part in value]
        return value

    def _text(self, text: str) -> str:
        self._spend(len(text))
        return self.masks.text(text)

    def _spend(self, amount: int) -> None:
        self.left -= amount + 1
        if self.left < 0:
            raise ActivityError(
                f"What the step gave is larger than {self.limit} bytes as JSON.",
                code="TOO_LARGE",
                details={"limit": self.limit, "effect": "unknown"},
                recoverable=False,
            )
