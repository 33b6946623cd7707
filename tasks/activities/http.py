"""``http.request``: one call to another service, behind the egress guard, under one deadline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from tasks.activities import connections, egress, http_call, http_exchange
from workflows_app.activities import ActivityContext, ActivityError, activity
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.service_schema import METHODS, STATUS

DEFAULT_SECONDS = 30.0
MAX_REDIRECTS = 5
_GRACE = 0.5  # the engine ends an attempt at its time-out; only where it cannot interrupt does the call end itself
_TEXT_OR_NULL = {"type": ["string", "null"]}
_FIELDS = {
    "type": ["object", "null"],
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "connection": {"type": "string", "description": "Name of a connection of this installation."},
        "path": {"type": "string", "description": "Appended to the connection's base URL."},
        "url": {"type": "string", "description": "A whole http or https address, instead of a connection."},
        "method": {"enum": list(METHODS), "default": "GET"},
        "params": {
            "type": ["object", "null"],
            "description": "Query parameters; a list repeats its name, null leaves it out.",
            "additionalProperties": {
                "anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
                ]
            },
        },
        "headers": _FIELDS,
        "json": {"description": "Sent as JSON; null sends no body."},
        "body": _TEXT_OR_NULL | {"description": "Sent as text, instead of json."},
        "timeout": {"type": ["number", "string", "null"], "description": "Of the whole call: seconds or a duration."},
        "ok_status": {
            "description": "What counts as success: 204, '2xx', '200-299', or a list of such; default 200-299.",
            "anyOf": [
                {"$ref": "#/$defs/status"},
                {"type": "array", "items": {"$ref": "#/$defs/status"}, "minItems": 1},
                {"type": "null"},
            ],
        },
        "follow_redirects": {
            "description": "How many redirects to follow; true for 5, default none.",
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_REDIRECTS}, {"type": "boolean"}],
        },
        "save": {
            "type": "boolean",
            "default": False,
            "description": "Keep the answer's body as an artifact, in the place of json and text.",
        },
    },
    "additionalProperties": False,
    "$defs": {"status": STATUS},
}


@activity(
    "http.request",
    version="1.0.0",
    description="Calls another service over HTTP.",
    parameters=PARAMETERS,
    effects=True,
    category="integration",
)
def request(
    *, context: ActivityContext, ok_status: int | str | Sequence[int | str] | None = None, **given: Any
) -> dict[str, Any]:
    """Send one request and return ``{status, headers, json, text}``, or with ``save`` ``{status, headers, artifact}``.

    The idempotency key goes out as ``Idempotency-Key`` unless ``headers`` name another.

    Raises:
        ActivityError: INVALID_PARAMETERS, UNKNOWN_CONNECTION, CONNECTION_INVALID, EGRESS_DENIED (not recoverable);
            HTTP_ERROR for a status outside ``ok_status``; HTTP_NO_ANSWER; ANSWER_TOO_LARGE, ANSWER_UNUSABLE; with
            ``save`` the errors of ``Artifacts.write``.
            ``details.status`` is always there, 0 without an answer; ``details.effect`` is ``unknown`` where a
            request that may change something was sent and its outcome is not known.
        AttemptCancelled: when told to stop.
    """
    return exchange(context=context, **given).run(ok_status)


def exchange(
    *,
    context: ActivityContext,
    connection: str | None = None,
    path: str = "",
    url: str | None = None,
    method: str = "GET",
    params: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    json: Any = None,
    body: str | None = None,
    timeout: float | str | None = None,
    follow_redirects: int | bool = 0,
    save: bool = False,
) -> http_exchange.Exchange:
    """Return the exchange that the parameters of ``http.request`` describe; nothing has been sent, its time runs.

    Raises:
        ActivityError: INVALID_PARAMETERS, UNKNOWN_CONNECTION, CONNECTION_INVALID, EGRESS_DENIED (not recoverable).
    """
    try:
        endpoint = connections.get(connection) if connection is not None else None
        outgoing = http_call.build(
            endpoint=endpoint,
            path=path,
            url=url,
            method=method,
            params=params or {},
            headers=headers or {},
            json=json,
            body=body,
            idempotency_key=context.idempotency_key,
        )
        policy = endpoint.policy if endpoint else egress.policy(connections.rules())
    except ActivityError as error:
        error.details.setdefault("status", 0)
        raise
    return http_exchange.Exchange(
        outgoing=outgoing,
        policy=policy,
        endpoint=endpoint,
        redirects=MAX_REDIRECTS if follow_redirects is True else int(follow_redirects),
        seconds=seconds_of(timeout, context),
        context=context,
        save=save,
    )


def seconds_of(timeout: float | str | None, context: ActivityContext) -> float:
    """The bound of the whole call: the parameter, the attempt's time-out, or else the installation's default."""
    limits: list[float] = []
    if timeout is not None:
        try:
            limits.append(parse_duration(timeout))
        except OrchestratorError as error:
            http_call.refuse("timeout", error.message)
    if context.deadline_seconds is not None:
        limits.append(context.deadline_seconds + _GRACE)
    return min(limits or [float(getattr(settings, "ORCHESTRATOR_HTTP_TIMEOUT_SECONDS", DEFAULT_SECONDS))])
