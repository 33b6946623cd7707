"""A wire that a test cuts: it passes bytes between a client and a broker until it is told, or sees, when to stop."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Listens on a port of its own.

    Args:
        port: the broker's port on this machine.
        tls: what clients are met with, if they have to speak TLS.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._broker = port
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.cut_after: bytes | None = None
        """Once a client has sent this, the broker gets it and the client hears nothing more."""
        self._run(self._accept)

    def cut(self) -> None:
        """End every connection without a word, on both sides."""
        for each in self._sockets:
            _end(each)

    def close(self) -> None:
        """Cut, and listen no more."""
        _end(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for each in (self._listener, *self._sockets):
            each.close()

    def _run(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._tls is not None:
                    try:
                        client = self._tls.wrap_socket(client, server_side=True)
                    except OSError:
                        client.close()
                        continue
                broker = socket.create_connection(("127.0.0.1", self._broker))
                self._sockets += [client, broker]
                self._run(self._pass_out, client, broker)
                self._run(self._pass_in, broker, client)

    def _pass_out(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                if self.cut_after is not None and self.cut_after in data:
                    # The way back ends first, so that no answer slips through.
                    _end(client)
                    broker.sendall(data)
                    return
                broker.sendall(data)
            _end(broker)

    def _pass_in(self, broker: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := broker.recv(65_536):
                client.sendall(data)
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def relaying(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """A relay to a broker's port."""
    relay = Relay(port, tls)
    try:
        yield relay
    finally:
        relay.close()
