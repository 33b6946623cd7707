"""Egress: which addresses a call may reach, decided on the resolved address at connect time.

Only globally reachable unicast addresses are open to everybody (IANA special-purpose registries, RFC 6890 and its
successors). Everything else needs an administrator: ``ORCHESTRATOR_EGRESS_ALLOW`` for every call, a connection's own
host, its ``allow_hosts`` and ``allow_private`` for the calls through that connection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from workflows_app.engine.errors import ActivityError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "carrier-grade NAT": ("100.64.0.0/10",),
}
_SPECIAL = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": (
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ),
}  # fmt: skip
_KINDS: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(block), kind) for kind, blocks in (_PRIVATE | _SPECIAL).items() for block in blocks
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# What no name may lead to, allowed or not: cloud metadata lives on link-local addresses.
_NEVER_BY_NAME = frozenset({"link-local", "multicast", "unspecified"})
_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,253}", re.IGNORECASE)
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.IGNORECASE)


class EgressDenied(ActivityError):
    """A call to an address that no administrator opened; another attempt would meet the same answer."""

    code = "EGRESS_DENIED"

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"status": 0}, recoverable=False)


def real(address: Address) -> Address:
    """The address that packets reach: IPv4 out of its mapped (RFC 4291) or NAT64 (RFC 6052) form.

    >>> real(ipaddress.ip_address("::ffff:127.0.0.1"))
    IPv4Address('127.0.0.1')
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def kind_of(address: Address) -> str | None:
    """Why an address is closed (``loopback``, ``link-local``, …), ``None`` if it is globally reachable.

    >>> kind_of(ipaddress.ip_address("169.254.169.254")), kind_of(ipaddress.ip_address("1.1.1.1"))
    ('link-local', None)
    """
    address = real(address)
    for network, kind in _KINDS:
        if address in network:
            return kind
    return "reserved" if address.version == 6 and address not in _GLOBAL_UNICAST else None


def literal(host: str) -> Address | None:
    """The address that ``host`` spells canonically, ``None`` for a name.

    Raises:
        EgressDenied: for the other spellings that resolvers take for addresses: decimal, octal, hexadecimal, short.

    >>> literal("10.0.0.1"), literal("example.org")
    (IPv4Address('10.0.0.1'), None)
    """
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        pass
    if not _NAME.fullmatch(host) or _ENDS_IN_NUMBER.fullmatch(host.rstrip(".")):
        raise EgressDenied(f"{host[:100]!r} is neither a host name nor an address in its usual spelling.")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What some calls may reach beyond the public internet; equal policies share their open connections.

    Args:
        hosts: ``(host, port)`` pairs, port ``None`` for any; names lower case.
        networks: address blocks.
        allow_private: whether loopback, private and carrier-grade addresses are open.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()
    allow_private: bool = False

    def names(self, host: str, port: int) -> bool:
        """Whether an administrator named this host (and port)."""
        name = host.strip("[]").rstrip(".").lower()
        return (name, None) in self.hosts or (name, port) in self.hosts

    def check(self, host: str, port: int, address: Address) -> None:
        """Allow or refuse one resolved address.

        Raises:
            EgressDenied: if the address is closed to this policy.
        """
        address = real(address)
        kind = kind_of(address)
        if kind is None or any(address in network for network in self.networks):
            return
        spelled = literal(host)
        if self.names(host, port) and (kind not in _NEVER_BY_NAME or spelled is not None):
            return
        if self.allow_private and kind in _PRIVATE:
            return
        raise EgressDenied(f"{host}:{port} leads to a {kind} address that no administrator allowed.")


def policy(
    rules: Iterable[str], *, hosts: Iterable[tuple[str, int | None]] = (), allow_private: bool = False
) -> Policy:
    """A policy from an administrator's rules.

    Args:
        rules: hosts, ``host:port`` pairs, addresses and CIDR blocks.
        hosts: further hosts, already split.
        allow_private: see ``Policy``.

    Raises:
        ActivityError: EGRESS_RULE_INVALID, so that a mistyped rule opens nothing.

    >>> policy(["10.0.0.0/8", "localhost:8001"]).hosts
    frozenset({('localhost', 8001)})
    """
    named, networks = set(hosts), []
    for rule in rules:
        text = rule.strip().lower()
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            named.add(_host_rule(text))
    return Policy(hosts=frozenset(named), networks=tuple(networks), allow_private=allow_private)


def _host_rule(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/\[\]@]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        raise ActivityError(
            f"The egress rule {text!r} is neither a host, nor host:port, nor an address block.",
            code="EGRESS_RULE_INVALID",
            recoverable=False,
        )
    return match[1].strip("[]").rstrip("."), int(match[2]) if match[2] else None
