"""The health check for load balancers."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client


def test_it_answers_without_log_in(anonymous: Client) -> None:
    response = anonymous.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok"}
    assert "no-store" in response.headers["Cache-Control"]
    assert not response.cookies


def test_it_says_when_the_database_is_out_of_reach_and_not_where_it_is(
    anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreachable:
        def cursor(self) -> None:
            raise OperationalError("connection to server at 10.0.0.7 refused")

    monkeypatch.setattr("workflows_app.ui.health.connection", Unreachable())

    response = anonymous.get("/healthz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "unreachable"}


def test_it_only_reads(anonymous: Client) -> None:
    assert Client().post("/healthz").status_code == 405
