"""A result backend that stores nothing and releases chords: the database counts joins, Celery only carries messages.

A part of a chord keeps the chord on its request only when its own transaction settled the join; every other part takes
it off, and Celery reports only the former to the backend. So whoever is reported releases the body. Nothing is
counted and nothing polled; a part that is delivered twice finds nothing to claim, and a body that went out twice is
claimed once.

Only the orchestrator's own tasks keep to that. Chords of other tasks are refused, as without a result backend: each of
their parts would release the body.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, maybe_signature, states
from celery.backends.base import DisabledBackend

log = logging.getLogger(__name__)

OWN = "orchestrator."
"""How the names of the orchestrator's own tasks begin."""


class DurableChords(DisabledBackend):
    """Celery's disabled backend, with chords."""

    app: Celery

    def ensure_chords_allowed(self) -> None:
        """They are; whose they are is seen when they are sent."""

    def apply_chord(self, header_result_args: Any, body: Any, **options: Any) -> None:
        """Prepare nothing: each part of the header carries the body.

        Raises:
            NotImplementedError: the chord is not one of ours.
        """
        if not _is_own(body):
            super().ensure_chords_allowed()

    def get_state(self, task_id: str) -> str:
        """Say that nothing is known of a task; the database knows.

        Celery asks for the members of chords further down the chain of a task whose process died. Refusing, as the
        disabled backend does, would leave that failure half handled and its place in the worker's log without an end.
        """
        return states.PENDING

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> None:
        """Send the body of the chord that a task was a part of, if the task returned normally."""
        if state != states.SUCCESS or not request.chord:
            return
        try:
            body: Any = maybe_signature(request.chord, app=self.app)
            if _is_own(body):
                body.apply_async(parent_id=request.id, root_id=request.root_id or request.id)
            else:
                log.warning("the body of the chord of %s is not one of ours: it is not sent", request.id)
        except Exception as problem:
            # The dispatch rows of the body's steps stay where they are: the sweeper sends them.
            log.warning("the body of the chord of %s was not sent: %r", request.id, problem)

    def as_uri(self, include_password: bool = False) -> str:
        """Name it for the worker's banner."""
        return "durable-chords://"


def _is_own(signature: Any) -> bool:
    """Whether every message that goes out first when a signature is sent is for a task of ours."""
    match signature.subtask_type:
        case "chain":
            return _is_own(signature.tasks[0])
        case "group":
            return all(_is_own(member) for member in signature.tasks)
        case "chord":
            header = signature.tasks
            return all(_is_own(member) for member in getattr(header, "tasks", header))
        case _:
            return str(signature.task).startswith(OWN)
