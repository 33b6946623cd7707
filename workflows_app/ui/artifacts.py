"""Downloads of artifacts: always a file to save, never shown; what somebody may not have does not exist for them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from workflows_app.activities.artifacts import OCTETS
from workflows_app.artifacts import store
from workflows_app.artifacts.verified import VerifiedContent
from workflows_app.engine.errors import ActivityError
from workflows_app.selectors import portions
from workflows_app.ui.access import VIEW_ARTIFACTS, VIEW_INSTANCES

log = logging.getLogger(__name__)


@never_cache
@require_safe
def download(request: HttpRequest, instance_id: UUID, digest: str) -> HttpResponse | StreamingHttpResponse:
    """Send an artifact's content; content that is damaged breaks off before its end.

    Its media type was chosen by whoever wrote it, so it is not what a browser is told.
    """
    allowed = request.user.has_perms([VIEW_INSTANCES, VIEW_ARTIFACTS])
    found = portions.artifact(instance_id, digest) if allowed else None
    if found is None:
        raise Http404("There is no such artifact.")
    try:
        pieces = store.content(found)
    except ActivityError as error:
        log.warning("artifact %s of %s cannot be opened: %s", digest, instance_id, error.message)
        raise Http404("There is no such artifact.") from error
    # Under ASGI Django would gather a plain iterator in memory before it sends anything.
    body = _InThreads(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(body, content_type=OCTETS)
    response.headers["Content-Length"] = str(found.size)
    response.headers["Content-Disposition"] = content_disposition_header(True, found.name) or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


class _InThreads(AsyncIterator[bytes]):
    """Content read by threads, a piece at a time; Django calls ``close`` when the response is over."""

    def __init__(self, content: VerifiedContent) -> None:
        self._content = content
        self.close = content.close

    async def __anext__(self) -> bytes:
        piece = await sync_to_async(self._following)()
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _following(self) -> bytes | None:
        return next(self._content, None)
