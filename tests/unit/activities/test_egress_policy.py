"""Which addresses are open, to whom, and which spellings are refused."""

from __future__ import annotations

import ipaddress

import pytest

from tasks.activities.egress import EgressDenied, Policy, kind_of, literal, policy
from workflows_app.engine.errors import ActivityError

CLOSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fc00::1",
    "fd12::1", "fe80::1", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "100::1",
]  # fmt: skip
OPEN = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("address", CLOSED)
def test_addresses_that_are_not_globally_reachable_are_closed(address):
    assert kind_of(ipaddress.ip_address(address)) is not None
    with pytest.raises(EgressDenied) as refusal:
        Policy().check("shop.example", 80, ipaddress.ip_address(address))
    assert (refusal.value.code, refusal.value.recoverable, refusal.value.details) == (
        "EGRESS_DENIED",
        False,
        {"status": 0},
    )


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_open(address):
    Policy().check("shop.example", 80, ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "1.1.1.1.", "0", "0x",
     "example.0x7f", "", "256.256.256.256", "01.1.1.1", "fe80:::1"],
)  # fmt: skip
def test_addresses_in_unusual_spelling_are_refused_even_if_public(host):
    with pytest.raises(EgressDenied):
        literal(host)


@pytest.mark.parametrize(
    "host", ["example.org", "localhost", "localhost.", "0x7f.example", "1.example", "xn--bcher-kva.de"]
)
def test_names_are_no_literals(host):
    assert literal(host) is None


def test_an_administrator_opens_a_block_an_address_a_host_or_a_port_of_it():
    loopback, private = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("10.1.2.3")

    policy(["10.0.0.0/8"]).check("any.example", 80, private)
    policy(["127.0.0.1"]).check("localhost", 80, loopback)
    policy(["LOCALHOST"]).check("localhost.", 80, loopback)
    policy(["localhost:8001"]).check("localhost", 8001, loopback)
    policy(["[::1]:8001"]).check("::1", 8001, ipaddress.ip_address("::1"))
    policy(["127.0.0.0/8"]).check("::ffff:127.0.0.1", 80, ipaddress.ip_address("::ffff:127.0.0.1"))
    with pytest.raises(EgressDenied):
        policy(["localhost:8001"]).check("localhost", 8002, loopback)
    with pytest.raises(EgressDenied):
        policy(["10.0.0.0/8"]).check("localhost", 80, loopback)
    with pytest.raises(EgressDenied):
        policy(["host.example"]).check("ghost.example", 80, private)


def test_cloud_metadata_is_opened_by_its_address_only():
    metadata = ipaddress.ip_address("169.254.169.254")

    for closed in (policy(["metadata.example"]), policy([], allow_private=True)):
        with pytest.raises(EgressDenied, match="link-local"):
            closed.check("metadata.example", 80, metadata)
    policy(["169.254.169.254"]).check("metadata.example", 80, metadata)
    policy([], hosts=[("169.254.169.254", 80)]).check("169.254.169.254", 80, metadata)


@pytest.mark.parametrize("rule", ["10.0.0.0/99", "a b", "http://x", "", "host:port", "user@host", "10.0.0.1/8"])
def test_a_mistyped_rule_opens_nothing_and_says_so(rule):
    with pytest.raises(ActivityError) as failure:
        policy([rule])

    assert failure.value.code == "EGRESS_RULE_INVALID"
