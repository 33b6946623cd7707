"""Connections: the named endpoints that an administrator set up in ``ORCHESTRATOR_CONNECTIONS``.

``configured`` and ``secret`` serve every kind; the rest is for HTTP. What a database is reached by is in
``tasks.activities.sql.databases``.

``{"bank": {"base_url": "https://bank.example/api", "headers": {"Accept": "application/json"},
"secret_env": {"Authorization": "BANK_AUTHORIZATION"}, "allow_hosts": ["files.bank.example"], "allow_private": false}}``

``secret_env`` names, for each header, the environment variable of the worker that holds its value: definitions,
the database and messages never see it. ``signing_secret_env`` names the one that webhooks are signed with. In the place
of a variable's name a stored secret may stand: ``{"secret": "bank-token", "prefix": "Bearer "}``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.conf import settings

from tasks import secrecy
from tasks.activities import egress, http_headers
from workflows_app.engine.errors import ActivityError

_KEYS = {"base_url", "headers", "secret_env", "allow_hosts", "allow_private", "signing_secret_env"}
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One endpoint.

    Args:
        name: its name in definitions.
        base_url: what paths are appended to.
        headers: lower-case names; sent with every call to the endpoint's own origin and to no other.
        secrets: the values among them that must not come back in results.
        policy: what calls through it may reach.
        signing_secret: what webhooks through it are signed with, ``None`` for unsigned ones.
    """

    name: str
    base_url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    policy: egress.Policy
    signing_secret: str | None = field(default=None, repr=False)


def rules() -> tuple[str, ...]:
    """The hosts and blocks that are open to every call."""
    return tuple(getattr(settings, "ORCHESTRATOR_EGRESS_ALLOW", None) or ())


def configured(name: str) -> Mapping[str, Any]:
    """What the administrator set up under that name, of whatever kind.

    Raises:
        ActivityError: UNKNOWN_CONNECTION (not recoverable).
    """
    known: Mapping[str, Mapping[str, Any]] = getattr(settings, "ORCHESTRATOR_CONNECTIONS", None) or {}
    found = known.get(name)
    if found is None:
        raise ActivityError(
            f"No connection {name!r} is set up on this installation.", code="UNKNOWN_CONNECTION", recoverable=False
        )
    return found


def without_credentials(url: str) -> Connection:
    """A connection to an address that nobody set up: no headers, no secrets, the rules that are open to every call.

    Raises:
        ActivityError: CONNECTION_INVALID, not recoverable.
    """
    return _made(url, {"base_url": url}, egress.policy(rules()))


def get(name: str) -> Connection:
    """The connection of that name.

    Raises:
        ActivityError: UNKNOWN_CONNECTION, or CONNECTION_INVALID with the reason; neither is recoverable.
    """
    return _made(name, configured(name))


def _made(name: str, found: Mapping[str, Any], policy: egress.Policy | None = None) -> Connection:
    try:
        return _parse(name, found, policy)
    except (TypeError, ValueError, AttributeError, httpx.InvalidURL) as error:
        raise ActivityError(
            f"Connection {name!r} is not usable: {error}", code="CONNECTION_INVALID", recoverable=False
        ) from error


def _parse(name: str, found: Mapping[str, Any], policy: egress.Policy | None) -> Connection:
    unknown = set(found) - _KEYS
    if unknown:
        raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
    base_url = httpx.URL(str(found.get("base_url") or ""))
    if base_url.scheme not in PORTS or not base_url.host or not 0 < (base_url.port or 80) <= 65_535:
        raise ValueError("base_url must be an http or https address")
    if base_url.userinfo or base_url.query or base_url.fragment:
        raise ValueError("base_url must not hold credentials, a query or a fragment; use secret_env for credentials")
    secrets = {header: secret(source) for header, source in (found.get("secret_env") or {}).items()}
    signing = found.get("signing_secret_env")
    signing_secret = None if signing is None else secret(signing)
    hidden = (*secrets.values(), *([signing_secret] if signing_secret else []))
    own = (base_url.host.rstrip(".").lower(), base_url.port or PORTS[base_url.scheme])
    return Connection(
        name=name,
        base_url=base_url,
        headers=http_headers.checked(found.get("headers") or {}) | http_headers.checked(secrets),
        secrets=tuple(dict.fromkeys(part for value in hidden for part in (value, value.split(" ")[-1]))),
        policy=policy
        or egress.policy(
            (*rules(), *(found.get("allow_hosts") or ())),
            hosts=[own],
            allow_private=found.get("allow_private") is True,
        ),
        signing_secret=signing_secret,
    )


def secret(source: str | Mapping[str, Any]) -> str:
    """The value of a setting that is a secret; the attempt that asks does not give it away.

    Args:
        source: the name of one of the worker's environment variables, or ``{"secret": NAME}`` for a stored one, with
            ``prefix`` where some text goes before it.

    Raises:
        ValueError: the variable is not set, or empty; the reference is none.
        ActivityError: SECRET_NOT_FOUND, SECRET_UNREADABLE.
    """
    match source:
        case {"secret": str(name), **rest} if set(rest) <= {"prefix"}:
            return str(rest.get("prefix", "")) + secrecy.text_of(name)
        case str(variable):
            value = os.environ.get(variable, "")
            if not value:
                raise ValueError(f"the worker's environment lacks {variable}")
            secrecy.hide(value, value.split(" ")[-1])
            return value
    raise ValueError('a secret is the name of an environment variable, or {"secret": NAME, "prefix": TEXT}')
