"""The two tasks that carry steps. Both take identifiers only; a message that fits no dispatch row does nothing."""

from __future__ import annotations

import logging
import os
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from django.db import connection

from tasks import execution
from workflows_app import failpoints
from workflows_app.dispatch import LONG_STEP_TASK, STEP_TASK
from workflows_app.services import steps

log = logging.getLogger(__name__)


@shared_task(bind=True, name=STEP_TASK, acks_late=True)
def step(self: Task[..., None], **message: Any) -> None:
    """Run one attempt; acknowledged when it is over."""
    run(self.request.hostname, message)


@shared_task(bind=True, name=LONG_STEP_TASK, acks_late=False)
def long_step(self: Task[..., None], **message: Any) -> None:
    """Run one attempt that may take long: acknowledged at once, recovered by its lease."""
    run(self.request.hostname, message)


def run(hostname: str | None, message: dict[str, Any]) -> None:
    """Claim what the message names and run it.

    Args:
        hostname: the Celery node's name.
        message: ``instance``, ``step``, ``generation``; unknown keys are ignored, so that releases can overlap.
    """
    try:
        instance_id = UUID(str(message["instance"]))
        path, generation = message["step"], message["generation"]
        if not (isinstance(path, str) and type(generation) is int and 0 < generation < 2**31 and "\0" not in path):
            raise ValueError("step or generation is not one")
        path.encode()
    except (KeyError, ValueError) as problem:
        log.warning("a message that is not one of ours was dropped: %r", problem)
        return
    connection.close_if_unusable_or_obsolete()
    worker = f"{hostname or 'worker'}:{os.getpid()}"
    claim = steps.claim(instance_id=instance_id, path=path, generation=generation, worker=worker)
    if claim is None:
        log.debug("nothing to claim for %s of %s, generation %s", path, instance_id, generation)
        return
    execution.run(claim)
    failpoints.hit("dispatch.published")
