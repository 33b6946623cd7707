"""Dispatch: a plan of the engine becomes Celery signatures, by name. The only place that knows the names on the wire.

A message carries identifiers only: the instance, the step, the dispatch generation. Losing one costs time, never work:
its dispatch row stays until a claim takes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from celery import Signature, current_app, group
from django.conf import settings
from kombu.exceptions import OperationalError

from workflows_app import failpoints
from workflows_app.engine import canvas
from workflows_app.engine.commands import Dispatch
from workflows_app.models import Dispatch as DispatchRow

log = logging.getLogger(__name__)

STEP_TASK = "orchestrator.step"
LONG_STEP_TASK = "orchestrator.long_step"
_refused_at = float("-inf")
NOT_FOUND = "404"


def render(instance_id: UUID, plan: canvas.Plan) -> Signature:
    """Return the Celery signature of a plan."""
    match plan:
        case canvas.Task():
            return current_app.signature(
                LONG_STEP_TASK if plan.long else STEP_TASK,
                kwargs={"instance": str(instance_id), "step": plan.step, "generation": plan.generation},
                queue=plan.queue,
                immutable=True,
            )
        case canvas.Group():
            return group([render(instance_id, member) for member in plan.members], app=current_app)


def publish(instance_id: UUID, dispatches: Sequence[Dispatch]) -> bool:
    """Send dispatches that the database has marked as published; call it after the commit.

    Returns:
        Whether the broker took them. If not, the rows are handed back to the sweeper, which sends them when it can.
    """
    global _refused_at
    failpoints.hit("step.committed")
    plan = canvas.compile(dispatches)
    if plan is None:
        return True
    if not is_away():
        try:
            render(instance_id, plan).apply_async()
            return True
        except Exception as problem:  # whatever it was, the rows must go back to the sweeper
            _refused_at = time.monotonic()
            log.warning("the broker did not take %d messages of %s: %s", len(dispatches), instance_id, problem)
    DispatchRow.objects.filter(instance_id=instance_id, path__in=[d.step for d in dispatches]).update(published_at=None)
    return False


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
