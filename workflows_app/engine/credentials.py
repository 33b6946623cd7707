"""The types of secrets: what each accepts, what a step gets of it, and which texts of it must never be shown."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from workflows_app.engine import values
from workflows_app.engine.errors import OrchestratorError, Refused

SHORTEST = 6
"""Characters: a shorter text stands in too many others by chance to be masked in them."""
LARGEST_BYTES = 65_536

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


class SecretType(StrEnum):
    """What a secret is: it decides what may be set and what a step gets."""

    TEXT = "text"
    """Any text, as it is: a password, a key of several lines."""
    TOKEN = "token"  # noqa: S105
    """Visible ASCII without spaces, fit for a header."""
    BASIC = "basic"
    """A user name and a password: an object, and in a text the base64 of both that HTTP's Basic takes (RFC 7617)."""
    JSON = "json"
    """An object or list of JSON, whose fields can be named."""


class SecretInvalid(Refused):
    """A secret that cannot be set; the message never repeats the value."""

    code = "SECRET_INVALID"


def check_name(name: str) -> None:
    """Refuse a name that no definition could hold, or that people could misread.

    Raises:
        SecretInvalid: it is no name.
    """
    if not _NAME.fullmatch(name):
        raise SecretInvalid(
            "the name of a secret begins with a letter and goes on with letters, digits, '_', '-' and '.', "
            "100 characters at most"
        )


def read(kind: SecretType, text: str) -> Any:
    """Make the value of a secret from the text that it is set with.

    Args:
        kind: its type.
        text: the value; of ``basic`` ``USER:PASSWORD`` or ``{"username", "password"}``, of ``json`` JSON.

    Returns:
        what a step gets: a string, or JSON.

    Raises:
        SecretInvalid: the text is none of that type, or holds nothing that is long enough to be masked.

    >>> read(SecretType.BASIC, "shop:correct horse")
    {'username': 'shop', 'password': 'correct horse'}
    """
    if len(text.encode(errors="replace")) > LARGEST_BYTES:
        raise SecretInvalid(f"a secret has {LARGEST_BYTES} bytes at most")
    value: Any = text
    match kind:
        case SecretType.TOKEN:
            if not _TOKEN.fullmatch(text):
                raise SecretInvalid("a token is visible ASCII without spaces; a secret of type text may be anything")
        case SecretType.BASIC:
            value = _basic(text)
        case SecretType.JSON:
            value = _json(text)
            if not isinstance(value, dict | list):
                raise SecretInvalid("a secret of type json is an object or a list")
    try:
        values.encode(value, limit_bytes=2 * LARGEST_BYTES, what="the secret")
    except OrchestratorError as refused:
        # Its path may name keys of the value.
        raise SecretInvalid(f"the value cannot be stored ({refused.code}): NUL, broken text or numbers") from None
    if not any(confidential(value)):
        raise SecretInvalid(f"a secret has {SHORTEST} characters at least: shorter ones cannot be masked in other text")
    return value


def _basic(text: str) -> dict[str, str]:
    found = _json(text) if text.lstrip().startswith("{") else None
    if found is None:
        username, colon, password = text.partition(":")
        found = {"username": username, "password": password} if colon else {}
    match found:
        case {"username": str(username), "password": str(password)} if len(found) == 2 and ":" not in username:
            return {"username": username, "password": password}
    raise SecretInvalid('a secret of type basic is USER:PASSWORD or {"username": …, "password": …}')


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SecretInvalid("the value is no JSON") from None


def confidential(value: Any) -> Iterator[str]:
    """Yield the texts of a secret's value that must not be shown; what is shorter than ``SHORTEST`` is left out.

    Of a pair of user name and password the name is none of them.

    >>> list(confidential({"username": "administrator", "password": "correct horse"}))
    ['correct horse', 'YWRtaW5pc3RyYXRvcjpjb3JyZWN0IGhvcnNl']
    """
    if is_basic(value):
        if len(value["password"]) >= SHORTEST:
            yield value["password"]
            yield in_text(value)
        return
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            if len(node) >= SHORTEST:
                yield node
        elif isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def is_basic(value: Any) -> bool:
    """Whether a value is a pair of user name and password."""
    match value:
        case {"username": str(), "password": str()}:
            return len(value) == 2
    return False


def in_text(value: Any) -> str:
    """What stands for a value between other text: itself, a pair's base64 for HTTP's Basic, or JSON.

    >>> in_text({"username": "Aladdin", "password": "open sesame"})
    'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
    """
    if isinstance(value, str):
        return value
    if is_basic(value):
        return base64.b64encode(f"{value['username']}:{value['password']}".encode()).decode()
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def field_of(value: Any, path: tuple[str | int, ...]) -> Any:
    """The part of a value at a path.

    Raises:
        LookupError: it has none.
    """
    for key in path:
        fits = isinstance(value, dict if isinstance(key, str) else list)
        if not fits:
            raise LookupError(key)
        value = value[key]
    return value
