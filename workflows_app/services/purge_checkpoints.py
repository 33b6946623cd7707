"""Checkpoints: what the audit trail keeps of histories that were purged, signed by the installation.

The signature is an HMAC-SHA256 under a key derived from ``SECRET_KEY``; the keys in ``SECRET_KEY_FALLBACKS`` are
accepted too. It covers the whole entry but itself, and who made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

ACTION = "instances.purged"
"""The entries of the audit trail that are checkpoints."""
_SALT = "workflows_app.checkpoints"


def signed(data: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
    """Return an entry's data with its signature."""
    return {**data, "signature": _signature(data, actor, settings.SECRET_KEY)}


def holds(data: Mapping[str, Any], *, actor: str) -> bool:
    """Whether an entry's data was signed by this installation, for this actor."""
    unsigned = {key: value for key, value in data.items() if key != "signature"}
    given = str(data.get("signature"))
    keys = (settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", ()))
    return any(constant_time_compare(_signature(unsigned, actor, key), given) for key in keys)


def _signature(data: Mapping[str, Any], actor: str, key: str) -> str:
    text = json.dumps([actor, data], sort_keys=True, separators=(",", ":"))
    return salted_hmac(_SALT, text, secret=key, algorithm="sha256").hexdigest()
