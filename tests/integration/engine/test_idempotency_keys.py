"""The key that an activity hands to the outside: what the step says, evaluated once, the same whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks import execution
from tasks.leases import Hold
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.activities import ActivityContext, activity, registry
from workflows_app.engine.errors import ActivityError
from workflows_app.engine.plain import after
from workflows_app.management import listing
from workflows_app.models import Event, Instance, Step
from workflows_app.selectors import results
from workflows_app.services import definitions, graphs, steps, sweep
from workflows_app.services.steps import Claim, Onward

LEASE_IS_OVER = 20
ORDER = {"order": "A-1", "numbers": [1, 2, 3]}
KEY = 'idempotency_key: "order-${ input.order }"'


class Worker(Driver):
    """A driver whose steps go the whole way of a worker's: claim, perform, record."""

    def work(self, claim: Claim) -> None:
        execution.run(claim)


class Shop:
    """The other side: what it was called with, and how often it breaks."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.breaks: dict[str, int] = {}

    def call(self, context: ActivityContext) -> dict[str, str]:
        self.seen.append((context.step, context.role, context.idempotency_key))
        left = self.breaks.get(f"{context.step}/{context.role}", 0)
        if left:
            self.breaks[f"{context.step}/{context.role}"] = left - 1
            raise ActivityError("the shop is closed", code="CLOSED")
        return {"key": context.idempotency_key}

    def keys(self, step: str, role: str = "action") -> list[str]:
        return [key for path, its, key in self.seen if (path, its) == (step, role)]


@pytest.fixture
def shop() -> Iterator[Shop]:
    registry.discover()
    known, other = dict(registry._activities), Shop()

    @activity("shop.call", description="Calls the shop.")
    def call(*, context: ActivityContext, value: Any = None) -> dict[str, str]:
        return other.call(context)

    yield other
    registry._activities = known


@pytest.fixture
def worker(driver: Driver, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Worker:
    @contextmanager
    def hold(claim: Claim, slow: Any = None) -> Iterator[Hold]:
        yield Hold(claim, slow)

    # The test's own transaction stays open around everything; a lease is not what is tested here.
    monkeypatch.setattr(execution.keeper, "hold", hold)
    monkeypatch.setattr(execution, "drop_open_transactions", lambda: None)
    return Worker()


def run(worker: Worker, written: str, input: Any = ORDER) -> dict[str, Any]:
    return worker.run(worker.start(flow(written), input))


def test_all_attempts_carry_the_key_that_the_step_says(worker: Worker, shop: Shop) -> None:
    shop.breaks = {"pay/action": 2}

    ended = run(worker, f"  - {{id: pay, activity: shop.call, retry: {{max_attempts: 3}}, {KEY}}}")

    assert ended["state"] == "completed"
    assert shop.keys("pay") == ["order-A-1"] * 3


def test_a_step_that_says_nothing_keeps_the_default(worker: Worker, shop: Shop) -> None:
    ended = run(worker, f"  - {{id: pay, activity: shop.call, {KEY}}}\n  - {{id: pack, activity: shop.call}}")

    assert shop.keys("pack") == [f"{ended['id']}:pack:0"]
    assert Step.objects.get(path="pack").idempotency_key is None
    assert "idempotency_key" not in Event.objects.get(type="step.scheduled", step="pack").data


def test_after_the_loss_of_its_worker_the_next_attempt_has_the_same_key(worker: Worker, shop: Shop) -> None:
    instance = worker.start(flow(f"  - {{id: pay, activity: shop.call, {KEY}}}"), ORDER)
    lost = worker.claim_next(instance.pk)
    assert lost is not None

    worker.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()
    worker.run(instance)

    assert lost.idempotency_key == "order-A-1"
    assert shop.keys("pay") == ["order-A-1"]
    assert Step.objects.get(path="pay").attempts == 2


def test_an_undo_and_a_fallback_have_a_word_behind_it(worker: Worker, shop: Shop) -> None:
    shop.breaks = {"pay/action": 9, "pay/compensation": 1}
    more = "on_error: {fallback: {activity: shop.call}}, compensate: {activity: shop.call, retry: {max_attempts: 2}}"

    ended = run(worker, f"  - {{id: pay, activity: shop.call, {KEY}, {more}}}\n  - {{id: end, fail: {{code: END}}}}")

    assert ended["state"] == "compensated"
    assert shop.seen == [
        ("pay", "action", "order-A-1"),
        ("pay", "fallback", "order-A-1:fallback"),
        ("pay", "compensation", "order-A-1:undo"),
        ("pay", "compensation", "order-A-1:undo"),
    ]
    assert [each["idempotency_key"] for each in ended["attempts"]] == [key for _, _, key in shop.seen]


def test_each_item_of_a_foreach_has_a_key_of_its_own(worker: Worker, shop: Shop) -> None:
    steps = """
  - id: each
    foreach:
      items: input.numbers
      steps:
        - {id: first, activity: core.echo, with: {n: "${ item * 10 }"}}
        - id: pay
          activity: shop.call
          with: {value: "${ steps.first.output.n }"}
          retry: {max_attempts: 2}
          idempotency_key: "${ input.order }/${ item }/${ index }/${ with.value }/${ steps.first.output.n }"
          compensate: {activity: shop.call}
  - {id: end, fail: {code: END}}
"""
    shop.breaks = {"each[1].pay/action": 1}

    ended = run(worker, steps)

    assert ended["state"] == "compensated"
    assert shop.keys("each[0].pay") == ["A-1/1/0/10/10"]
    assert shop.keys("each[1].pay") == ["A-1/2/1/20/20"] * 2
    assert shop.keys("each[2].pay", "compensation") == ["A-1/3/2/30/30:undo"]


def test_each_iteration_of_a_loop_too(worker: Worker, shop: Shop) -> None:
    inner = 'steps: [{id: ask, activity: shop.call, idempotency_key: "ask ${ iteration }"}]'

    run(worker, f"  - {{id: again, loop: {{times: 2, {inner}}}}}")

    assert [key for _, _, key in shop.seen] == ["ask 0", "ask 1"]


def test_it_is_evaluated_once_when_the_step_is_scheduled_and_stands_in_the_history(worker: Worker, shop: Shop) -> None:
    shop.breaks = {"pay/action": 1}
    steps = """
  - {id: count, set: {n: 1}}
  - id: pay
    needs: [count]
    activity: shop.call
    idempotency_key: "n is ${ vars.n }"
    retry: {max_attempts: 2, initial_interval: 1h, jitter: 0}
  - {id: later, needs: [count], wait: {for: 30m}}
  - {id: change, set: {n: 2}}
"""
    instance = worker.start(flow(steps, head="variables: {n: 0}"))

    worker.run(instance)

    assert shop.keys("pay") == ["n is 1", "n is 1"]
    assert Instance.objects.get(pk=instance.pk).variables == {"n": 2}
    scheduled = Event.objects.filter(type="step.scheduled", step="pay").order_by("sequence")
    assert [event.data.get("idempotency_key") for event in scheduled] == ["n is 1", None]
    assert Step.objects.get(path="pay").idempotency_key == "n is 1"


@pytest.mark.parametrize(
    ("written", "input"),
    [
        ("${ input.key }", {"key": 7}),
        ("${ input.key }", {"key": None}),
        ("${ input.key }", {"key": {"a": 1}}),
        ("${ input.key }", {"key": ""}),
        ("${ input.key }", {"key": "x" * 201}),
        ("a ${ input.key }", {"key": "line\nbreak"}),
        ("a ${ input.key }", {"key": "turned \u202e round"}),
        ("${ input.nothing }", {"key": "x"}),
        ("${ 'x' + 1 }", {}),
    ],
)
def test_what_is_no_key_fails_the_step_before_anything_is_called(
    worker: Worker, shop: Shop, written: str, input: Any
) -> None:
    ended = run(worker, f'  - {{id: pay, activity: shop.call, retry: {{}}, idempotency_key: "{written}"}}', input)

    assert (ended["state"], ended["error"]["code"]) == ("failed", "EXPRESSION_ERROR")
    assert ended["steps"] == {"pay": "failed"}
    assert shop.seen == []


def test_a_key_of_two_hundred_characters_is_one_with_what_stands_behind_it(worker: Worker, shop: Shop) -> None:
    long = "é" * 200
    undone = "compensate: {activity: shop.call}"

    run(
        worker,
        f'  - {{id: pay, activity: shop.call, idempotency_key: "${{ input.k }}", {undone}}}\n'
        "  - {id: end, fail: {code: END}}",
        {"k": long},
    )

    assert [key for _, _, key in shop.seen] == [long, f"{long}:undo"]


def test_a_fallback_of_a_step_that_got_no_key_has_the_default_one(worker: Worker, shop: Shop) -> None:
    more = "on_error: {fallback: {activity: shop.call}}"

    ended = run(worker, f'  - {{id: pay, activity: shop.call, idempotency_key: "${{ input.none }}", {more}}}')

    assert ended["state"] == "completed"
    assert shop.seen == [("pay", "fallback", f"{ended['id']}:pay:0:fallback")]


def test_steps_with_a_key_are_left_to_the_engine_and_their_success_is_plain_again(worker: Worker) -> None:
    text = flow(f"  - {{id: a, activity: core.echo}}\n  - {{id: b, activity: core.echo, {KEY}}}\n"
                "  - {id: c, activity: core.echo}")  # fmt: skip
    graph = graphs.of_version(definitions.publish(text=text, actor="ada").pk)

    assert after(graph, "a") is None
    following = after(graph, "b")
    assert following is not None
    assert following.next is graph["c"]


def test_a_worker_that_goes_on_by_itself_knows_the_key_too(worker: Worker) -> None:
    instance = worker.start(
        flow(f"  - {{id: a, activity: core.echo}}\n  - {{id: b, needs: [], activity: core.echo, {KEY}}}\n"
             '  - {id: c, needs: [b], activity: core.echo, idempotency_key: "c of ${ steps.b.output.n }"}'),
        ORDER,
    )  # fmt: skip
    first = steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")
    onward = Onward(goes_on=lambda: True, mates=[("b", 1)])

    steps.succeeded(claim=first, output={}, onward=onward)
    mate = onward.next
    steps.succeeded(claim=mate, output={"n": 7}, onward=onward)
    following = onward.next

    assert [(each.path, each.idempotency_key) for each in (mate, following)] == [("b", "order-A-1"), ("c", "c of 7")]
    steps.succeeded(claim=following, output={})
    assert Instance.objects.get(pk=instance.pk).state == "completed"


def test_show_says_which_key_each_attempt_had(worker: Worker, shop: Shop) -> None:
    ended = run(worker, f"  - {{id: pay, activity: shop.call, {KEY}}}\n  - {{id: pack, activity: shop.call}}")

    view = results.instance_view(ended["id"])
    told = listing.details(view)

    assert [each["idempotency_key"] for each in view["attempts"]] == ["order-A-1", f"{ended['id']}:pack:0"]
    assert "pay has the key order-A-1" in told
    assert "pack has the key" not in told


@pytest.mark.parametrize(
    ("step", "code", "path"),
    [
        ('activity: core.echo, idempotency_key: "${ now }"', "UNKNOWN_NAME", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "${ output }"', "UNKNOWN_NAME", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "${ item }"', "UNKNOWN_NAME", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "${ steps.x.output }"', "UNKNOWN_STEP", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "${ 1 + }"', "EXPRESSION_ERROR", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: ""', "INVALID_KEY", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "a\\nb"', "INVALID_KEY", "steps[0].idempotency_key"),
        ('activity: core.echo, idempotency_key: "${ 7 }"', "INVALID_KEY", "steps[0].idempotency_key"),
        ("activity: core.echo, idempotency_key: 7", "SCHEMA", "steps[0].idempotency_key"),
        ("wait: {for: 1s}, idempotency_key: a", "NOT_AVAILABLE", "steps[0].idempotency_key"),
        ("call: {workflow: x}, idempotency_key: a", "NOT_AVAILABLE", "steps[0].idempotency_key"),
    ],
)
def test_what_is_wrong_with_a_key_is_found_before_it_runs(db: None, step: str, code: str, path: str) -> None:
    found = definitions.validate(text=flow(f"  - {{id: a, {step}}}"))

    assert [(problem.code, problem.path) for problem in found if problem.severity == "error"] == [(code, path)]
