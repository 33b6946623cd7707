"""httpx's transport over guarded connections, pooled per process and policy.

What an administrator opened for one connection is never reused by another, because the policy is the pool's key;
a forked child starts with pools of its own.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator

import httpcore
import httpx
from django.conf import settings

from tasks.activities import network
from tasks.activities.egress import Policy


class GuardedTransport(httpx.BaseTransport):
    """httpx's requests and responses over a pool of guarded connections; no proxies, cookies or redirects.

    Args:
        policy: what may be reached.

    Raises (from ``handle_request`` and while the body is read):
        EgressDenied, AttemptCancelled, httpcore's exceptions.
    """

    def __init__(self, policy: Policy) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            http1=True,
            http2=False,
            network_backend=network.GuardedBackend(policy),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        left = network.current.get().left(httpcore.PoolTimeout)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"timeout": {"connect": left, "read": left, "write": left, "pool": left}},
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), request=request)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


_lock = threading.Lock()
_transports: dict[Policy, GuardedTransport] = {}


def for_policy(policy: Policy) -> GuardedTransport:
    """The process's transport for a policy."""
    with _lock:
        found = _transports.get(policy)
        if found is None:
            found = _transports[policy] = GuardedTransport(policy)
        return found


def close_all() -> None:
    """Close every idle connection of this process; later calls open new ones."""
    with _lock:
        transports = list(_transports.values())
        _transports.clear()
    for transport in transports:
        transport.close()


def _ssl_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    extra = getattr(settings, "ORCHESTRATOR_HTTP_CA_FILE", None)
    if extra:
        context.load_verify_locations(cafile=str(extra))
    return context


def _forget_in_child() -> None:
    """A forked child must not speak on its parent's connections."""
    global _lock
    _lock = threading.Lock()
    _transports.clear()


os.register_at_fork(after_in_child=_forget_in_child)
