"""The keys of secrets at rest: Fernet (AES-128-CBC under HMAC-SHA256), the first encrypts, all of them decrypt."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from workflows_app.engine.errors import Refused

KEY_BYTES = 32


class KeysUnusable(Refused):
    """The installation's keys cannot be used: there is none, or one of them is no key."""

    code = "SECRET_KEYS_UNUSABLE"


class Undecryptable(Refused):
    """A ciphertext that none of the keys fits, or that was altered."""

    code = "SECRET_UNREADABLE"


def encrypt(plain: bytes) -> str:
    """Encrypt with the first key.

    Raises:
        KeysUnusable: there is none.
    """
    return _fernet().encrypt(plain).decode()


def decrypt(ciphertext: str) -> bytes:
    """Decrypt with whichever key fits.

    Raises:
        KeysUnusable: there is no key to try.
        Undecryptable: none of them fits.
    """
    try:
        return _fernet().decrypt(ciphertext.encode())
    except InvalidToken:
        raise Undecryptable("none of the keys in ORCHESTRATOR_SECRET_KEYS decrypts it") from None


def check() -> None:
    """Refuse keys that cannot be used.

    Raises:
        KeysUnusable: there is none, or one of them is no key.
    """
    _fernet()


def new_key() -> str:
    """Return a fresh key, as ``ORCHESTRATOR_SECRET_KEYS`` takes it."""
    return Fernet.generate_key().decode()


def _fernet() -> MultiFernet:
    return _made(tuple(settings.ORCHESTRATOR_SECRET_KEYS))


@lru_cache(maxsize=4)
def _made(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise KeysUnusable("no key is set: give ORCHESTRATOR_SECRET_KEYS one (`manage.py secret key` makes it)")
    return MultiFernet([_one(place, key.strip()) for place, key in enumerate(keys, start=1)])


def _one(place: int, key: str) -> Fernet:
    """Read one key; its padding may be missing."""
    try:
        raw = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeysUnusable(f"key {place} in ORCHESTRATOR_SECRET_KEYS is not {KEY_BYTES} bytes in URL-safe base64")
    return Fernet(base64.urlsafe_b64encode(raw))
