"""How a webhook is signed, after the Standard Webhooks specification (https://www.standardwebhooks.com).

The signature covers id, time and body, joined by full stops, with HMAC-SHA256. The receiver computes it over the bytes
that arrived, compares in constant time, and refuses a time that is more than some minutes off or an id that it knows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key's bytes: ``whsec_`` and base64, or the text itself.

    Raises:
        ValueError: for a secret with the prefix whose rest is no base64; the message does not repeat it.

    >>> key_of("whsec_a2V5"), key_of("key")
    (b'key', b'key')
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"a signing secret with {PREFIX} goes on in base64") from None


def id_of(idempotency_key: str) -> str:
    """The webhook's id, the same for all attempts of a step and free of full stops, which separate what is signed.

    >>> id_of("i-1:pay:0")
    'msg_97db34b3248e003b91f4f71c9946c3fa'
    """
    return f"msg_{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"


TOLERANCE = 300
"""Seconds by which the time of a request may be off."""


def verify(*, secret: str, identity: str, timestamp: str, signatures: str, body: bytes, now: float) -> bool:
    """Whether a request was signed with the secret, and not too long ago.

    Args:
        secret: shared with the sender.
        identity, timestamp, signatures: the headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``;
            the last may hold several signatures, of which one must fit.
        body: the bytes that arrived.
        now: seconds since 1970.

    Raises:
        ValueError: the secret is no signing secret.

    >>> headers = {"identity": "msg_1", "timestamp": "1700000000", "body": b"{}", "now": 1700000100}
    >>> signature = sign(secret="key", identity="msg_1", timestamp=1700000000, body=b"{}")
    >>> verify(secret="key", signatures=f"v1,AAAA {signature}", **headers)
    True
    >>> verify(secret="other", signatures=signature, **headers)
    False
    >>> verify(secret="key", signatures=signature, **headers | {"now": 1700000301})
    False
    """
    if not (identity and timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    wanted = sign(secret=secret, identity=identity, timestamp=int(timestamp), body=body)
    return any(hmac.compare_digest(wanted.encode(), given.encode()) for given in signatures.split(" "))


def sign(*, secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """The value of the header ``webhook-signature``.

    Args:
        secret: shared with the receiver.
        identity: the value of ``webhook-id``.
        timestamp: seconds since 1970, the value of ``webhook-timestamp``.
        body: exactly what is sent.

    >>> sign(secret="key", identity="msg_1", timestamp=1700000000, body=b"{}")
    'v1,XaXLFEFQ69Q4+demDWPEv5ydXczDW2mM5crCUEFcFBA='
    """
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()
