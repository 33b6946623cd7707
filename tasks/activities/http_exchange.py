"""One exchange: the request, the redirects it was allowed to follow, and what went wrong in terms of effects."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpcore

from tasks.activities import http_answer, http_call, http_saving, http_transport, network
from tasks.activities.connections import Connection
from tasks.activities.egress import Policy
from tasks.activities.http_call import Outgoing
from workflows_app.activities import ActivityContext, ActivityError, AttemptCancelled
from workflows_app.engine.service_document import SAFE_METHODS


class Exchange:
    """A call on its way; ``run`` once.

    Args:
        outgoing: the first request.
        policy: what it may reach.
        endpoint: the connection it goes through.
        redirects: how many may be followed.
        seconds: time-out of the whole.
        connect_seconds: of that, longest time for connecting.
        context: the attempt; a request that may change something goes into its ledger.
        kind: what the ledger calls the request.
        facts: what the ledger keeps of it beforehand; with them also a request that changes nothing is kept.
        parameters: what the ledger keeps of what goes out; with them also of the answer.
        is_query: whether it changes nothing, whatever its method: then it is recorded once it is over, as no effect.
        save: whether a successful answer's body becomes an artifact.
    """

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        policy: Policy,
        endpoint: Connection | None,
        redirects: int,
        seconds: float,
        context: ActivityContext,
        save: bool = False,
        kind: str = "http.request",
        facts: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        is_query: bool = False,
        connect_seconds: float = network.CONNECT_SECONDS,
    ) -> None:
        self._outgoing = outgoing
        self._policy = policy
        self._secrets = endpoint.secrets if endpoint else ()
        self._redirects = redirects
        self._seconds = seconds
        self._call = network.Call(
            deadline=time.monotonic() + seconds, should_stop=context.should_stop, connect_seconds=connect_seconds
        )
        self._context = context
        self._save = save
        self._kind = kind
        self._facts = facts
        self._parameters = parameters
        self._changes = not is_query and outgoing.method not in SAFE_METHODS
        self._is_query = is_query
        self._hop = 0
        self._status = 0

    @property
    def has_sent(self) -> bool:
        """Whether anything of the request has left."""
        return self._call.has_sent

    def run(self, ok_status: Any) -> dict[str, Any]:
        """Send, follow, read.

        Returns:
            ``{status, headers, json, text}``, or ``{status, headers, artifact}``.

        Raises:
            ActivityError: as ``http.request`` describes.
        """
        if self._facts is None and not self._changes:
            return self._run(ok_status)
        address = self._outgoing.url
        target = f"{self._outgoing.method} {address.scheme}://{address.netloc.decode()}{address.path}"
        ledger = self._context.effects
        entry = (ledger.asked if self._is_query else ledger.planned)(
            self._kind, http_answer.hidden(target, self._secrets), self._facts, parameters=self._parameters
        )
        with entry as effect:
            try:
                result = self._run(ok_status)
            finally:
                effect.facts["status"] = self._status
            if self._parameters is not None:
                body = "json" if result.get("json") is not None else "text"
                effect.result = {name: result[name] for name in ("status", body) if name in result}
            return result

    def _run(self, ok_status: Any) -> dict[str, Any]:
        try:
            with network.bounded(self._call):
                result = self._follow(ok_status)
            if not http_call.is_ok(result["status"], ok_status):
                raise self._refused(result)
            return http_answer.fitted(result)
        except AttemptCancelled as error:
            raise AttemptCancelled(error.message, details=self._details()) from error
        except ActivityError as error:
            error.details = self._details() | error.details
            raise
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise ActivityError(self._reason(error), code="HTTP_NO_ANSWER", details=self._details()) from error

    def _follow(self, ok_status: Any) -> dict[str, Any]:
        transport = http_transport.for_policy(self._policy)
        request = self._outgoing
        while True:
            answer = transport.handle_request(request.as_request())
            try:
                location = answer.headers.get("location")
                if answer.status_code not in http_call.REDIRECTS or not location or self._hop >= self._redirects:
                    return self._read(answer, request.url, ok_status)
            finally:
                answer.close()
            self._hop += 1
            request = http_call.redirected(request, answer.status_code, location, self._policy)

    def _read(self, answer: Any, url: Any, ok_status: Any) -> dict[str, Any]:
        try:
            if self._save and http_call.is_ok(answer.status_code, ok_status):
                result = http_saving.save(answer, url, self._context, self._secrets)
            else:
                result = http_answer.as_result(answer, http_answer.read_body(answer), self._secrets)
        except ActivityError:
            self._status = answer.status_code
            raise
        self._status = answer.status_code
        return result

    def _refused(self, result: dict[str, Any]) -> ActivityError:
        status = result["status"]
        message = f"{self._outgoing.method} to {self._outgoing.url.host} was answered with status {status}"
        if self._redirects and status in http_call.REDIRECTS:
            message = f"{message} after {self._hop} redirects"
        reason = http_answer.reason(result)
        message = f"{message}: {reason}" if reason else f"{message}."
        rest = http_answer.retry_after(result["headers"], now=time.time())
        details = http_answer.quoted(result) | ({} if rest is None else {"retry_after": rest})
        return ActivityError(message, code="HTTP_ERROR", details=details)

    def _details(self) -> dict[str, Any]:
        """Status, and whether something may have happened: only a refusal (4xx) of the first request says no."""
        is_refusal = self._hop == 0 and 400 <= self._status <= 499
        may_have_effect = self._changes and self._call.has_sent
        return {"status": self._status} | ({"effect": "unknown"} if may_have_effect and not is_refusal else {})

    def _reason(self, error: Exception) -> str:
        what = f"{self._outgoing.method} to {self._outgoing.url.host}"
        if isinstance(error, httpcore.TimeoutException):
            if time.monotonic() >= self._call.deadline:
                return f"{what} got no answer within {self._seconds:g} s."
            return f"{what} could not connect in time."
        return f"{what} got no answer: {str(error)[:300] or type(error).__name__}."
