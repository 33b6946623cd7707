"""Without log-in there are the log-in page, the health check and the addresses of callbacks, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = {"/login/", "/healthz", "/callbacks/x", "/theme/"}
"""Exactly these addresses; an address that merely looks like one of them is closed."""

SAMPLES = {"uuid": str(uuid4()), "int": "1", "str": "x", "slug": "x", "path": "x"}


def addresses(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[str]:
    """Every address of the resolver, its parameters filled in."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = str(entry.pattern)
        route = re.sub(r"<(?:(\w+):)?\w+>", lambda match: SAMPLES[match[1] or "str"], route)
        route = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route)
        path = prefix + route.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\", "")
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from addresses(entry, path)


def test_the_walk_reaches_pages_and_administration() -> None:
    found = set(addresses())

    assert {"/", "/login/", "/logout/", "/instances/", "/healthz", "/admin/"} <= found
    assert f"/instances/{SAMPLES['uuid']}/" in found
    assert len(found) > 30


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_every_address_but_the_open_ones_leads_to_the_log_in(db: None, method: str) -> None:
    anonymous = Client()

    for address in set(addresses()) - OPEN:
        response = getattr(anonymous, method)(address)

        assert response.status_code == 302, (address, response.status_code)
        assert response.headers["Location"].startswith(("/login/?next=", "/admin/login/?next=")), address


@pytest.mark.parametrize(
    "address",
    [
        "/healthz/",
        "/Healthz",
        "/HEALTHZ",
        "/x-healthz",
        "/instances/healthz",
        "/instances/login/",
        "/healthz/../instances/",
        "/%2fhealthz",
        "/ready",
        "/login",
        "/login/x",
        "/LOGIN/",
    ],
)
def test_an_address_that_resembles_an_open_one_shows_nothing(anonymous: Client, address: str) -> None:
    response = anonymous.get(address)

    assert response.status_code in (301, 302)
    assert response.headers["Location"].startswith("/login/")


def test_somebody_without_the_permission_is_told_what_is_missing(stranger: Client) -> None:
    for address in ("/instances/", f"/instances/{uuid4()}/"):
        response = stranger.get(address)

        assert response.status_code == 403
        assert "Can view instance" in response.content.decode()
        assert "otto" in response.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_pages_only_read(viewer: object, method: str) -> None:
    client = Client()
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")  # type: ignore[arg-type]

    for address in ("/instances/", f"/instances/{uuid4()}/"):
        assert getattr(client, method)(address).status_code in (403, 405)


def test_pages_are_kept_by_no_cache_and_carry_the_security_headers(pages: Client) -> None:
    headers = pages.get("/instances/").headers

    assert "no-store" in headers["Cache-Control"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_start_is_the_dashboard(pages: Client) -> None:
    assert "<h1>Dashboard</h1>" in pages.get("/").content.decode()
