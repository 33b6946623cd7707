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
