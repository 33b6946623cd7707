"""Redirects: followed only when asked, each hop checked, nothing confidential carried elsewhere."""

from __future__ import annotations

import pytest


@pytest.fixture
def both(site, other_site, settings, monkeypatch):
    """The connection ``bank`` with a secret; the other site is open to every call."""
    monkeypatch.setenv("BANK_AUTHORIZATION", "Bearer canary")
    settings.ORCHESTRATOR_CONNECTIONS = {
        "bank": {"base_url": site.url, "secret_env": {"Authorization": "BANK_AUTHORIZATION"}}
    }
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.0/8"]
    return site, other_site


def test_a_redirect_is_not_followed_unless_asked(bank, failure):
    bank.answers("/", 302, Location="/next")

    error = failure(connection="bank", path="/")

    assert (error.code, error.details["status"]) == ("HTTP_ERROR", 302)
    assert error.details["headers"]["location"] == "/next"
    assert len(bank.seen) == 1


@pytest.mark.parametrize("follow", [1, 5, True])
def test_a_redirect_within_the_origin_keeps_the_fields(both, call, follow):
    site, _ = both
    site.answers("/", 302, Location="/next?x=1")
    site.answers("/next", body=b"there")

    assert call(connection="bank", path="/", headers={"X-Mine": "m"}, follow_redirects=follow)["text"] == "there"
    assert site.seen[1].headers["authorization"] == "Bearer canary"
    assert site.seen[1].headers["x-mine"] == "m"
    assert site.seen[1].path == "/next?x=1"


def test_another_host_never_sees_the_fields_of_the_connection_or_the_caller(both, call):
    site, other = both
    site.answers("/", 302, Location=f"{other.url}/there")
    other.answers("/there", body=b"there")

    call(connection="bank", path="/", headers={"X-Api-Key": "canary", "Cookie": "canary=1"}, follow_redirects=1)

    assert "canary" not in str(other.seen[0].headers)
    assert other.seen[0].headers["idempotency-key"] == "i-1:pay:0"


def test_fields_once_dropped_do_not_come_back_with_a_detour(both, call):
    site, other = both
    site.answers("/", 302, Location=f"{other.url}/detour")
    other.answers("/detour", 302, Location=f"{site.url}/back")
    site.answers("/back")

    call(connection="bank", path="/", follow_redirects=2)

    assert "authorization" not in site.seen[1].headers


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/"])
def test_a_redirect_inside_is_denied(bank, other_site, failure, target):
    bank.answers("/", 302, Location=target.format(port=other_site.port))

    error = failure(connection="bank", path="/", follow_redirects=3)

    assert (error.code, error.recoverable, error.details) == ("EGRESS_DENIED", False, {"status": 0})
    assert other_site.seen == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "http://u:p@127.0.0.1/", "http://[bad/"])
def test_a_redirect_to_something_else_than_http_is_denied(both, failure, target):
    site, _ = both
    site.answers("/", 302, Location=target)

    error = failure(connection="bank", method="POST", path="/", follow_redirects=3)

    assert error.code == "EGRESS_DENIED"
    assert error.details == {"status": 0, "effect": "unknown"}


def test_a_body_goes_to_another_host_only_if_an_administrator_named_it(both, settings, call, failure):
    site, other = both
    site.answers("/", 307, Location=f"{other.url}/there")
    other.answers("/there")

    denied = failure(connection="bank", method="POST", path="/", json={"a": 1}, follow_redirects=1)
    settings.ORCHESTRATOR_CONNECTIONS["bank"]["allow_hosts"] = [f"127.0.0.1:{other.port}"]
    call(connection="bank", method="POST", path="/", json={"a": 1}, follow_redirects=1)

    assert denied.code == "EGRESS_DENIED"
    assert [(seen.method, seen.body) for seen in other.seen] == [("POST", b'{"a":1}')]
    assert "authorization" not in other.seen[0].headers


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"), (307, "POST", "POST"),
     (308, "PUT", "PUT"), (302, "DELETE", "DELETE")],
)  # fmt: skip
def test_the_method_after_a_redirect_is_the_one_of_the_standard(bank, call, status, method, then):
    bank.answers("/", status, Location="/next")
    bank.answers("/next")

    call(connection="bank", method=method, path="/", follow_redirects=1, **({"json": 1} if method == "POST" else {}))

    assert bank.seen[1].method == then
    assert bank.seen[1].body == (b"1" if (method, then) == ("POST", "POST") else b"")


def test_a_loop_ends_at_the_allowed_number(bank, failure):
    bank.answers("/", 302, Location="/")

    error = failure(connection="bank", path="/", follow_redirects=True)

    assert (error.code, error.details["status"]) == ("HTTP_ERROR", 302)
    assert len(bank.seen) == 6
