"""The guide on secrets: its definition calls the bank with the secrets it names, and its table of types is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.activities import http_transport
from tests.integration.activities.conftest import Site, site  # noqa: F401
from tests.integration.docs.pages import DOCS, blocks, code, table
from tests.integration.driver import Driver
from tests.integration.working import make_worker
from workflows_app.engine import credentials
from workflows_app.engine.credentials import SecretType

PAGE = DOCS / "guides" / "secrets.md"


@pytest.mark.usefixtures("shown_secrets")
def test_the_shown_definition_calls_the_bank_with_what_the_secrets_hold(
    driver: Driver,
    site: Site,  # noqa: F811
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.1"]
    site.answers("/api/charges", body=b'{"id": 7}', Content_Type="application/json")
    (shown,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    worker = make_worker(monkeypatch)

    view = worker.run(worker.start(shown.replace("https://bank.example", site.url), {"amount": 20}))
    http_transport.close_all()

    assert view["state"] == "completed", view["error"]
    (request,) = site.seen
    assert {name.lower(): value for name, value in request.headers.items()}[
        "authorization"
    ] == "Bearer tok-of-the-guide"
    assert json.loads(request.body) == {"amount": 20, "client": "client-of-the-guide"}
    assert "of-the-guide" not in str(view)


def test_every_type_and_the_shortest_length_are_the_real_ones() -> None:
    assert [code(row[0]) for row in table(PAGE, "Setting them")] == [kind.value for kind in SecretType]
    assert f"**{credentials.SHORTEST} characters**" in PAGE.read_text()
    assert f"{credentials.LARGEST_BYTES:,} bytes" in PAGE.read_text()
