"""webhook.send: what goes out, how it is signed, and what a failure says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest

from workflows_app.activities import ActivityError, registry

SECRET = "whsec_" + base64.b64encode(b"canary-k3y-of-the-hook").decode()


@pytest.fixture
def send(attempt):
    def perform(context=None, **parameters):
        registry.discover()
        return registry.get("webhook.send").perform(parameters, context or attempt())

    return perform


@pytest.fixture
def refused(send):
    def perform(context=None, **parameters):
        with pytest.raises(ActivityError) as caught:
            send(context, **parameters)
        return caught.value

    return perform


@pytest.fixture
def hook(site, settings, monkeypatch):
    """The site, as a connection with a signing secret."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    settings.ORCHESTRATOR_CONNECTIONS = {"hook": {"base_url": site.url, "signing_secret_env": "HOOK_SECRET"}}
    return site


def test_a_notification_is_signed_so_that_the_receiver_can_check_it(hook, send):
    hook.answers("/in", 202)

    result = send(connection="hook", path="/in", json={"order": "ü"}, headers={"X-Trace": "t"})

    (seen,) = hook.seen
    assert result == {"status": 202}
    assert (seen.method, json.loads(seen.body), seen.headers["x-trace"]) == ("POST", {"order": "ü"}, "t")
    assert seen.headers["idempotency-key"] == "i-1:pay:0"
    identity, moment = seen.headers["webhook-id"], seen.headers["webhook-timestamp"]
    expected = hmac.new(b"canary-k3y-of-the-hook", f"{identity}.{moment}.".encode() + seen.body, hashlib.sha256)
    assert seen.headers["webhook-signature"] == "v1," + base64.b64encode(expected.digest()).decode()
    assert abs(int(moment) - time.time()) < 60
    assert "." not in identity


def test_all_attempts_carry_one_id_and_other_steps_another(hook, send, attempt):
    hook.answers("/in")

    for context in (attempt(), attempt(attempt=2), attempt(idempotency_key="i-1:pay.x:0")):
        send(context, connection="hook", path="/in", json={})

    first, again, other = (seen.headers["webhook-id"] for seen in hook.seen)
    assert first == again != other


def test_no_header_of_ones_own_passes_for_the_signature(hook, send):
    hook.answers("/in")

    send(connection="hook", path="/in", headers={"Webhook-Signature": "v1,forged", "webhook-id": "mine"})

    (seen,) = hook.seen
    assert "forged" not in seen.headers["webhook-signature"]
    assert seen.headers["webhook-id"].startswith("msg_")


def test_without_a_secret_nothing_is_signed(site, send, settings):
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.1"]
    site.answers("/in")

    assert send(url=f"{site.url}/in", method="PUT", json=[1]) == {"status": 200}

    (seen,) = site.seen
    assert seen.method == "PUT"
    assert "webhook-signature" not in seen.headers
    assert "webhook-id" in seen.headers


@pytest.mark.parametrize("parameters", [{}, {"url": ""}, {"url": None, "path": "/in"}])
def test_a_webhook_without_an_address_is_refused(refused, parameters):
    error = refused(json={}, **parameters)

    assert (error.code, error.recoverable, error.details["status"]) == ("MISSING_WEBHOOK_URL", False, 0)


@pytest.mark.parametrize(
    ("status", "effect"), [(400, None), (410, None), (500, "unknown"), (503, "unknown"), (302, "unknown")]
)
def test_another_status_than_expected_is_an_error_with_the_answer(hook, refused, status, effect):
    hook.answers("/in", status, b'{"message": "not today"}', Content_Type="application/json")

    error = refused(connection="hook", path="/in", json={})

    assert (error.code, error.recoverable) == ("WEBHOOK_RESPONSE_ERROR", True)
    assert (error.details["status"], error.details["json"]) == (status, {"message": "not today"})
    assert error.details.get("effect") == effect
    assert "not today" in error.message


def test_a_status_that_was_expected_is_a_result(hook, send):
    hook.answers("/in", 409)

    assert send(connection="hook", path="/in", ok_status=["2xx", 409]) == {"status": 409}


def test_private_addresses_are_closed_as_for_every_call(site, refused):
    error = refused(url=f"{site.url}/in", json={})

    assert (error.code, error.recoverable) == ("EGRESS_DENIED", False)
    assert site.seen == []


def test_the_secret_comes_back_in_no_error(hook, refused):
    hook.answers("/in", 500, json.dumps({"message": f"bad secret {SECRET}"}).encode(), Content_Type="application/json")

    error = refused(connection="hook", path="/in", json={})

    assert SECRET not in error.message + json.dumps(error.details)


@pytest.mark.parametrize(("secret", "reason"), [("whsec_not base64!", "base64"), ("", "lacks HOOK_SECRET")])
def test_a_secret_that_is_none_is_named_and_nothing_is_sent(hook, refused, monkeypatch, secret, reason):
    monkeypatch.setenv("HOOK_SECRET", secret)

    error = refused(connection="hook", path="/in", json={})

    assert (error.code, error.recoverable) == ("CONNECTION_INVALID", False)
    assert reason in error.message
    assert "not base64" not in error.message
    assert hook.seen == []
