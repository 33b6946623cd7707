"""Claims: a step in the hands of one worker, what the worker knows of the instance, and what it does next itself."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from workflows_app.activities.progress import Progress
from workflows_app.engine import handing, idempotency, passing, stored
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import LONG_AFTER, Node
from workflows_app.engine.passing import Given
from workflows_app.engine.states import Role
from workflows_app.models import Step
from workflows_app.services import graphs
from workflows_app.services.known_values import KnownValues

COLUMNS = (
    "version_id",
    "workflow",
    "version",
    "correlation_id",
    "number",
    "role",
    "input",
    "timeout",
    "idempotency_key",
    "overrides",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claimed step: what to perform, and the fencing token (instance, path, number) under which to report.

    ``own_key`` is what the step's ``idempotency_key`` came to, ``error_case`` the case whose fallback it is,
    ``overrides`` the instance's, as JSON text. ``given`` is the large value in the parameters that another event
    brought.
    """

    instance_id: UUID
    path: str
    number: int
    role: Role
    version_id: int
    workflow: str
    version: str
    correlation_id: str
    activity: str
    parameters: Any
    timeout: float
    worker: str
    known: KnownValues
    own_key: str | None = None
    error_case: int | None = None
    overrides: str | None = None
    given: Given | None = None

    @property
    def idempotency_key(self) -> str:
        """The key of all attempts of this step; a fallback and an undo have their own."""
        return idempotency.of(self.instance_id, self.path, self.own_key, self.role)

    @property
    def graph(self) -> Graph:
        """The graph that the instance is decided on."""
        return graphs.of_instance(self.version_id, self.overrides)

    @property
    def queue(self) -> str:
        """The queue that carried the step."""
        node = self.graph[self.path]
        return node.undo_queue if self.role is Role.COMPENSATION else node.queue


class Onward:
    """What a worker does itself about what follows from its step; by default nothing, everything is sent.

    Args:
        goes_on: whether the worker has time for another step.
        mates: (path, generation) of the steps that came with the same message and are not claimed yet.
        carries_on: whether the worker's own message sends exactly these dispatches when it is done.

    After a report ``next`` is the step that the worker has claimed with it, and ``carried`` says that the worker's
    message has to carry on.
    """

    def __init__(
        self,
        *,
        goes_on: Callable[[], bool] = lambda: False,
        mates: Iterable[tuple[str, int]] = (),
        carries_on: Callable[[Sequence[Dispatch]], bool] = lambda dispatches: False,
    ) -> None:
        self.goes_on = goes_on
        self.mates = deque(mates)
        self.carries_on = carries_on
        self.next: Claim | None = None
        self.carried = False

    def begins(self, claim: Claim, path: str, *, queue: str, timeout: float) -> bool:
        """Whether the worker begins a step itself that follows from ``claim``: a light one of the same queue."""
        light = max(timeout, claim.timeout) <= LONG_AFTER
        share = light and queue == claim.queue and claim.graph[path].step.batch and claim.graph[claim.path].step.batch
        return share and self.goes_on()

    def take_mate(self) -> tuple[str, int] | None:
        """Take the next step that came with the message, if there is time for it."""
        try:
            return self.mates.popleft() if self.mates and self.goes_on() else None
        except IndexError:  # the thread that keeps the leases was quicker
            return None

    def leave_last_mate(self) -> tuple[str, int] | None:
        """Take the last of them away. Two threads may ask: the worker's and the one that keeps its leases."""
        try:
            return self.mates.pop()
        except IndexError:
            return None


def claim(
    *,
    instance_id: UUID,
    path: str,
    generation: int,
    worker: str,
    known: KnownValues | None = None,
    sent: bool = True,
) -> Claim | None:
    """Take a dispatched step; of any number of identical messages one succeeds.

    Args:
        generation: the dispatch generation that the message names.
        worker: name of the claiming process, for people.
        known: what the worker has seen of the instance already.
        sent: whether a message brought it. If not, its claim says nothing about the messages that wait in its queue.

    Returns:
        ``None`` if there is nothing to claim: a duplicate, a stale or a made-up message.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(COLUMNS)} FROM wf_claim(%s, %s, %s, %s, %s, %s)",  # noqa: S608 - a constant
            [instance_id, path, generation, worker, settings.ORCHESTRATOR_LEASE_SECONDS, sent],
        )
        row = cursor.fetchone()
    return None if row is None else of_row(instance_id, path, worker, row, known)


def of_row(instance_id: UUID, path: str, worker: str, row: Sequence[Any], known: KnownValues | None = None) -> Claim:
    """Make a claim of what ``wf_claim`` returned, in the order of ``COLUMNS``."""
    version_id, workflow, version, correlation_id, number, role_name, parameters, timeout, own_key, overrides = row
    graph = graphs.of_instance(version_id, overrides)
    role = Role(role_name)
    case = _error_case(instance_id, graph[path], role)
    text = parameters if isinstance(parameters, str) else ""
    parameters = stored.loads(text) if text else parameters or {}
    return Claim(
        instance_id=instance_id,
        path=path,
        number=number,
        role=role,
        version_id=version_id,
        workflow=workflow,
        version=version,
        correlation_id=correlation_id,
        activity=graph.resolve(_activity(graph[path], role, case)),
        parameters=parameters,
        timeout=float(timeout),
        worker=worker,
        # What was known of an instance before it was migrated may stand under other names now.
        known=known if known and known.version == version else KnownValues(instance_id, workflow, version),
        own_key=own_key,
        error_case=case,
        overrides=overrides,
        given=_given(graph, graph[path], parameters, text) if role is Role.ACTION else None,
    )


def _given(graph: Graph, node: Node, parameters: Any, text: str) -> Given | None:
    """Look for a large value in the parameters, where the definition puts one that another event brought.

    Args:
        text: the parameters as the database wrote them; empty where they came with other things, as a mate's do.
    """
    splice = handing.splice(graph, node) if text and len(text) >= handing.LARGE else None
    if splice is None:
        return None
    try:
        return Given(parameters, splice.put, partial(passing.text_of, text, splice.put))
    except (KeyError, TypeError):
        return None  # an operator gave others


def _error_case(instance_id: UUID, node: Node, role: Role) -> int | None:
    """Ask which case of the step's ``on_error`` the fallback belongs to; nothing else costs a query."""
    if role is not Role.FALLBACK or not node.step.on_error.cases:
        return None
    return Step.objects.values_list("error_case", flat=True).get(instance_id=instance_id, path=node.path)


def _activity(node: Node, role: Role, case: int | None) -> str:
    if role is Role.FALLBACK:
        instead = node.step.on_error.fallback(case)
        return instead.activity if instead else ""
    if role is Role.COMPENSATION:
        return node.step.compensate.activity if node.step.compensate else ""
    return node.activity


def renew(*, instance_id: UUID, path: str, number: int, progress: Progress | None = None) -> bool | None:
    """Extend the lease of a running attempt, and keep how far it is if that was reported.

    Returns:
        Whether the attempt was told to stop; ``None`` if it is not running any more, so that its process should
        abandon it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stop_requested FROM wf_renew_lease(%s, %s, %s, %s, %s)",
            [
                instance_id,
                path,
                number,
                settings.ORCHESTRATOR_LEASE_SECONDS,
                None if progress is None else json.dumps(progress.as_dict()),
            ],
        )
        row = cursor.fetchone()
    return None if row is None else bool(row[0])
