"""``webhook.send``: one signed notification to another service; everything else is ``http.request``'s."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tasks.activities import connections, egress, http, http_call, http_exchange
from workflows_app.activities import ActivityContext, ActivityError, activity
from workflows_app.engine import webhook_signature

_SHARED = ("connection", "path", "headers", "timeout", "ok_status")


@activity(
    "webhook.send",
    version="1.0.0",
    description="Notifies another service, with a signature that it can check.",
    parameters={
        "type": "object",
        "properties": {
            **{name: http.PARAMETERS["properties"][name] for name in _SHARED},
            "url": {
                "type": ["string", "null"],
                "description": "A whole http or https address, instead of a connection.",
            },
            "method": {"enum": ["POST", "PUT", "PATCH"], "default": "POST"},
            "json": {"description": "Sent as JSON; null sends no body."},
        },
        "additionalProperties": False,
        "$defs": http.PARAMETERS["$defs"],
    },
    effects=True,
    category="integration",
)
def send(
    *,
    context: ActivityContext,
    connection: str | None = None,
    path: str = "",
    url: str | None = None,
    method: str = "POST",
    json: Any = None,
    headers: dict[str, Any] | None = None,
    timeout: float | str | None = None,
    ok_status: int | str | Sequence[int | str] | None = None,
) -> dict[str, Any]:
    """Send the notification and return ``{status}``.

    Raises:
        ActivityError: MISSING_WEBHOOK_URL and what ``http.request`` refuses (not recoverable); WEBHOOK_RESPONSE_ERROR
            for a status outside ``ok_status``; HTTP_NO_ANSWER; ANSWER_TOO_LARGE, ANSWER_UNUSABLE. ``details`` are
            those of ``http.request``.
        AttemptCancelled: when told to stop.
    """
    if connection is None and not url:
        raise ActivityError(
            "A webhook needs a url, or a connection.",
            code="MISSING_WEBHOOK_URL",
            details={"status": 0},
            recoverable=False,
        )
    try:
        endpoint = connections.get(connection) if connection is not None else None
        outgoing = http_call.build(
            endpoint=endpoint,
            path=path,
            url=url,
            method=method,
            params={},
            headers=headers or {},
            json=json,
            body=None,
            idempotency_key=context.idempotency_key,
        )
        outgoing = _signed(outgoing, endpoint, context.idempotency_key)
        policy = endpoint.policy if endpoint else egress.policy(connections.rules())
    except ActivityError as error:
        error.details.setdefault("status", 0)
        raise
    exchange = http_exchange.Exchange(
        outgoing=outgoing,
        policy=policy,
        endpoint=endpoint,
        redirects=0,
        seconds=http.seconds_of(timeout, context),
        context=context,
        kind="webhook.send",
    )
    try:
        result = exchange.run(ok_status)
    except ActivityError as error:
        if error.code == "HTTP_ERROR":
            error.code = "WEBHOOK_RESPONSE_ERROR"
        raise
    return {"status": result["status"]}


def _signed(
    outgoing: http_call.Outgoing, endpoint: connections.Connection | None, idempotency_key: str
) -> http_call.Outgoing:
    """The same request with the fields of Standard Webhooks, which no other field of that name survives."""
    identity, timestamp = webhook_signature.id_of(idempotency_key), int(time.time())
    fields = {"webhook-id": identity, "webhook-timestamp": str(timestamp)}
    if endpoint is not None and endpoint.signing_secret is not None:
        try:
            fields["webhook-signature"] = webhook_signature.sign(
                secret=endpoint.signing_secret, identity=identity, timestamp=timestamp, body=outgoing.content or b""
            )
        except ValueError as error:
            raise ActivityError(
                f"Connection {endpoint.name!r} is not usable: {error}.", code="CONNECTION_INVALID", recoverable=False
            ) from None
    kept = {name: value for name, value in outgoing.own_headers.items() if not name.startswith("webhook-")}
    return replace(outgoing, own_headers=kept | fields)
