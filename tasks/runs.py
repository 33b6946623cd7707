"""A run: what one message makes a worker do. One step, what follows from it, and the steps that came along.

Each step has a claim, a lease and a commit of its own: a worker that dies loses the step in hand and nothing else. The
worker goes on with the next step itself, without a message in between, as long as its time budget lasts. Steps that
came along and that it will not get to within that time go back to the queue for others as soon as it can tell: in
messages that hold as many as it would do itself in that time, one each while the first is not done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from tasks import execution, leases
from workflows_app import dispatch
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph
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
        self._begun = time.monotonic()
        self._done = 0
        self._shares = len(keys) > 1
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
            execution.run(self._claim, onward, slow=self._hand_back if onward.mates else None)
            self._done += 1
            self._share()
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
        return self._claim is None or (settings.ORCHESTRATOR_FUSION and self._spent() < BUDGET_SECONDS)

    def _spent(self) -> float:
        return time.monotonic() - self._begun

    def _within(self, seconds: float) -> int:
        """How many steps the worker does within some time, by its pace until now."""
        return int(self._done * seconds / max(self._spent(), 1e-6))

    def _carries_on(self, dispatches: Sequence[Dispatch]) -> bool:
        return dispatch.carries_on(self._request, self._instance_id, dispatches)

    def _share(self) -> None:
        """Leave to others what there is no time for, once the pace is known."""
        if not self._goes_on():
            self._hand_back()
        elif self._shares and self._spent() > leases.SLOW_SECONDS:
            self._shares = False
            # One of them has been claimed with the success of the one before.
            self._hand_back(keeping=max(0, self._within(BUDGET_SECONDS - self._spent()) - 1))

    def _hand_back(self, keeping: int = 0) -> None:
        """Send what came along and is not claimed on its own way; the leases' keeper calls this too.

        Args:
            keeping: how many of them stay with this worker.
        """
        claim, left = self._claim, []
        while len(self._onward.mates) > keeping and (key := self._onward.leave_last_mate()) is not None:
            left.append(key)
        if left and claim is not None:
            dispatch.publish(
                self._instance_id,
                claim.graph,
                list(_dispatches(claim.graph, reversed(left))),
                chunk=max(1, self._within(BUDGET_SECONDS)),
            )


def _dispatches(graph: Graph, keys: Iterable[StepKey]) -> Iterator[Dispatch]:
    """Yield what sends steps on, without those that the instance does not have since it was migrated."""
    for path, generation in keys:
        if path in graph:
            node = graph[path]
            yield Dispatch(step=path, generation=generation, queue=node.queue, timeout=node.timeout)
