"""Dispatch: a plan of the engine becomes Celery signatures, by name. The only place that knows the names on the wire.

A message carries identifiers only: the instance, the step, the dispatch generation. Losing one costs time, never work:
its dispatch row stays until a claim takes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from celery import Signature, chain, chord, current_app, group, uuid
from django.conf import settings
from kombu.exceptions import OperationalError

from workflows_app import failpoints
from workflows_app.engine import canvas
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph
from workflows_app.models import Dispatch as DispatchRow

log = logging.getLogger(__name__)

STEP_TASK = "orchestrator.step"
LONG_STEP_TASK = "orchestrator.long_step"
_refused_at = float("-inf")
_declared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""The queues that this process has declared, by channel: a new connection declares them again."""
NOT_FOUND = "404"
REPR_LENGTH = 200
"""How much of a message people see in Flower."""


class Outgoing(NamedTuple):
    """A message to be sent now: its task, the links after it (the next one last), the body that it releases."""

    task: canvas.Task
    chain: list[Signature]
    chord: Signature | None


def render(instance_id: UUID, plan: canvas.Plan) -> Signature:
    """Return the Celery signature of a plan: a task, chain, group or chord, by names, immutable."""
    return _render(str(instance_id), plan)


def _render(instance: str, plan: canvas.Plan) -> Signature:
    app: Any = current_app
    match plan:
        case canvas.Task():
            name = LONG_STEP_TASK if plan.long else STEP_TASK
            return Signature(name, kwargs=_message(instance, plan), queue=plan.queue, immutable=True, app=app)
        case canvas.Chain():
            # With `app` Celery takes the links as they are; without, it folds them into chords of its own.
            return chain(*(_render(instance, link) for link in plan.links), app=app)
        case canvas.Group():
            return group([_render(instance, member) for member in plan.members], app=app)
        case canvas.Chord():
            header = group([_render(instance, member) for member in plan.header], app=app)
            return chord(header, _render(instance, plan.body), app=app)


def _message(instance: str, task: canvas.Task) -> dict[str, Any]:
    message: dict[str, Any] = {"instance": instance, "step": task.step, "generation": task.generation}
    if task.mates:
        message["mates"] = [list(mate) for mate in task.mates]
    return message


def outgoing(instance_id: UUID, plan: canvas.Plan) -> Iterator[Outgoing]:
    """Yield the messages that go out first, each with what Celery sends after it.

    What ``render(instance_id, plan).apply_async()`` would send, without the ids of results that nobody asks for: these
    make up half of a chain's bytes, and most of the time that sending it takes.
    """
    yield from _outgoing(str(instance_id), plan, [], None)


def _outgoing(instance: str, plan: canvas.Plan, rest: list[Any], after: Any | None) -> Iterator[Outgoing]:
    """Yield the first messages of a plan.

    Args:
        rest: the signatures that follow it in its chain, the next one last.
        after: the body of the chord that it is a part of.
    """
    match plan:
        case canvas.Task():
            yield Outgoing(plan, rest, after)
        case canvas.Chain():
            links = [_render(instance, link) for link in plan.links[1:]]
            if after is not None:
                _release(links[-1], after)
            yield from _outgoing(instance, plan.links[0], [*rest, *reversed(links)], None)
        case canvas.Group():
            for member in plan.members:
                yield from _outgoing(instance, member, rest, after)
        case canvas.Chord():
            body: Any = _render(instance, plan.body)
            if rest:
                body.set(chain=rest)
            if after is not None:
                _release(body, after)
            for member in plan.header:
                yield from _outgoing(instance, member, [], body)


def _release(signature: Any, body: Signature) -> None:
    """Let the last messages of a signature be parts of a chord: they release its body."""
    # On what holds them too: Celery hands down what stands there, and nothing would overwrite what stands inside.
    signature.set(chord=body)
    match signature.subtask_type:
        case "group":
            for member in signature.tasks:
                _release(member, body)
        case "chain":
            _release(signature.tasks[-1], body)
        case "chord":
            _release(signature.body, body)


def publish(instance_id: UUID, graph: Graph, dispatches: Sequence[Dispatch], *, chunk: int | None = None) -> bool:
    """Send dispatches that the database has marked as published; call it after the commit.

    Args:
        chunk: how many of them may share a message, where their pace has been measured.

    Returns:
        Whether the broker took them. If not, the rows are handed back to the sweeper, which sends them when it can.
    """
    global _refused_at
    failpoints.hit("step.committed")
    plan = canvas.compile(graph, dispatches, fusing=settings.ORCHESTRATOR_FUSION, chunk=chunk)
    if plan is None:
        return True
    if not is_away():
        try:
            send(instance_id, plan)
            return True
        except Exception as problem:  # whatever it was, the rows must go back to the sweeper
            _refused_at = time.monotonic()
            log.warning("the broker did not take %d messages of %s: %s", len(dispatches), instance_id, problem)
    DispatchRow.objects.filter(instance_id=instance_id, path__in=[d.step for d in dispatches]).update(published_at=None)
    return False


def send(instance_id: UUID, plan: canvas.Plan) -> None:
    """Send the first messages of a plan, in one call where the broker takes several at once."""
    app: Any = current_app
    with app.producer_or_acquire() as producer:
        if isinstance(plan, canvas.Task):
            _send(app, producer, instance_id, Outgoing(plan, [], None))
            return
        with producer.batch():
            for message in outgoing(instance_id, plan):
                _send(app, producer, instance_id, message)


def _send(app: Any, producer: Any, instance_id: UUID, message: Outgoing) -> None:
    task, instance = message.task, str(instance_id)
    name, named = LONG_STEP_TASK if task.long else STEP_TASK, _message(instance, task)
    call = app.amqp.create_task_message(
        uuid(),
        name,
        (),
        named,
        chain=message.chain or None,
        chord=message.chord,
        # Whoever watches the workers finds an instance's messages by its id.
        root_id=instance,
        argsrepr="()",
        kwargsrepr=repr(named)[:REPR_LENGTH],
        ignore_result=True,
    )
    declared = _declared.setdefault(producer.channel, set())
    # kombu binds the queue anew for each message only to find that it was declared: a tenth of what sending costs.
    app.amqp.send_task_message(producer, name, call, queue=task.queue, declare=[] if task.queue in declared else None)
    declared.add(task.queue)


def carries_on(request: Any, instance_id: UUID, dispatches: Sequence[Dispatch]) -> bool:
    """Whether Celery itself sends exactly these dispatches when the task of ``request`` returns normally.

    Celery then sends the next link of the task's chain or, for a part of a chord, the chord's body.

    Args:
        request: the request of the running task.
        dispatches: what the database has marked as published.

    Returns:
        ``False`` also where Celery would send anything else, or too little.
    """
    if getattr(request, "callbacks", None):
        return False
    try:
        ahead = [*(request.chain or ())[-1:], *([request.chord] if request.chord else ())]
        sent = [key for signature in ahead for key in _first(signature, str(instance_id))]
        return len(sent) == len(dispatches) and set(sent) == {(d.step, d.generation) for d in dispatches}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        return False


def _first(signature: Mapping[str, Any], instance: str) -> Iterator[tuple[str, int]]:
    """Yield what the messages name that go out first when a signature is sent.

    Raises:
        ValueError: a message is not one of this instance; other errors where it is no signature.
    """
    inside = signature["kwargs"]
    match signature.get("subtask_type"):
        case "chain":
            yield from _first(inside["tasks"][0], instance)
        case "group":
            for member in inside["tasks"]:
                yield from _first(member, instance)
        case "chord":
            # A list of parts, or the group that Celery makes of it when it gives the parts their ids.
            header = inside["header"]
            for member in header["kwargs"]["tasks"] if isinstance(header, Mapping) else header:
                yield from _first(member, instance)
        case _:
            if signature["task"] not in (STEP_TASK, LONG_STEP_TASK) or inside["instance"] != instance:
                raise ValueError("a message of somebody else")
            yield inside["step"], inside["generation"]
            yield from ((path, generation) for path, generation in inside.get("mates", ()))


def is_away() -> bool:
    """Whether the broker refused this process a moment ago: each further try could take as long as its time-out."""
    patience: float = settings.ORCHESTRATOR_RESEND_SECONDS
    return time.monotonic() - _refused_at < patience


def depth(queue: str) -> int | None:
    """Ask the broker how many messages of a queue nobody has fetched yet.

    Returns:
        ``None`` if the broker cannot be asked; 0 for a queue that it does not know (Redis forgets empty ones).
    """
    global _refused_at
    connection: Any = current_app.connection_for_write()
    try:
        with connection, connection.channel() as channel:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors as problem:
        # kombu's virtual transports hold the code as text, and only here.
        return 0 if str(getattr(problem, "reply_code", "")) == NOT_FOUND else None
    except (*connection.connection_errors, OSError, OperationalError):
        _refused_at = time.monotonic()
        return None
