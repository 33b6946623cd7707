"""The only place that opens sockets for HTTP activities: resolve, check every address, connect to a checked one.

Nothing can change between the check and the connection, because the connection is made to the address that was
checked; the name stays in SNI, certificate check and Host. Each call has one deadline for all it does, so a peer
that sends a byte now and then gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore

from tasks.activities.egress import Address, Policy, literal
from workflows_app.engine.errors import AttemptCancelled

_POLL = 0.25  # seconds between two looks at the stop request while waiting for a peer
CONNECT_SECONDS = 10.0
"""Longest time for one connection attempt, name resolution included."""


@dataclass(slots=True, kw_only=True)
class Call:
    """The bounds of one call: when it must be over (monotonic seconds), and whether it was told to stop.

    ``connect_seconds`` bounds each attempt to connect.
    ``has_sent`` turns true with the first byte of a request: before it, the other side cannot have done anything.
    """

    deadline: float
    should_stop: Callable[[], bool]
    connect_seconds: float = CONNECT_SECONDS
    has_sent: bool = False

    def left(self, error: type[Exception]) -> float:
        """Seconds left.

        Raises:
            AttemptCancelled: when told to stop.
            error: when no time is left.
        """
        if self.should_stop():
            raise AttemptCancelled("The call was told to stop.")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error("no time is left")
        return left

    def to_connect(self) -> float:
        """Seconds left for connecting; raises as ``left`` does."""
        return min(self.connect_seconds, self.left(httpcore.ConnectTimeout))


current: ContextVar[Call] = ContextVar("http_call")


@contextmanager
def bounded(call: Call) -> Iterator[None]:
    """Everything inside is one call, under its deadline."""
    token = current.set(call)
    try:
        yield
    finally:
        current.reset(token)


def resolve(host: str, port: int, timeout: float) -> list[Address]:
    """Every address of ``host``, in the resolver's order; numeric hosts need no resolver.

    Args:
        host: name or address.
        port: port, for the resolver.
        timeout: seconds; the system's resolver knows none, so it runs in a thread that may be left behind.

    Raises:
        EgressDenied: for addresses in unusual spelling.
        httpcore.ConnectError: if the name has no address.
        httpcore.ConnectTimeout: if the resolver takes longer.
    """
    spelled = literal(host)
    if spelled is not None:
        return [spelled]
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout)
    if not answers:
        raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time")
    if isinstance(answers[0], Exception):
        raise httpcore.ConnectError(f"the name {host} was not resolved: {answers[0]}")
    found = [ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in answers[0]]
    return list(dict.fromkeys(found))


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only.

    Args:
        policy: what may be reached.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check all, connect to the first address that answers.

        Raises:
            EgressDenied: if any of the addresses is closed; one open among them does not help.
        """
        end = time.monotonic() + current.get().to_connect()
        addresses = resolve(host, port, end - time.monotonic())
        for address in addresses:
            self._policy.check(host, port, address)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for index, address in enumerate(addresses):
            current.get().left(httpcore.ConnectTimeout)
            share = max((end - time.monotonic()) / (len(addresses) - index), 0.001)
            try:
                stream = self._sockets.connect_tcp(
                    str(address), port, timeout=share, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return BoundedStream(stream)
        raise failure

    def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Never: a path is not an address that could be checked."""
        raise httpcore.ConnectError("unix sockets are not reachable")


class BoundedStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the current call's deadline or stop request.

    Args:
        stream: the connected stream.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            wait = min(_POLL, current.get().left(httpcore.ReadTimeout))
            try:
                return self._stream.read(max_bytes, timeout=wait)
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view, call = memoryview(buffer), current.get()
        for start in range(0, len(view), 16_384):  # the bound holds for the whole, not for each piece anew
            left = call.left(httpcore.WriteTimeout)
            call.has_sent = True
            self._stream.write(bytes(view[start : start + 16_384]), timeout=left)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = current.get().to_connect()
        return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout=left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
