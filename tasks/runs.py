"""A run: what one message makes a worker do. One step, what follows from it, and the steps that came along.

Each step has a claim, a lease and a commit of its own: a worker that dies loses the step in hand and nothing else. The
worker goes on with the next step itself, without a message in between, as long as its time budget lasts; then, or when
a step turns out to be slow, whatever came along and is not claimed goes back to the queue for others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from tasks import execution
from workflows_app import dispatch
from workflows_app.engine.commands import Dispatch
from workflows_app.services import steps
from workflows_app.services.steps import Claim, Onward

BUDGET_SECONDS = 0.1
"""How long a message may keep a worker before what follows is sent instead: others wait in the queue as well."""

StepKey = tuple[str, int]
"""A step as messages name it: its path and its dispatch generation."""


class Run:
    """The work of one message.

    Args:
        instance_id: the instance.
        steps: the step that the message names and those that came along.
        worker: name of the process, for people.
        request: the Celery request: it knows what Celery sends when the task returns.
    """

    def __init__(self, instance_id: UUID, keys: Sequence[StepKey], *, worker: str, request: Any) -> None:
        self._instance_id = instance_id
        self._worker = worker
        self._request = request
        self._claim: Claim | None = None
        self._ends = time.monotonic() + BUDGET_SECONDS
        self._onward = Onward(goes_on=self._goes_on, mates=keys, carries_on=self._carries_on)

    def perform(self) -> bool:
        """Do all that there is to do.

        Returns:
            Whether the message has to carry on: Celery sends what comes after it.
        """
        onward = self._onward
        self._claim = self._claim_next()
        while self._claim is not None:
            onward.next, onward.carried = None, False
            execution.run(self._claim, onward, slow=self._hand_back)
            if not self._goes_on():
                self._hand_back()
            self._claim = onward.next or self._claim_next()
        return onward.carried

    def _claim_next(self) -> Claim | None:
        """Claim the next of the steps that came with the message; those that somebody else took are passed over."""
        while (key := self._onward.take_mate()) is not None:
            claim = steps.claim(
                instance_id=self._instance_id,
                path=key[0],
                generation=key[1],
                worker=self._worker,
                known=self._claim.known if self._claim else None,
            )
            if claim is not None:
                return claim
        return None

    def _goes_on(self) -> bool:
        return self._claim is None or (settings.ORCHESTRATOR_FUSION and time.monotonic() < self._ends)

    def _carries_on(self, dispatches: Sequence[Dispatch]) -> bool:
        return dispatch.carries_on(self._request, self._instance_id, dispatches)

    def _hand_back(self) -> None:
        """Send what came along and is not claimed on its own way; the leases' keeper calls this too."""
        claim, left = self._claim, []
        while (key := self._onward.leave_mate()) is not None:
            left.append(key)
        if left and claim is not None:
            graph = claim.graph
            dispatch.publish(
                self._instance_id,
                graph,
                [
                    Dispatch(step=path, generation=generation, queue=graph[path].queue, timeout=graph[path].timeout)
                    for path, generation in left
                ],
            )
