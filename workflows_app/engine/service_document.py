"""From a document to a ``Service``: what a registered service is reached by, what it offers, and what protects it.

Credentials never stand here: an endpoint names a connection of the installation, or is an address without any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from workflows_app.engine import schemas
from workflows_app.engine.durations import InvalidDuration, parse_duration
from workflows_app.engine.errors import DefinitionInvalid, InputInvalid, Problem
from workflows_app.engine.service_schema import SCHEMA, Balance, OperationKind
from workflows_app.engine.values import faults, join_path

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that ask for no change (RFC 9110, section 9.2.1)."""
QUERY_METHODS = SAFE_METHODS | {"POST"}
"""What a query may be sent with: many services take the longer ones as POST."""
TIMEOUT = 30.0
"""Seconds for a call of which nobody says how long it may take: a probe that is killed is waited for as long."""
FAILURES, OPEN_FOR = 5, 30.0
"""What a breaker has without settings: failures in a row until it opens, and seconds until it lets a probe through."""
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place where a service answers: exactly one of ``connection`` and ``url``."""

    connection: str | None
    url: str | None
    weight: int

    @property
    def name(self) -> str:
        """What people call it."""
        return self.connection or self.url or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often an operation may be called, over all workers.

    Args:
        seconds: for each call, in the long run.
        burst: calls that may come at once.
    """

    seconds: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a service does.

    Args:
        path: with ``{names}`` that a call fills in.
        timeout: seconds for the whole call; ``None`` for that of the service.
        ok_status: as that of ``http.request``.
        idempotent: the service knows an idempotency key at all its endpoints.
        kind: a query changes nothing, whatever its method.
        rate: how often it may be called; ``None``: as often as one likes.
    """

    name: str
    method: str
    path: str
    timeout: float | None
    ok_status: Any
    idempotent: bool
    kind: OperationKind = OperationKind.COMMAND
    rate: Rate | None = None

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that the path wants, each once.

        >>> Operation(name="x", method="GET", path="/a/{b}/{c}", timeout=None, ok_status=None,
        ...           idempotent=False).placeholders
        ('b', 'c')
        """
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.path)))

    @property
    def may_repeat(self) -> bool:
        """Whether a request that was sent and not answered may be sent to another endpoint."""
        return self.idempotent or self.is_query or self.method in SAFE_METHODS

    @property
    def is_query(self) -> bool:
        """Whether a call is no effect: nothing to plan, to confirm or to undo."""
        return self.kind is OperationKind.QUERY

    @property
    def has_effect(self) -> bool:
        """Whether a call may change something, by what the document says of it."""
        return not self.is_query and self.method not in SAFE_METHODS

    def filled(self, given: Mapping[str, Any]) -> str:
        """Return the path with its names filled in, each value as one segment or a part of one.

        Raises:
            InputInvalid: with code INVALID_INPUT and every problem: a value is missing, empty, no text or number, or
                goes by a name that the path does not have.
        """
        problems = [
            Problem(code="INVALID_INPUT", path=join_path("with", "path_params", name), message=message)
            for name, message in self._misfits(given)
        ]
        if problems:
            raise InputInvalid(str(problems[0]), code="INVALID_INPUT", problems=problems)
        return _PLACEHOLDER.sub(lambda found: quote(str(given[found[1]]), safe=""), self.path)

    def _misfits(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name in self.placeholders:
            value = given.get(name)
            if value is None or value == "":
                yield name, f"is missing: the path of {self.name} is {self.path}"
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                yield name, "must be text or a number"
            elif str(value) in (".", ".."):
                yield name, "must not lead out of the path"
        for name in given:
            if name not in self.placeholders:
                yield name, f"is no name in the path of {self.name}, {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One registered service.

    Args:
        timeout: seconds for a call of an operation without a time of its own.
        failures: in a row until the breaker of an operation opens.
        open_for: seconds until an open breaker lets a probe through.
        limit: calls at once over all workers, ``None`` for any number.
    """

    name: str
    description: str
    endpoints: tuple[Endpoint, ...]
    operations: Mapping[str, Operation]
    balance: Balance
    failover: bool
    timeout: float
    failures: int
    open_for: float
    limit: int | None


def parse(document: Mapping[str, Any]) -> Service:
    """Make a service of a document.

    Raises:
        DefinitionInvalid: with code SERVICE_INVALID and every problem at its place: SCHEMA, INVALID_DURATION,
            SERVICE_ENDPOINT, SERVICE_PATH, SERVICE_KIND, or those of a value that is not JSON.

    >>> parse({"service": "bank", "endpoints": [{"connection": "bank"}],
    ...        "operations": {"charge": {"method": "POST", "path": "/charges"}}}).operations["charge"].may_repeat
    False
    """
    found = [Problem(code=f.code, path=f.path, message=f.message) for f in faults(dict(document))]
    found = found or schemas.validate(document, SCHEMA, "")
    found = found or [*_durations(document), *_endpoints(document), *_paths(document), *_kinds(document)]
    if found:
        message = f"the service has {len(found)} problem(s); the first: {found[0]}"
        raise DefinitionInvalid(message, code="SERVICE_INVALID", problems=found)
    breaker = document.get("breaker", {})
    return Service(
        name=document["service"],
        description=document.get("description", ""),
        endpoints=tuple(
            Endpoint(connection=raw.get("connection"), url=raw.get("url"), weight=raw.get("weight", 1))
            for raw in document["endpoints"]
        ),
        operations={name: _operation(name, raw) for name, raw in document["operations"].items()},
        balance=Balance(document.get("balance", Balance.ROUND_ROBIN)),
        failover=document.get("failover", True),
        timeout=_seconds(document.get("timeout")) or TIMEOUT,
        failures=breaker.get("failures", FAILURES),
        open_for=_seconds(breaker.get("open_for")) or OPEN_FOR,
        limit=document.get("bulkhead", {}).get("limit"),
    )


def _operation(name: str, raw: Mapping[str, Any]) -> Operation:
    return Operation(
        name=name,
        method=raw.get("method", "GET"),
        path=raw["path"],
        timeout=_seconds(raw.get("timeout")),
        ok_status=raw.get("ok_status"),
        idempotent=raw.get("idempotent", False),
        kind=OperationKind(raw.get("kind", OperationKind.COMMAND)),
        rate=_rate(raw.get("rate")),
    )


def _rate(raw: Mapping[str, Any] | None) -> Rate | None:
    if raw is None:
        return None
    return Rate(seconds=parse_duration(raw["per"]) / raw["limit"], burst=raw.get("burst", raw["limit"]))


def _seconds(written: Any) -> float | None:
    return None if written is None else parse_duration(written)


def _durations(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The schema knows a duration's form; how long it is only reading it tells."""
    places: list[tuple[str, Any]] = [
        ("timeout", document.get("timeout")),
        ("breaker.open_for", document.get("breaker", {}).get("open_for")),
    ]
    operations = document["operations"].items()
    places += [(join_path("operations", name, "timeout"), raw.get("timeout")) for name, raw in operations]
    rates = [(name, raw["rate"]) for name, raw in operations if "rate" in raw]
    places += [(join_path("operations", name, "rate", "per"), rate["per"]) for name, rate in rates]
    for path, written in places:
        if written is None:
            continue
        try:
            seconds = parse_duration(written)
        except InvalidDuration as refused:
            yield Problem(code=refused.code, path=path, message=refused.message)
        else:
            if not 0 < seconds <= 86_400:
                message = "must be longer than zero, and at most a day"
                yield Problem(code="INVALID_DURATION", path=path, message=message)


def _endpoints(document: Mapping[str, Any]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, raw in enumerate(document["endpoints"]):
        path = join_path("", "endpoints", index)
        if ("connection" in raw) == ("url" in raw):
            yield Problem(code="SERVICE_ENDPOINT", path=path, message="needs exactly one of connection, url")
            continue
        if "url" in raw and not _is_plain(raw["url"]):
            message = (
                "must be an http or https address without credentials, query or fragment; "
                "credentials belong into a connection"
            )
            yield Problem(code="SERVICE_ENDPOINT", path=f"{path}.url", message=message)
        name = raw.get("connection") or raw["url"]
        if name in seen:
            yield Problem(code="SERVICE_ENDPOINT", path=path, message="stands there twice; give it a weight instead")
        seen.add(name)


def _is_plain(url: str) -> bool:
    if any(ord(character) <= 32 or ord(character) >= 127 or character in '\\"<>^`{|}' for character in url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return plain and "@" not in parts.netloc and "?" not in url and "#" not in url


def _paths(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name, raw in document["operations"].items():
        if any(segment in (".", "..") for segment in raw["path"].split("/")):
            message = "must not lead out of the endpoint's address"
            yield Problem(code="SERVICE_PATH", path=join_path("operations", name, "path"), message=message)


def _kinds(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name, raw in document["operations"].items():
        if raw.get("kind") != OperationKind.QUERY:
            continue
        if raw.get("method", "GET") not in QUERY_METHODS:
            message = f"{raw['method']} asks for a change: a query is sent with {', '.join(sorted(QUERY_METHODS))}"
            yield Problem(code="SERVICE_KIND", path=join_path("operations", name, "method"), message=message)
        if raw.get("idempotent"):
            message = "a query goes out without an idempotency key, and may be repeated anyway: leave it out"
            yield Problem(code="SERVICE_KIND", path=join_path("operations", name, "idempotent"), message=message)
