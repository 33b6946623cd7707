"""Whoever got an address answers once, and that resumes the one step that waits for it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from tests.integration.callbacks.conftest import ASK, ASKING, WAIT, addresses, post
from tests.integration.engine.outcomes import flow
from tests.integration.working import Worker
from workflows_app.engine import webhook_signature
from workflows_app.inbound import callbacks as view
from workflows_app.models import AuditEntry, Callback, Event, Instance, PublishedEvent, Step
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, rates, rewinds, secrets, signals, sweep

KEY = "whsec_c2lnbmluZyBrZXkgb2YgdGhlIGJhbms="


def states(instance: Instance) -> dict[str, str]:
    return dict(results.instance_view(instance.pk)["steps"])


def asked(worker: Worker, document: str = ASKING, input: Any = None) -> Instance:
    instance = worker.start(document, input)
    worker.drain()
    return instance


def test_the_first_answer_resumes_the_step_and_is_its_output(worker: Worker, outside: Client) -> None:
    instance = asked(worker)
    assert states(instance) == {"ask": "completed", "answer": "waiting"}

    assert post(outside, addresses()[0], {"score": 7}) == (202, {"status": "accepted"})

    view = worker.run(instance)
    assert (view["state"], view["output"]) == ("completed", {"score": 7})
    event = Event.objects.get(instance=instance, step="answer", type="step.completed")
    assert event.actor == "callback:ask"
    assert AuditEntry.objects.get(action="callback.answered").target == str(instance.pk)


def test_a_second_answer_is_refused_and_changes_nothing(worker: Worker, outside: Client) -> None:
    instance = asked(worker, flow(ASK + WAIT + "  - {id: later, wait: {for: 1h}}\n"))
    post(outside, addresses()[0], "first")
    history = Event.objects.filter(instance=instance).count()

    status, body = post(outside, addresses()[0], "second")

    assert (status, body["error"]["code"]) == (409, "CALLBACK_ANSWERED")
    assert Event.objects.filter(instance=instance).count() == history
    assert PublishedEvent.objects.count() == 1
    assert AuditEntry.objects.filter(action="callback.answered").count() == 1


def test_an_answer_that_comes_before_the_step_waits_is_kept(worker: Worker, outside: Client) -> None:
    between = "  - {id: rest, wait: {for: 1h}}\n"
    instance = asked(worker, flow(ASK + between + WAIT, head='output: "${ steps.answer.output.data }"'))

    assert post(outside, addresses()[0], "early")[0] == 202
    assert post(outside, addresses()[0], "again")[0] == 409

    worker.advance(3600)
    sweep.fire_timers()
    assert worker.run(instance)["output"] == "early"


def test_all_attempts_hand_out_one_address_and_of_its_token_only_the_hash_is_kept(worker: Worker) -> None:
    ask = ASK.replace("test.use", "test.break").replace("{to:", "{how: own, times: 2, to:")
    instance = worker.start(flow(ask.replace("}}", "}, retry: {initial_interval: 0}}") + WAIT))
    worker.run(instance)

    assert len(addresses()) == 3
    assert len(set(addresses())) == 1
    token = addresses()[0].rpartition("/")[2]
    assert len(token) == 43
    row = Callback.objects.get()
    assert (row.path, row.sender, row.answered_at) == ("answer", "ask", None)
    attempts = results.instance_view(row.instance_id)["attempts"]
    assert "***" in attempts[0]["error"]["message"]
    kept = json.dumps([*Event.objects.values_list("data", flat=True), attempts, vars(row)], default=str)
    assert token not in kept
    assert Step.objects.get(path="ask").input["to"] == {"$callback": "answer"}


def test_each_iteration_has_an_address_of_its_own(worker: Worker, outside: Client) -> None:
    inner = ASK.replace("  - ", "        - ") + WAIT.replace("  - ", "        - ")
    each = '  - id: each\n    foreach:\n      items: [1, 2]\n      collect: "${ steps.answer.output.data }"\n'
    instance = asked(worker, flow(f"{each}      steps:\n{inner}", head='output: "${ steps.each.output }"'))
    assert len(set(addresses())) == 2

    for address, data in zip(addresses(), ("one", "two"), strict=True):
        assert post(outside, address, data)[0] == 202

    assert worker.run(instance)["output"] == ["one", "two"]


def test_an_answer_after_the_time_is_over_is_refused(worker: Worker, outside: Client) -> None:
    late = WAIT.replace("true", "true, timeout: 1h").replace("}}", "}, on_error: continue}")
    instance = asked(worker, flow(ASK + late + "  - {id: rest, wait: {for: 1d}}\n"))
    worker.advance(3600)
    sweep.fire_timers()
    assert states(instance)["answer"] == "timed_out"

    status, body = post(outside, addresses()[0], 1)

    assert (status, body["error"]["code"]) == (410, "CALLBACK_OVER")
    assert Callback.objects.get().answered_at is None
    assert results.instance_view(instance.pk)["error"] is None


@pytest.mark.parametrize("end", [instances.cancel, instances.terminate])
def test_an_answer_for_an_instance_that_has_ended_is_refused(worker: Worker, outside: Client, end: Any) -> None:
    instance = asked(worker)
    end(instance_id=instance.pk, actor="ada")

    assert post(outside, addresses()[0], 1)[0] == 410
    assert not PublishedEvent.objects.exists()


def test_after_a_retry_the_same_address_can_still_be_answered(worker: Worker, outside: Client) -> None:
    instance = asked(worker, ASKING.replace("true}", "true, timeout: 1h}"))
    worker.advance(3600)
    sweep.fire_timers()
    assert worker.run(instance)["state"] == "failed"
    interventions.retry(instance_id=instance.pk, actor="ada")

    assert post(outside, addresses()[0], "at last")[0] == 202
    assert worker.run(instance)["output"] == "at last"


def test_a_step_that_runs_again_hands_out_another_address_and_the_one_before_it_is_over(
    worker: Worker, outside: Client
) -> None:
    instance = asked(worker, ASKING.replace("true}", "true, timeout: 1h}"))
    worker.advance(3600)
    sweep.fire_timers()
    assert worker.run(instance)["state"] == "failed"

    rewinds.rerun(instance_id=instance.pk, step="ask", actor="ada")
    before = post(outside, addresses()[0], "to what was asked before")
    worker.drain()

    assert (before[0], before[1]["error"]["code"]) == (410, "CALLBACK_OVER")
    assert len(set(addresses())) == 2
    assert post(outside, addresses()[0], "to what was asked before")[0] == 410
    assert post(outside, addresses()[1], "to this")[0] == 202
    assert worker.run(instance)["output"] == "to this"


def test_what_was_answered_is_no_answer_to_a_rerun(worker: Worker, outside: Client) -> None:
    instance = asked(worker)
    post(outside, addresses()[0], "first")
    assert worker.run(instance)["output"] == "first"

    rewinds.rerun(instance_id=instance.pk, step="ask", actor="ada")
    worker.drain()

    assert states(instance)["answer"] == "waiting"
    assert post(outside, addresses()[0], "again")[0] == 409
    assert post(outside, addresses()[1], "second")[0] == 202
    assert worker.run(instance)["output"] == "second"


def test_an_address_outlives_a_change_of_the_installation_s_key(worker: Worker, outside: Client, settings: Any) -> None:
    instance = asked(worker)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key"

    assert post(outside, addresses()[0], "still good")[0] == 202
    assert worker.run(instance)["output"] == "still good"


def test_while_the_instance_is_paused_an_answer_is_taken_and_goes_on_with_the_resume(
    worker: Worker, outside: Client
) -> None:
    instance = asked(worker)
    interventions.pause(instance_id=instance.pk, actor="ada")

    assert post(outside, addresses()[0], "meanwhile")[0] == 202
    interventions.resume(instance_id=instance.pk, actor="ada")

    assert worker.run(instance)["output"] == "meanwhile"


def test_without_an_address_of_the_installation_the_step_fails_by_name(worker: Worker, settings: Any) -> None:
    for wrong in (None, "flow.example", "ftp://flow.example", "https://u:p@flow.example", "https://flow.example/?a=1"):
        settings.ORCHESTRATOR_PUBLIC_URL = wrong
        instance = asked(worker)

        problem = results.instance_view(instance.pk)["error"]
        assert (problem["code"], "ORCHESTRATOR_PUBLIC_URL" in problem["message"]) == ("CALLBACKS_NOT_CONFIGURED", True)
    assert not Callback.objects.exists()


def test_nobody_can_answer_with_an_event_or_a_signal(worker: Worker) -> None:
    instance = asked(worker)
    waiting = Event.objects.get(instance=instance, step="answer", type="step.waiting").data

    with pytest.raises(Exception, match="must be a type of event"):
        signals.publish(event=waiting["event"], correlate=waiting["correlate"], actor="eve")
    with pytest.raises(Exception, match="must be a type of event"):
        signals.signal(instance_id=instance.pk, event=waiting["event"], actor="eve")


# ---------------------------------------------------------------------------------------------------- signatures
def headers(body: bytes, *, key: str = KEY, at: float | None = None) -> dict[str, Any]:
    moment = int(time.time() if at is None else at)
    signature = webhook_signature.sign(secret=key, identity="msg_1", timestamp=moment, body=body)
    return {
        "headers": {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signature},
    }


@pytest.fixture
def signed(worker: Worker) -> Instance:
    secrets.put(name="bank-callbacks", text=KEY, actor="ada")
    return asked(worker, ASKING.replace("callback: true", "callback: {secret: bank-callbacks}"))


def test_where_a_signature_is_demanded_only_a_signed_answer_counts(
    worker: Worker, outside: Client, signed: Instance
) -> None:
    body = b'{"score": 7}'
    off = [
        {},
        headers(body, key="another key"),
        headers(b'{"score": 8}'),
        headers(body, at=time.time() - 360),
        headers(body, at=time.time() + 360),
        {"headers": headers(body)["headers"] | {"webhook-id": ""}},
        {"headers": headers(body)["headers"] | {"webhook-timestamp": "now"}},
    ]

    for wrong in off:
        status, answer = post(outside, addresses()[0], body, **wrong)
        assert (status, answer["error"]["code"]) == (401, "SIGNATURE_INVALID"), wrong
    assert Callback.objects.get().answered_at is None

    assert post(outside, addresses()[0], body, **headers(body))[0] == 202
    assert post(outside, addresses()[0], body, **headers(body))[0] == 409
    assert worker.run(signed)["output"] == {"score": 7}


def test_a_signature_that_cannot_be_checked_now_is_no_reason_to_give_up(outside: Client, signed: Instance) -> None:
    secrets.delete(name="bank-callbacks", actor="ada")

    assert post(outside, addresses()[0], b"1", **headers(b"1"))[0] == 503
    secrets.put(name="bank-callbacks", text=KEY, actor="ada")
    assert post(outside, addresses()[0], b"1", **headers(b"1"))[0] == 202


# ---------------------------------------------------------------------------------------------------- hostile requests
def test_an_address_that_nobody_handed_out_is_not_there(worker: Worker, outside: Client) -> None:
    asked(worker)
    token = addresses()[0].rpartition("/")[2]

    for wrong in (token[:-1], token + "A", token.swapcase(), "x" * 43, "x" * 300):
        assert post(outside, f"/callbacks/{wrong}", 1)[0] == 404, wrong
    assert not PublishedEvent.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" ", 400, "NOT_JSON"),
        (b'{"a": 1, "a": 2}', 400, "NOT_JSON"),
        (b"{", 400, "NOT_JSON"),
        (b'{"a": NaN}', 400, "NOT_JSON"),
        (b'"\xff"', 400, "NOT_JSON"),
        (b"[" * 5000 + b"]" * 5000, 400, None),
        (b'"\\u0000"', 400, None),
        (b"9" * 30, 400, None),
        (b'"' + b"x" * 1_000_001 + b'"', 413, "TOO_LARGE"),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused_and_the_address_stays_open(
    worker: Worker, outside: Client, body: bytes, status: int, code: str | None
) -> None:
    asked(worker)

    answered, refusal = post(outside, addresses()[0], body)

    assert answered == status
    assert code in (None, refusal["error"]["code"])
    assert not PublishedEvent.objects.exists()
    assert post(outside, addresses()[0], "fine")[0] == 202


def test_only_json_and_only_post(worker: Worker, outside: Client) -> None:
    asked(worker)

    assert post(outside, addresses()[0], b"a=1", content_type="application/x-www-form-urlencoded")[0] == 415
    assert post(outside, addresses()[0], b"{}", content_type="multipart/form-data; boundary=x")[0] == 415
    for method in ("get", "head", "put", "delete", "options"):
        assert getattr(outside, method)(addresses()[0]).status_code == 405
    assert not PublishedEvent.objects.exists()


def test_no_log_names_an_address_that_can_still_be_answered(
    worker: Worker, outside: Client, caplog: pytest.LogCaptureFixture
) -> None:
    asked(worker)

    post(outside, addresses()[0], b"{")
    post(outside, addresses()[0], b"a=1", content_type="text/plain")
    outside.get(addresses()[0])

    assert addresses()[0].rpartition("/")[2] not in caplog.text


def test_refusals_share_a_limit_and_a_good_answer_is_not_held_up(
    worker: Worker, outside: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(worker)
    monkeypatch.setattr(view, "REFUSALS_AT_ONCE", 3)
    monkeypatch.setattr(view, "REFUSALS_PER_SECOND", 0.5)

    guesses = [outside.post("/callbacks/guess", b"1", content_type="application/json") for _ in range(5)]

    assert [guess.status_code for guess in guesses] == [404, 404, 404, 429, 429]
    assert guesses[-1].headers["Retry-After"] == "2"
    assert post(outside, addresses()[0], 1)[0] == 202
    worker.advance(2)
    assert post(outside, "/callbacks/guess", 1)[0] == 404


def test_a_rate_lets_so_many_through_at_once_and_then_one_after_the_other(worker: Worker) -> None:
    def ask() -> float:
        return rates.ask("test", per_second=2, burst=3)

    assert [ask() for _ in range(4)] == [0, 0, 0, 0.5]
    worker.advance(0.5)
    assert [ask(), ask()] == [0, 0.5]
    worker.advance(60)
    assert [ask() for _ in range(4)] == [0, 0, 0, 0.5]
