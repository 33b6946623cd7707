"""A worker in the test's own process, an installation that knows its address, and somebody who answers over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.secrets import steps
from tests.integration.working import Worker, make_worker

PUBLIC = "https://flow.example/app"
ASK = "  - {id: ask, activity: test.use, with: {to: \"${ callback('answer') }\"}}\n"
WAIT = "  - {id: answer, receive: {callback: true}}\n"
ASKING = flow(ASK + WAIT, head='output: "${ steps.answer.output.data }"')


@pytest.fixture
def worker(driver: Driver, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Worker]:
    settings.ORCHESTRATOR_PUBLIC_URL = PUBLIC
    steps.SEEN.clear()
    return make_worker(monkeypatch)


@pytest.fixture
def outside(db: None) -> Client:
    """Another system: no log-in, no cookie, no CSRF token."""
    return Client(enforce_csrf_checks=True)


def addresses() -> list[str]:
    """The addresses that steps handed out, as paths of this server."""
    return [call["to"].removeprefix(PUBLIC) for call in steps.SEEN]


def post(client: Client, address: str, data: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
    """Answer at an address; return the status and the body of what came back."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    response = client.post(address, body, **{"content_type": "application/json", **more})
    return response.status_code, response.json() if response.content else {}
