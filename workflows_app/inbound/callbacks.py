"""The address of a callback: whoever knows it may answer once, signed where the definition says so.

No log-in, no cookie and so no CSRF token: the proof is the address itself, and the signature. All refusals together
share one limit, so that guessing costs whoever guesses more than it costs us; an address that is known and open is
never held up by it.
"""

from __future__ import annotations

import math

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from workflows_app.engine.errors import InputInvalid, NotFound, OrchestratorError
from workflows_app.services import callbacks, rates

REFUSALS_PER_SECOND = 10.0
REFUSALS_AT_ONCE = 100
MEDIA_TYPE = "application/json"

_STATUS: dict[type[OrchestratorError], int] = {
    NotFound: 404,
    callbacks.Unsigned: 401,
    callbacks.Unverifiable: 503,
    callbacks.Answered: 409,
    callbacks.Over: 410,
    InputInvalid: 400,
}


@login_not_required
@csrf_exempt
@never_cache
@sensitive_variables("token")
def answer(request: HttpRequest, token: str) -> JsonResponse:
    """Record one answer.

    Returns:
        202; 400 for a body that is no JSON, 401 where a signature is missing or wrong, 404 for an address that nobody
        handed out, 409 for a second answer, 410 where nothing waits any more, 413, 415 for another media type, 429
        after too many refusals, 503 where the signature cannot be checked now. The address is in no log of ours.
    """
    response = _answered(request, token)
    # Django logs refusals with their address, and whoever reads that could answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _answered(request: HttpRequest, token: str) -> JsonResponse:
    if request.method != "POST":
        response = _refusal(405, "METHOD_NOT_ALLOWED", "an answer is a POST")
        response.headers["Allow"] = "POST"
        return response
    if request.content_type != MEDIA_TYPE:
        return _refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"an answer has the type {MEDIA_TYPE}")
    try:
        body = _body(request)
    except RequestDataTooBig:
        return _refusal(413, "TOO_LARGE", f"an answer has {settings.ORCHESTRATOR_MAX_INPUT_BYTES} bytes at most")
    except UnreadablePostError:
        return _refusal(400, "NOT_JSON", "the body did not arrive whole")
    signature = callbacks.Signature(
        identity=request.headers.get("webhook-id", ""),
        timestamp=request.headers.get("webhook-timestamp", ""),
        signatures=request.headers.get("webhook-signature", ""),
    )
    try:
        callbacks.answer(token=token, body=body, signature=signature)
    except tuple(_STATUS) as refused:
        status = next(code for kind, code in _STATUS.items() if isinstance(refused, kind))
        return _refusal(status, refused.code, refused.message)
    return JsonResponse({"status": "accepted"}, status=202)


def _body(request: HttpRequest) -> bytes:
    """Read the body; what says that it is too long is not read at all.

    Raises:
        RequestDataTooBig: it is too long, by what it says or by what comes.
        UnreadablePostError: the other side went away.
    """
    most = settings.ORCHESTRATOR_MAX_INPUT_BYTES
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > most:
        raise RequestDataTooBig
    body = request.body
    if len(body) > most:
        raise RequestDataTooBig
    return body


def _refusal(status: int, code: str, message: str) -> JsonResponse:
    wait = rates.ask("callbacks refused", per_second=REFUSALS_PER_SECOND, burst=REFUSALS_AT_ONCE)
    if wait:
        response = JsonResponse({"error": {"code": "TOO_MANY_REQUESTS", "message": "try again later"}}, status=429)
        response.headers["Retry-After"] = str(math.ceil(wait))
        return response
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
