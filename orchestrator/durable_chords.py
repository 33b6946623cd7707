"""A result backend that stores nothing and releases chords: the database counts joins, Celery only carries messages.

A part of a chord returns normally only when its own transaction settled the join; every other part ends with
``Ignore``, and Celery reports only the former to the backend. So whoever is reported releases the body. Nothing is
counted and nothing polled; a part that is delivered twice finds nothing to claim, and a body that went out twice is
claimed once.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, maybe_signature, states
from celery.backends.base import DisabledBackend

log = logging.getLogger(__name__)


class DurableChords(DisabledBackend):
    """Celery's disabled backend, with chords."""

    app: Celery

    def ensure_chords_allowed(self) -> None:
        """They are."""

    def apply_chord(self, header_result_args: Any, body: Any, **options: Any) -> None:
        """Prepare nothing: each part of the header carries the body."""

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> None:
        """Send the body of the chord that a task was a part of, if the task returned normally."""
        if state != states.SUCCESS or not request.chord:
            return
        try:
            body: Any = maybe_signature(request.chord, app=self.app)
            body.apply_async(parent_id=request.id, root_id=request.root_id or request.id)
        except Exception as problem:
            # The dispatch rows of the body's steps stay where they are: the sweeper sends them.
            log.warning("the body of the chord of %s was not sent: %r", request.id, problem)

    def as_uri(self, include_password: bool = False) -> str:
        """Name it for the worker's banner."""
        return "durable-chords://"
