"""Ports: the usual one where it is free, else another, and the caller can tell."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port that was free a moment ago.

    Args:
        number: the port.
        wanted: the one that was asked for.
    """

    number: int
    wanted: int

    @property
    def moved(self) -> bool:
        """Whether another program had the wanted one."""
        return self.number != self.wanted


def is_free(number: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``number``."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(1)
        except OSError:
            return False
    return True


def choose(wanted: int, *, host: str = "127.0.0.1", avoid: frozenset[int] = frozenset(), tries: int = 50) -> Port:
    """The wanted port, else one of the ``tries`` after it, else any that the system gives.

    Args:
        avoid: ports promised to others already.
    """
    for number in range(wanted, min(wanted + tries, 65_536)):
        if number not in avoid and is_free(number, host=host):
            return Port(number=number, wanted=wanted)
    with closing(socket.socket()) as listener:
        listener.bind((host, 0))
        return Port(number=listener.getsockname()[1], wanted=wanted)
