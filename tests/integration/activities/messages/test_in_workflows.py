"""message.publish and message.receive as steps: what is acknowledged is what the database has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks import execution
from tasks.activities.messages import holder
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.working import Worker, make_worker
from workflows_app.activities import ActivityContext, registry
from workflows_app.models import Instance
from workflows_app.selectors import results
from workflows_app.services import sweep

PLACES = [
    pytest.param(("events", ""), marks=pytest.mark.rabbitmq, id="amqp"),
    pytest.param(("cache", ", kind: list"), marks=pytest.mark.redis, id="list"),
    pytest.param(("cache", ", kind: stream"), marks=pytest.mark.redis, id="stream"),
]


@pytest.fixture
def worker(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return make_worker(monkeypatch)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A connection, a name of its own and what else the steps say."""
    connection, extra = request.param
    return connection, request.getfixturevalue("queue" if connection == "events" else "key"), extra


def document(place: tuple[str, str, str], *steps: str) -> str:
    connection, name, extra = place
    shown = {
        "tell": f"""
  - id: tell
    activity: message.publish
    with: {{connection: {connection}, to: "{name}", body: "${{ input.text }}"{extra}}}""",
        "take": f"""
  - id: take
    activity: message.receive
    with: {{connection: {connection}, from: "{name}", wait: 5, max_messages: 10{extra}}}
    retry: {{max_attempts: 1}}""",
    }
    head = 'output: {got: "${ steps.take.output }"}' if "take" in steps else ""
    return flow("\n".join(shown[step] for step in steps), head=head, name="-".join(steps))


def performing(patch: pytest.MonkeyPatch, activity: Any) -> None:
    """Let the worker perform this in the place of what the definition names."""
    found = SimpleNamespace(perform=activity)
    patch.setattr(execution, "registry", SimpleNamespace(get=lambda name: found))


def received(perform: Any, place: tuple[str, str, str]) -> list[Any]:
    connection, name, extra = place
    kind = {"kind": extra.rpartition(" ")[2]} if extra else {}
    given = {"connection": connection, "from": name, "max_messages": 10} | kind
    return [message["body"] for message in perform("message.receive", **given)["messages"]]


def test_one_step_publishes_and_another_receives_and_acknowledges(worker, perform, place):
    instance = worker.start(document(place, "tell", "take"), {"text": "hello"})

    view = worker.run(instance)

    assert view["state"] == "completed", view["error"]
    (message,) = view["output"]["got"]["messages"]
    assert (message["body"], message["id"]) == ("hello", f"{instance.pk}:tell:0")
    assert message["headers"] == {"idempotency-key": f"{instance.pk}:tell:0"}
    assert received(perform, place) == []


def test_a_result_that_cannot_be_stored_acknowledges_nothing(worker, perform, place, settings, attempt, monkeypatch):
    worker.run(worker.start(document(place, "tell"), {"text": "hello"}))
    taking = worker.start(document(place, "take"))
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1_000

    def swollen(given: Any, context: ActivityContext) -> Any:
        return registry.get("message.receive").perform(given, context) | {"more": "x" * 1_000}

    with monkeypatch.context() as patch:
        performing(patch, swollen)
        view = worker.run(taking)

    assert (view["state"], view["error"]["code"]) == ("failed", "TOO_LARGE")
    assert_comes_again(perform, place, monkeypatch)


def test_an_attempt_that_was_ended_meanwhile_acknowledges_nothing(worker, perform, place, monkeypatch):
    worker.run(worker.start(document(place, "tell"), {"text": "hello"}))
    taking = worker.start(document(place, "take"))

    def slow(given: Any, context: ActivityContext) -> Any:
        taken = registry.get("message.receive").perform(given, context)
        worker.advance(9)
        sweep.end_overdue_attempts()
        return taken

    with monkeypatch.context() as patch:
        performing(patch, slow)
        claim = worker.claim_next(taking.pk)
        assert claim is not None
        worker.work(claim)

    assert results.instance_view(taking.pk)["attempts"][0]["state"] == "lost"
    view = worker.run(Instance.objects.get(pk=taking.pk))
    assert view["state"] == "completed", view["error"]
    assert [message["body"] for message in view["output"]["got"]["messages"]] == ["hello"]
    assert received(perform, place) == []


def assert_comes_again(perform: Any, place: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "HOLD_SECONDS", 0.0)  # streams know no giving back: the next receiver claims it
    assert received(perform, place) == ["hello"]
