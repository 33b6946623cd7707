"""The two tasks that carry steps. Both take identifiers only; a message that fits no dispatch row does nothing."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from django.db import connection

from tasks.runs import Run, StepKey
from workflows_app import failpoints
from workflows_app.activities import registry
from workflows_app.dispatch import LONG_STEP_TASK, STEP_TASK
from workflows_app.engine.errors import OrchestratorError

log = logging.getLogger(__name__)

UNUSED_SECONDS = 1.0
_used = threading.local()


@shared_task(bind=True, name=STEP_TASK, acks_late=True)
def step(self: Task[..., None], **message: Any) -> None:
    """Run the steps of one message; acknowledged when they are over."""
    run(self.request, message)


@shared_task(bind=True, name=LONG_STEP_TASK, acks_late=False)
def long_step(self: Task[..., None], **message: Any) -> None:
    """Run one attempt that may take long: acknowledged at once, recovered by its lease."""
    run(self.request, message)


def run(request: Any, message: dict[str, Any]) -> None:
    """Claim what the message names and run it.

    Args:
        request: the Celery request.
        message: ``instance``, ``step``, ``generation``, and ``mates``: further [step, generation] that may share the
            worker; unknown keys are ignored, so that releases can overlap.
    """
    carries_on = False
    try:
        instance_id = UUID(str(message["instance"]))
        keys = [step_key(each) for each in ([message["step"], message["generation"]], *message.get("mates", ()))]
    except (KeyError, TypeError, ValueError) as problem:
        log.warning("a message that is not one of ours was dropped: %r", problem)
    else:
        _look_at_connection()
        discover_activities()
        worker = f"{request.hostname or 'worker'}:{os.getpid()}"
        carries_on = Run(instance_id, keys, worker=worker, request=request).perform()
        failpoints.hit("dispatch.published")
    if not carries_on:
        # What Celery would send next is not what follows: the chain or chord of this message ends here. Celery's own
        # way to say so, raising Ignore, takes longer than the step.
        request.chain = request.chord = request.callbacks = None


def step_key(value: Any) -> StepKey:
    """Read [path, generation].

    Raises:
        ValueError: it is none.
    """
    match value:
        case [str(path), int(generation)] if type(generation) is int and 0 < generation < 2**31 and "\0" not in path:
            path.encode()
            return path, generation
    raise ValueError("step or generation is not one")


def _look_at_connection() -> None:
    """Drop a connection that broke while nobody used it; one that was in use a moment ago is not asked."""
    now = time.monotonic()
    if now - getattr(_used, "at", float("-inf")) > UNUSED_SECONDS:
        connection.close_if_unusable_or_obsolete()
    _used.at = now


def discover_activities() -> None:
    """Load the activities once per process."""
    try:
        registry.discover()
    except OrchestratorError as problem:
        # A broken plugin takes its own activities with it, not those of the others.
        log.warning("%s", problem.message)
