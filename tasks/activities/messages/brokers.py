"""Broker connections: the named connections that hold a broker's address instead of a base URL.

``{"events": {"broker_url_env": "EVENTS_BROKER_URL"}, "local": {"broker_url": "redis://127.0.0.1:6379/3"}}``

The schemes are ``amqp``, ``amqps``, ``redis`` and ``rediss``. An address with a password belongs into the environment
of the worker, or into a stored secret (``{"broker_url_env": {"secret": "events-broker"}}``). What a broker or its
client says is never quoted without ``Broker.tell``: some of them repeat the log-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from tasks import secrecy
from tasks.activities import connections
from workflows_app.engine.errors import ActivityError

KINDS = {"amqp": "amqp", "amqps": "amqp", "redis": "redis", "rediss": "redis"}
CONNECT_SECONDS = 5.0
"""How long a broker may take to let us in."""
ANSWER_SECONDS = 10.0
"""How long it may take for any answer, the confirmation of a publish included."""
_KEYS = {"broker_url", "broker_url_env"}
_QUOTED = 300
_SHORTEST_SECRET = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One broker.

    Args:
        name: the connection's name in definitions.
        kind: ``amqp`` or ``redis``.
        url: its whole address.
    """

    name: str
    kind: str
    url: str = field(repr=False)

    @property
    def parts(self) -> SplitResult:
        """The address, split."""
        return urlsplit(self.url)

    def tell(self, error: BaseException) -> str:
        """What an error says, in one short line without anything of the log-in."""
        text = " ".join(str(getattr(error, "reply_text", "") or error).split()) or type(error).__name__
        raw = self.parts.password or ""
        for secret in sorted({self.url, raw, unquote(raw)}, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "[hidden]")
        return text[:_QUOTED]

    def failed(self, error: BaseException) -> ActivityError:
        """The broker is not there, or does not let us in: nothing was done."""
        return ActivityError(f"The broker of connection {self.name!r} is not reachable: {self.tell(error)}",
                             code="CONNECTION_FAILED")  # fmt: skip

    def refused(self, error: BaseException) -> ActivityError:
        """The broker answered, and the answer was no."""
        return ActivityError(f"The broker of connection {self.name!r} refuses: {self.tell(error)}",
                             code="BROKER_REFUSED")  # fmt: skip

    def unconfirmed(self, error: BaseException) -> ActivityError:
        """A message went out and nobody knows whether it arrived."""
        return ActivityError(
            f"The broker of connection {self.name!r} did not confirm the message: {self.tell(error)}",
            code="MESSAGE_NOT_CONFIRMED",
            details={"effect": "unknown"},
        )


def get(name: str) -> Broker:
    """The broker connection of that name.

    Raises:
        ActivityError: UNKNOWN_CONNECTION, or CONNECTION_INVALID with the reason; neither is recoverable.
    """
    found = connections.configured(name)
    try:
        return _parse(name, found)
    except (TypeError, ValueError, AttributeError) as error:
        raise ActivityError(
            f"Connection {name!r} is not usable for messages: {error}", code="CONNECTION_INVALID", recoverable=False
        ) from None


def refuse(parameter: str, reason: str) -> NoReturn:
    """Fail the attempt because of a parameter.

    Raises:
        ActivityError: INVALID_PARAMETERS, not recoverable.
    """
    raise ActivityError(f"with.{parameter}: {reason}", code="INVALID_PARAMETERS", recoverable=False)


def _parse(name: str, found: Mapping[str, Any]) -> Broker:
    if not isinstance(found, Mapping):
        raise TypeError("a connection is a mapping")
    unknown = set(found) - _KEYS
    if unknown:
        raise ValueError(f"a broker connection has broker_url_env or broker_url, not {', '.join(sorted(unknown))}")
    if len(found) != 1:
        raise ValueError("give either broker_url_env or broker_url")
    source = found.get("broker_url_env")
    url = str(found["broker_url"]) if source is None else connections.secret(source)
    if not url:
        raise ValueError("broker_url is empty")
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and parts.port != 0 and parts.scheme in KINDS
    except ValueError:
        is_address = False  # what urlsplit says may quote a piece of the password
    if not is_address:
        raise ValueError("the broker's address must be amqp, amqps, redis or rediss://host:port")
    if parts.query or parts.fragment:
        raise ValueError("the broker's address must not hold a query")  # it could hold a log-in, or switch checks off
    if source is None and parts.password:
        raise ValueError("broker_url must not hold a password; use broker_url_env")
    secrecy.hide(parts.password or "", unquote(parts.password or ""))
    return Broker(name=name, kind=KINDS[parts.scheme], url=url)
