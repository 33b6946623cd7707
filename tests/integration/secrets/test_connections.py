"""Connections take stored secrets where they take the names of environment variables."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tasks import secrecy
from tasks.activities import connections
from tasks.activities.messages import brokers
from tasks.activities.sql import databases
from tests.integration.engine.outcomes import flow
from workflows_app.engine.errors import ActivityError
from workflows_app.services import secrets

TOKEN = "tok-canary-123"


@pytest.fixture
def bank(db: None, settings: Any) -> None:
    secrets.put(name="bank-token", text=TOKEN, actor="ada")
    secrets.put(name="bank-pair", type=secrets.SecretType.BASIC, text=f"ada:{TOKEN}", actor="ada")
    settings.ORCHESTRATOR_CONNECTIONS = {
        "bank": {
            "base_url": "https://bank.example/api",
            "secret_env": {
                "Authorization": {"secret": "bank-token", "prefix": "Bearer "},
                "X-Pair": {"secret": "bank-pair", "prefix": "Basic "},
            },
            "signing_secret_env": {"secret": "bank-token"},
        },
        "sales": {"dsn_env": {"secret": "sales-dsn"}},
        "events": {"broker_url_env": {"secret": "events-broker"}},
        "broken": {"base_url": "https://bank.example", "secret_env": {"A": {"secret": "bank-token", "suffix": "x"}}},
        "unknown": {"base_url": "https://bank.example", "secret_env": {"A": {"secret": "nobody"}}},
    }


def test_headers_and_signatures_come_from_stored_secrets(bank):
    found = connections.get("bank")

    assert found.headers["authorization"] == f"Bearer {TOKEN}"
    assert found.headers["x-pair"] == "Basic YWRhOnRvay1jYW5hcnktMTIz"
    assert found.signing_secret == TOKEN


def test_databases_and_brokers_come_from_stored_secrets(bank):
    secrets.put(name="sales-dsn", text="postgresql://u:pw-canary@db.example/sales", actor="ada")
    secrets.put(name="events-broker", text="amqp://u:pw-canary@mq.example:5672//", actor="ada")

    assert databases.get("sales").url.password == "pw-canary"
    assert brokers.get("events").parts.password == "pw-canary"


@pytest.mark.parametrize(
    ("name", "get", "code"),
    [
        ("broken", connections.get, "CONNECTION_INVALID"),
        ("unknown", connections.get, "SECRET_NOT_FOUND"),
        ("sales", databases.get, "SECRET_NOT_FOUND"),
        ("events", brokers.get, "SECRET_NOT_FOUND"),
    ],
)
def test_what_is_no_reference_or_names_no_secret_fails_the_attempt(bank, name, get, code):
    with pytest.raises(ActivityError) as refused:
        get(name)

    assert (refused.value.code, refused.value.recoverable) == (code, False)


@pytest.mark.parametrize("stored", [True, False])
def test_what_a_connection_sent_is_masked_in_results_and_logs(
    worker, bank, site, settings, monkeypatch, caplog, stored
):
    def repeat(handler: Any) -> None:
        body = f'{{"you sent": "{handler.headers["Authorization"]}", "alone": "{TOKEN}"}}'.encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    site.routes["/me"] = repeat
    monkeypatch.setenv("BANK_AUTHORIZATION", f"Bearer {TOKEN}")
    source = {"secret": "bank-token", "prefix": "Bearer "} if stored else "BANK_AUTHORIZATION"
    own = {"base_url": site.url, "secret_env": {"Authorization": source}, "allow_private": True}
    settings.ORCHESTRATOR_CONNECTIONS = {"own": own}
    document = flow(
        "  - {id: a, activity: http.request, with: {connection: own, path: /me, params: {key: tok-canary-123}}}",
        head='output: "${ steps.a.output.json }"',
    )

    with caplog.at_level(logging.DEBUG):
        view = worker.run(worker.start(document))

    assert view["state"] == "completed", view["error"]
    assert TOKEN not in str(view["output"])
    assert TOKEN not in caplog.text


def test_what_a_thread_of_an_activity_asks_for_is_masked_too(bank):
    with secrecy.masking() as masks:
        asking = threading.Thread(target=secrecy.hide, args=(TOKEN,))
        asking.start()
        asking.join()

        assert secrecy.masked({"token": TOKEN}, masks) == {"token": "***"}


def test_outside_an_attempt_there_is_nothing_to_mask(bank):
    assert secrecy.text_of("bank-token") == TOKEN
