"""What goes out: the address, fields and body of one request, and of the next one after a redirect."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import httpx

from tasks.activities import http_headers
from tasks.activities.connections import PORTS, Connection
from tasks.activities.egress import EgressDenied, Policy, literal
from workflows_app.engine.errors import ActivityError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What a caller's headers may tell another host; everything else may be a credential.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request.

    Args:
        method: upper case.
        url: whole address.
        open_headers: fields that any host may see.
        own_headers: fields for the first origin only; they win over the open ones.
        content: the body, ``None`` without one.
    """

    method: str
    url: httpx.URL
    open_headers: Mapping[str, str]
    own_headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)

    def as_request(self) -> httpx.Request:
        """httpx's form, with Host and Content-Length."""
        fields = {**self.open_headers, **self.own_headers}
        return httpx.Request(self.method, self.url, headers=fields, content=self.content)


def refuse(path: str, reason: str) -> NoReturn:
    """Fail the attempt because of a parameter.

    Raises:
        ActivityError: INVALID_PARAMETERS, not recoverable.
    """
    problem = {"code": "INVALID_PARAMETERS", "severity": "error", "path": f"with.{path}", "message": reason}
    raise ActivityError(
        f"with.{path}: {reason}",
        code="INVALID_PARAMETERS",
        details={"status": 0, "problems": [problem]},
        recoverable=False,
    )


def build(
    *,
    endpoint: Connection | None,
    path: str,
    url: str | None,
    method: str,
    params: Mapping[str, Any],
    headers: Mapping[str, Any],
    json: Any,
    body: str | None,
    idempotency_key: str | None,
) -> Outgoing:
    """The request that the parameters of ``http.request`` describe.

    Raises:
        ActivityError: INVALID_PARAMETERS.
        EgressDenied: for a scheme other than http and https.
    """
    if (endpoint is None) == (url is None):
        refuse("url", "Give either a connection (with a path) or a url.")
    if url is not None and path:
        refuse("path", "A path goes with a connection, not with a url.")
    if json is not None and body is not None:
        refuse("body", "Give either json or body.")
    try:
        fields = http_headers.checked(headers)
    except ValueError as error:
        refuse("headers", f"{error}.")
    address = _joined(endpoint, path) if endpoint else _parsed("url", url or "")
    query = {name: value for name, value in params.items() if value is not None}
    if query:
        address = address.copy_merge_params(query)
    opened = http_headers.for_any_host(idempotency_key)
    content: bytes | None = None
    if json is not None:
        content = json_text.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        opened["content-type"] = "application/json"
    elif body is not None:
        content = body.encode()
        opened["content-type"] = "text/plain; charset=utf-8"
    opened |= {name: value for name, value in fields.items() if name in _HARMLESS}
    own = {name: value for name, value in fields.items() if name not in _HARMLESS}
    return Outgoing(
        method=method,
        url=address,
        open_headers=opened,
        own_headers=own | dict(endpoint.headers if endpoint else {}),
        content=content,
    )


def redirected(last: Outgoing, status: int, location: str, policy: Policy) -> Outgoing:
    """The request that follows a redirect (RFC 9110, section 15.4).

    Another origin gets neither the connection's nor the caller's own fields, and a body only if an
    administrator named it.

    Raises:
        EgressDenied: for another scheme, credentials in the address, or a body to a host that nobody named.
    """
    try:
        target = last.url.join(location)
    except httpx.InvalidURL as error:
        raise EgressDenied("The answer redirects to something that is no address.") from error
    _check_scheme(target)
    if target.userinfo or not target.host or target.port == 0 or (target.port or 0) > 65_535:
        raise EgressDenied("The answer redirects to an address that holds credentials or names no host.")
    following = replace(last, url=target)
    becomes_get = (status == 303 and last.method != "HEAD") or (status in (301, 302) and last.method == "POST")
    if becomes_get:
        opened = {name: value for name, value in last.open_headers.items() if name != "content-type"}
        following = replace(following, method="GET", content=None, open_headers=opened)
    if origin(target) == origin(last.url):
        return following
    _, host, port = origin(target)
    if following.content is not None and not policy.names(host, port):
        raise EgressDenied(f"The answer redirects the request's body to {host}, which no administrator allowed.")
    return replace(following, own_headers={})


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port: who a request talks to."""
    return url.scheme, url.raw_host.decode("ascii").lower(), url.port or PORTS.get(url.scheme, 0)


def is_ok(status: int, expected: Any) -> bool:
    """Whether a status counts as success.

    Args:
        status: the answer's.
        expected: ``204``, ``"2xx"``, ``"200-299"``, a list of such, or ``None`` for 200-299.

    >>> is_ok(204, None), is_ok(404, ["2xx", 404]), is_ok(500, "200-499")
    (True, True, False)
    """
    if expected is None:
        return 200 <= status <= 299
    if isinstance(expected, list | tuple):
        return any(is_ok(status, item) for item in expected)
    text = str(expected)
    if text.endswith("xx"):
        return status // 100 == int(text[0])
    low, _, high = text.partition("-")
    return int(low) <= status <= int(high or low)


def _parsed(parameter: str, text: str) -> httpx.URL:
    if any(ord(character) <= 32 or ord(character) == 127 or character == "\\" for character in text):
        refuse(parameter, "An address holds no spaces, line breaks, backslashes or control characters.")
    try:
        address = httpx.URL(text)
    except httpx.InvalidURL as error:
        _deny_odd_host(text)
        refuse(parameter, f"This is not an address: {error}.")
    _check_scheme(address)
    if not address.host or address.port == 0 or (address.port or 0) > 65_535:
        refuse(parameter, "The address names no host or an impossible port.")
    if address.userinfo:
        refuse(parameter, "Credentials belong into a connection, not into an address.")
    return address


def _deny_odd_host(text: str) -> None:
    """Octal and the like are an attempt to get inside, also where they make no valid address."""
    with suppress(ValueError):
        literal(urlsplit(text).hostname or "none")


def _check_scheme(address: httpx.URL) -> None:
    if address.scheme not in PORTS:
        raise EgressDenied(
            f"Only http and https are allowed, not {address.scheme[:40] or 'an address without scheme'}."
        )


def _joined(endpoint: Connection, path: str) -> httpx.URL:
    segments = unquote(path.partition("?")[0]).replace("\\", "/").split("/")
    if ".." in segments or "." in segments:
        refuse("path", "A path stays below the connection's base URL.")
    base = str(endpoint.base_url)
    return _parsed("path", f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base)
