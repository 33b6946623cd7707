"""What really goes to the broker: as large as foretold at most, and just what Celery itself would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from celery import current_app, signature
from celery.canvas import Signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.utils.json import dumps, loads

from tests.unit.engine.canvas.drawn import activity, flow, nested
from tests.unit.engine.canvas.shown import frontier, shape
from workflows_app import dispatch
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Chain, Chord, Group, Plan, Task, plans
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph

INSTANCE = UUID("6f0c2f3e-8a44-4b0e-9a53-0c8d6c1f7f10")
NAMES = st.sampled_from(["a", "step_of_some_length", "x" * 100])


class Sent:
    """One message on its way to the broker."""

    def __init__(self, message: Any) -> None:
        headers, body = dumps(message.headers), dumps(message.body)
        self.headers = loads(headers)
        self.arguments, self.named, self.embedded = loads(body)
        self.bytes = len(headers) + len(dumps(message.properties)) + len(body)

    @property
    def dispatches(self) -> list[tuple[str, int]]:
        return [(self.named["step"], self.named["generation"]), *map(tuple, self.named.get("mates", ()))]

    @property
    def request(self) -> Any:
        """What the running task sees of it."""
        return SimpleNamespace(callbacks=None, chain=self.embedded["chain"], chord=self.embedded["chord"])


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Messages that would have gone to the broker."""
    sent: list[Sent] = []
    monkeypatch.setattr(
        current_app.amqp, "send_task_message", lambda producer, name, message, **options: sent.append(Sent(message))
    )
    return sent


def by_us(plan: Plan) -> None:
    dispatch.send(INSTANCE, plan)


def by_celery(plan: Plan) -> None:
    dispatch.render(INSTANCE, plan).apply_async()


def after(message: Sent, outbox: list[Sent]) -> list[Sent]:
    """What Celery sends when the task of a message returns normally."""
    outbox.clear()
    chain, chord = message.embedded["chain"], message.embedded["chord"]
    ids = {"parent_id": message.headers["id"], "root_id": message.headers["root_id"]}
    if chain:
        signature(chain[-1]).apply_async((None,), chain=chain[:-1], **ids)
    elif chord:
        backend = current_app.backend
        backend.on_chord_part_return(
            SimpleNamespace(chord=chord, id=ids["parent_id"], root_id=ids["root_id"]), "SUCCESS", None
        )
    return list(outbox)


def moments(plan: Plan, send: Callable[[Plan], None], outbox: list[Sent]) -> Iterator[tuple[Sent | None, list[Sent]]]:
    """Yield what is sent at once at every moment of a plan, with the message whose end sends it."""
    outbox.clear()
    send(plan)
    first = list(outbox)
    yield None, first
    todo, seen = first, set()
    while todo:
        message = todo.pop()
        following = after(message, outbox)
        yield message, following
        new = [each for each in following if each.named["step"] not in seen]
        seen |= {each.named["step"] for each in new}
        todo += new


@st.composite
def drawn_plans(draw: st.DrawFn) -> Plan:
    """Draw plans of every form, with chunks, long steps and long names."""
    numbers = iter(range(10**6))
    # Every message carries what comes after it: what a plan of a hundred tasks weighs grows with their square.
    forks = iter(range(8))

    def task() -> Task:
        mates = tuple((f"m{next(numbers)}{draw(NAMES)}", 1) for _ in range(draw(st.sampled_from([0, 0, 0, 24]))))
        return Task(
            step=f"s{next(numbers)}{draw(NAMES)}",
            generation=draw(st.sampled_from([1, 12345])),
            queue=draw(st.sampled_from(["default", "q" * 100])),
            long=draw(st.booleans()),
            mates=mates,
        )

    def several(depth: int) -> tuple[Plan, ...]:
        return tuple(part(depth + 1) for _ in range(draw(st.integers(2, 4))))

    def part(depth: int) -> Plan:
        deeper = depth < 3 and next(forks, None) is not None
        match draw(st.sampled_from(["task", "chain", "chord"])) if deeper else "task":
            case "chain":
                last = Group(members=several(depth)) if draw(st.integers(0, 4)) == 0 else part(depth + 1)
                return flat_chain([part(depth + 1) for _ in range(draw(st.integers(1, 3)))] + [last])
            case "chord":
                return Chord(header=several(depth), body=body(depth))
            case _:
                return task()

    def body(depth: int) -> Plan:
        match draw(st.sampled_from(["task", "task", "group", "chord"])) if depth < 3 else "task":
            case "group":
                return Group(members=several(depth))
            case "chord":
                return Chord(header=several(depth), body=body(depth + 1))
            case _:
                return task()

    return part(0) if draw(st.booleans()) else Group(members=several(0))


def flat_chain(links: list[Plan]) -> Plan:
    """Chains in chains become one, as the engine writes them; a fork in the midst would be a chord."""
    flat: list[Plan] = []
    for link in links:
        flat += link.links if isinstance(link, Chain) else (link,)
    ends = [link for link in flat if not forks(link)]
    kept = [*ends, *[link for link in flat[-1:] if forks(link)]]
    return Chain(links=tuple(kept)) if len(kept) > 1 else kept[0]


def forks(plan: Plan) -> bool:
    """Whether a plan ends in several places."""
    match plan:
        case Group():
            return True
        case Chain():
            return forks(plan.links[-1])
        case Chord():
            return forks(plan.body)
        case _:
            return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(plan=drawn_plans())
def test_no_message_and_no_moment_is_larger_than_foretold(outbox: list[Sent], plan: Plan) -> None:
    weight = canvas.weigh(plan)

    for _, sent in moments(plan, by_us, outbox):
        assert sum(each.bytes for each in sent) <= weight.together, shape(plan)
        for each in sent:
            assert each.bytes <= weight.messages[each.named["step"]], shape(plan)


def bones(value: Any) -> Any:
    """Strip a signature to what it makes happen: names, links, bodies and queues; no ids."""
    if isinstance(value, list | tuple):
        return [bones(each) for each in value]
    if not isinstance(value, dict):
        return value
    inside, options = value["kwargs"], value["options"]
    attached = {f"then {key}": bones(options[key]) for key in ("chain", "chord") if options.get(key)}
    match value["subtask_type"]:
        case "group":
            return {"group": bones(inside["tasks"])}
        case "chain":
            return {"chain": bones(inside["tasks"])}
        case "chord":
            header = inside["header"]
            parts = header["kwargs"]["tasks"] if isinstance(header, dict) else header
            # Celery may write the body of the chord around it here too; it is the one in its own body that counts.
            attached.pop("then chord", None)
            return {"chord": bones(parts), "body": bones(inside["body"]), **attached}
        case _:
            return {"task": value["task"], "named": inside, "queue": options["queue"], **attached}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(plan=drawn_plans())
def test_we_send_what_celery_would_send_for_the_canvas(outbox: list[Sent], plan: Plan) -> None:
    def seen(send: Callable[[Plan], None]) -> list[Any]:
        return sorted(
            str([message.named, bones(message.embedded["chain"] or []), bones(message.embedded["chord"])])
            for _, sent in moments(plan, send, outbox)
            for message in sent
        )

    assert seen(by_us) == seen(by_celery)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(plan=drawn_plans(), send=st.sampled_from([by_us, by_celery]))
def test_a_message_carries_on_with_exactly_what_celery_sends_next(
    outbox: list[Sent], plan: Plan, send: Callable[[Plan], None]
) -> None:
    for message, sent in moments(plan, send, outbox):
        if message is None:
            continue
        exactly = [Dispatch(step=s, generation=g, queue="q", timeout=1.0) for m in sent for s, g in m.dispatches]
        other = Dispatch(step="other", generation=1, queue="q", timeout=1.0)

        def carries(*dispatches: Dispatch, request: Any = message.request, instance: UUID = INSTANCE) -> bool:
            return dispatch.carries_on(request, instance, dispatches)

        assert carries(*exactly)
        assert not carries(*exactly, other)
        assert not exactly or not carries(*exactly[1:])
        assert not exactly or not carries(*exactly, instance=UUID(int=1))
        assert not exactly or not carries(*[again(each) for each in exactly])


def again(each: Dispatch) -> Dispatch:
    """The same step at its next generation."""
    return Dispatch(step=each.step, generation=each.generation + 1, queue=each.queue, timeout=each.timeout)


@pytest.mark.parametrize(
    "request_",
    [
        {"chain": [5]},
        {"chain": [{}]},
        {"chain": "no"},
        {"chain": {"task": "x"}},
        {"chain": [{"task": dispatch.STEP_TASK, "kwargs": {"instance": str(INSTANCE)}, "subtask_type": None}]},
        {"chain": [{"task": "other", "kwargs": {"instance": str(INSTANCE), "step": "a", "generation": 1}}]},
        {"chain": [{"task": dispatch.STEP_TASK, "kwargs": {"instance": str(INSTANCE), "step": [], "generation": 1}}]},
        {"chord": {"subtask_type": "chord", "kwargs": {"header": 5}}},
        {"chord": {"subtask_type": "chain", "kwargs": {"tasks": []}}},
        {"callbacks": [{"task": "other"}]},
    ],
    ids=str,
)
def test_a_forged_chain_carries_nothing_on_and_breaks_nothing(request_: dict[str, Any]) -> None:
    request = SimpleNamespace(**{"callbacks": None, "chain": None, "chord": None, **request_})
    a = Dispatch(step="a", generation=1, queue="default", timeout=1.0)

    assert not dispatch.carries_on(request, INSTANCE, [a])
    assert not dispatch.carries_on(request, INSTANCE, [])


def test_a_message_that_nothing_follows_carries_on_with_nothing() -> None:
    assert dispatch.carries_on(SimpleNamespace(callbacks=None, chain=[], chord=None), INSTANCE, [])


@pytest.mark.parametrize("fusing", [True, False], ids=["fusing", "not fusing"])
@pytest.mark.parametrize("shape", ["row", "star"])
def test_the_messages_of_a_thousand_steps_are_small(outbox: list[Sent], shape: str, fusing: bool) -> None:
    names = [f"a_step_with_a_name_of_usual_length_{n}" for n in range(1000)]
    if shape == "row":
        graph, ready = Graph(flow(*(activity(n, *names[i - 1 : i]) for i, n in enumerate(names)))), names[:1]
    else:
        graph, ready = Graph(flow(*(activity(n) for n in names), activity("join", *names))), names
    plan = canvas.compile(graph, frontier(graph, *ready), fusing=fusing)
    assert plan is not None

    largest = max(each.bytes for _, sent in moments(plan, by_us, outbox) for each in sent)

    in_redis = largest * 4 / 3
    assert in_redis <= 64_000
    assert largest <= canvas.weigh(plan).largest


@given(nested(), st.booleans())
def test_every_signature_is_immutable_and_names_its_queue(drawn: Any, fusing: bool) -> None:
    graph = Graph(drawn)
    ready = canvas.survey(graph, fusing=fusing)[0].plan

    def check(rendered: Signature) -> None:
        match rendered.subtask_type:
            case "chain" | "group":
                for each in rendered.tasks:
                    check(each)
            case "chord":
                for each in rendered.tasks:
                    check(each)
                check(rendered.body)
            case _:
                assert rendered.immutable
                assert rendered.options["queue"]
                assert rendered.task in (dispatch.STEP_TASK, dispatch.LONG_STEP_TASK)
                assert not rendered.args

    check(dispatch.render(INSTANCE, ready))
    assert len(plans.first(ready)) == len(list(dispatch.outgoing(INSTANCE, ready)))
