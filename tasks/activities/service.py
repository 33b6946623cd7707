"""``service.call``: one operation of a registered service, behind its breaker and its bulkhead."""

from __future__ import annotations

import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from tasks.activities import connections, http, http_call, http_exchange, network
from workflows_app.activities import ActivityContext, ActivityError, activity
from workflows_app.engine import balancing
from workflows_app.engine.errors import InputInvalid
from workflows_app.engine.service_document import Endpoint, Operation, Service
from workflows_app.engine.transitions import effect_unknown
from workflows_app.services import service_calls, service_registry
from workflows_app.services.service_calls import Admission, Outcome

_SHARED = ("params", "headers", "json", "body", "timeout")
_TOO_MANY_REQUESTS = 429
Database = Callable[[Callable[[], Any]], Any]
"""Performs what needs the database and returns its result."""


def _here(work: Callable[[], Any]) -> Any:
    return work()


_turns: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(random.randrange(1000)))  # noqa: S311
"""How many calls this process made to each service. It begins anywhere, so that processes do not march in step."""


PARAMETERS: dict[str, Any] = {
    "type": "object",
    "required": ["service", "operation"],
    "properties": {
        "service": {"type": "string", "description": "Name of a registered service."},
        "operation": {"type": "string", "description": "One of its operations."},
        "path_params": {
            "type": ["object", "null"],
            "description": "What the names in the operation's path stand for.",
            "additionalProperties": {"type": ["string", "number"]},
        },
        **{name: http.PARAMETERS["properties"][name] for name in _SHARED},
    },
    "additionalProperties": False,
}


@activity(
    "service.call",
    version="1.0.0",
    description="Calls an operation of a registered service.",
    parameters=PARAMETERS,
    effects=True,
    category="integration",
)
def call(*, context: ActivityContext, **given: Any) -> dict[str, Any]:
    """Call the operation and return ``{status, headers, json, text}``, as ``http.request`` does.

    Raises:
        NotYet: RATE_LIMITED; the step waits for its turn.
        ActivityError: SERVICE_NOT_FOUND (no such service or operation), INVALID_INPUT, and what connections and the
            egress guard refuse (not recoverable); CIRCUIT_OPEN, BULKHEAD_FULL (nothing was sent, and
            ``details.retry_after`` says when to try again); SERVICE_ERROR for what the other side answered;
            HTTP_NO_ANSWER; ANSWER_TOO_LARGE, ANSWER_UNUSABLE. ``details`` are those of ``http.request``.
        AttemptCancelled: when told to stop.
    """
    prepared = prepare(context=context, **given)
    with prepared.admitted(context) as admission:
        return prepared.run(context, admission)


def prepare(
    *,
    context: ActivityContext,
    service: str,
    operation: str,
    path_params: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    json: Any = None,
    body: str | None = None,
    timeout: float | str | None = None,
) -> Prepared:
    """Return the call that the parameters describe; nobody has been asked yet.

    Raises:
        ActivityError: SERVICE_NOT_FOUND, INVALID_INPUT, and what connections and the egress guard refuse.
    """
    found, wanted = _found(service, operation)
    given = {"params": params or {}, "headers": headers or {}, "json": json, "body": body}
    try:
        given["path"] = wanted.filled(path_params or {})
        seconds = http.seconds_of(timeout or wanted.timeout or found.timeout, context)
        chosen = balancing.order(
            found.endpoints,
            found.balance,
            turn=next(_turns[found.name]),
            draw=random.random(),  # noqa: S311
            key=context.correlation_id or context.idempotency_key,
        )
        # The first one's request is built before anybody is asked: what is wrong with the input is no call.
        _outgoing(chosen[0], wanted, given, context)
    except InputInvalid as refused:
        problems = [problem.as_dict() for problem in refused.problems]
        raise _invalid(refused.message, problems) from refused
    except ActivityError as refused:
        refused.details.setdefault("status", 0)
        if refused.code == "INVALID_PARAMETERS":
            raise _invalid(refused.message, refused.details.get("problems", [])) from refused
        raise
    return Prepared(service=found, operation=wanted, endpoints=chosen, given=given, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A call of which is known what to send where, and how long it may take."""

    service: Service
    operation: Operation
    endpoints: list[Endpoint]
    given: dict[str, Any]
    seconds: float

    def admitted(self, context: ActivityContext, part: str = "") -> AbstractContextManager[Admission]:
        """Ask for the call; the block is the call. Raises as ``service_calls.admitted`` does.

        Args:
            part: tells the calls of one attempt apart.
        """
        return service_calls.admitted(
            service=self.service,
            operation=self.operation,
            endpoints=self.endpoints,
            instance_id=UUID(context.instance_id),
            path=context.step,
            number=context.attempt,
            seconds=self.seconds,
            part=part,
        )

    def run(self, context: ActivityContext, admission: Admission, database: Database = _here) -> dict[str, Any]:
        """Make the call; raises as ``service.call`` does once it has been let out.

        Args:
            database: has done what needs the database, where that is another thread's.
        """
        return _try(self, context, admission, database)


def _found(service: str, operation: str) -> tuple[Service, Operation]:
    found = service_registry.at_hand(service)
    if found is None:
        raise _unknown(f"There is no service {service!r}.")
    wanted = found.operations.get(operation)
    if wanted is None:
        raise _unknown(f"The service {service} has no operation {operation!r}.")
    return found, wanted


def _unknown(message: str) -> ActivityError:
    return ActivityError(message, code="SERVICE_NOT_FOUND", details={"status": 0}, recoverable=False)


def _invalid(message: str, problems: list[dict[str, str]]) -> ActivityError:
    details = {"status": 0, "problems": [problem | {"code": "INVALID_INPUT"} for problem in problems]}
    return ActivityError(message, code="INVALID_INPUT", details=details, recoverable=False)


def _outgoing(
    endpoint: Endpoint, operation: Operation, given: dict[str, Any], context: ActivityContext
) -> tuple[connections.Connection, http_call.Outgoing]:
    if endpoint.connection is not None:
        reached = connections.get(endpoint.connection)
    else:
        reached = connections.without_credentials(endpoint.url or "")
    outgoing = http_call.build(
        endpoint=reached,
        url=None,
        method=operation.method,
        idempotency_key=None if operation.is_query else context.idempotency_key,
        **given,
    )
    return reached, outgoing


def _try(prepared: Prepared, context: ActivityContext, admission: Admission, database: Database) -> dict[str, Any]:
    """Call one endpoint after the other until one is reached, all within the call's time.

    What was sent and not answered is sent again only where the operation says that it may be: another endpoint need
    not know the idempotency key of the first. A query also goes on where the endpoint itself failed.
    """
    service, operation, seconds = prepared.service, prepared.operation, prepared.seconds
    begun = time.monotonic()
    is_unknown = False
    endpoints = admission.endpoints if service.failover else admission.endpoints[:1]
    for number, endpoint in enumerate(endpoints, start=1):
        has_sent = True
        left = max(0.001, begun + seconds - time.monotonic())
        try:
            # A connection may have stored secrets.
            reached, outgoing = database(partial(_outgoing, endpoint, operation, prepared.given, context))
            exchange = http_exchange.Exchange(
                outgoing=outgoing,
                policy=reached.policy,
                endpoint=reached,
                redirects=0,
                seconds=left,
                # One that swallows connections must leave the others time to answer.
                connect_seconds=min(network.CONNECT_SECONDS, left / (len(endpoints) - number + 1)),
                context=context,
                kind="service.call",
                facts={"service": service.name, "operation": operation.name, "endpoint": endpoint.name},
                parameters={name: value for name, value in prepared.given.items() if value not in (None, {})},
                is_query=operation.is_query,
            )
            try:
                result = exchange.run(operation.ok_status)
            finally:
                has_sent = exchange.has_sent
        except ActivityError as error:
            is_unknown = is_unknown or effect_unknown({"details": error.details})
            has_failed = error.code == "HTTP_ERROR" and error.details.get("status", 0) >= 500
            may_go_on = (error.code == "HTTP_NO_ANSWER" and (operation.may_repeat or not has_sent)) or (
                has_failed and operation.is_query
            )
            if may_go_on and number < len(endpoints) and time.monotonic() < begun + seconds:
                continue
            _judge(error, admission)
            if error.code == "HTTP_ERROR":
                error.code = "SERVICE_ERROR"
            if is_unknown:
                error.details["effect"] = "unknown"
            raise
        except BaseException:
            # The attempt was ended from outside. Where that was its time-out, the service had all the time there was.
            if context.deadline_seconds is not None and time.monotonic() - begun >= 0.9 * context.deadline_seconds:
                admission.outcome, admission.cause = Outcome.FAILED, "no answer"
            raise
        admission.outcome = Outcome.ANSWERED
        return result
    raise AssertionError("a service has an endpoint")


def _judge(error: ActivityError, admission: Admission) -> None:
    """Say what an error tells of the service: no answer, 5xx and 429 are failures, any other answer shows it well."""
    status = error.details.get("status", 0)
    if error.code == "HTTP_NO_ANSWER":
        admission.outcome, admission.cause = Outcome.FAILED, "no answer"
    elif status >= 500 or status == _TOO_MANY_REQUESTS:
        admission.outcome, admission.cause = Outcome.FAILED, f"status {status}"
    elif status:
        admission.outcome = Outcome.ANSWERED
