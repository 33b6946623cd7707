"""amqps and rediss: a certificate that nobody vouches for, or of another name, ends the call before the log-in."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.activities.messages.relay import Relay, relaying

PLACES = [
    pytest.param(("rabbitmq", "amqps://guest:guest", "queue"), marks=pytest.mark.rabbitmq, id="amqps"),
    pytest.param(("redis", "rediss://", "key"), marks=pytest.mark.redis, id="rediss"),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``localhost`` that vouches for itself; its key stands behind it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, services: Any, certificate: Path) -> Iterator[tuple[Relay, str, str]]:
    """A broker behind TLS, how its address begins, and a name to publish to."""
    broker, start, name = request.param
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with relaying(services.broker(broker).port, context) as relay:
        yield relay, start, request.getfixturevalue(name)


def connect(monkeypatch: pytest.MonkeyPatch, settings: Any, place: tuple[Relay, str, str], host: str) -> None:
    relay, start, _ = place
    monkeypatch.setenv("TLS_URL", f"{start}{'@' if start[-1] != '/' else ''}{host}:{relay.port}/")
    settings.ORCHESTRATOR_CONNECTIONS = {"tls": {"broker_url_env": "TLS_URL"}}


def test_a_broker_that_an_authority_vouches_for_is_reached(perform, settings, monkeypatch, place, certificate):
    settings.ORCHESTRATOR_HTTP_CA_FILE = str(certificate)
    connect(monkeypatch, settings, place, "localhost")

    perform("message.publish", connection="tls", to=place[2], body="sealed")

    result = perform("message.receive", connection="tls", wait=5, **{"from": place[2]})
    assert [message["body"] for message in result["messages"]] == ["sealed"]


@pytest.mark.parametrize(("host", "is_known"), [("localhost", False), ("127.0.0.1", True)])
def test_another_certificate_than_expected_ends_the_call(
    refused, settings, monkeypatch, place, certificate, host, is_known
):
    settings.ORCHESTRATOR_HTTP_CA_FILE = str(certificate) if is_known else None
    connect(monkeypatch, settings, place, host)

    error = refused("message.publish", connection="tls", to=place[2], body="sealed")

    assert error.code == "CONNECTION_FAILED"
    assert "certificate" in error.message.lower()
