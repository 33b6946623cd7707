"""Streams of server-sent events: they say that what a page shows has changed, never what; the page asks again.

A stream is bounded in time: the browser connects again, and is asked again who it is. Where a process serves without
ASGI, or has too many streams, it is refused, and the page asks every few seconds instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import permission_required
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from workflows_app.models import Instance
from workflows_app.ui.access import VIEW_INSTANCES
from workflows_app.ui.watching import Stream, watch

LIFETIME = 300.0
"""Seconds after which the browser has to connect again."""
HEARTBEAT = 15.0
"""Seconds of silence after which a comment goes out, so that nothing between takes the stream for dead."""
AGAIN = 2000
"""Milliseconds after which a browser connects again."""


@never_cache
@require_safe
@permission_required(VIEW_INSTANCES, raise_exception=True)
async def of_all(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Tell when any instance has changed."""
    return _stream(request, None)


@never_cache
@require_safe
@permission_required(VIEW_INSTANCES, raise_exception=True)
async def of_one(request: HttpRequest, instance_id: UUID) -> HttpResponse | StreamingHttpResponse:
    """Tell when one instance has changed."""
    if not await Instance.objects.filter(pk=instance_id).aexists():
        return HttpResponse(status=404)
    return _stream(request, instance_id)


def _stream(request: HttpRequest, topic: UUID | None) -> HttpResponse | StreamingHttpResponse:
    if not isinstance(request, ASGIRequest):
        return HttpResponse(status=204)
    stream = watch.join(topic, request.session.session_key or "")
    if stream is None:
        return HttpResponse("Too many streams.", status=503, headers={"Retry-After": "30"})
    response = StreamingHttpResponse(_events(stream), content_type="text/event-stream")
    # Proxies that gather an answer would keep the news back.
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _events(stream: Stream) -> AsyncIterator[str]:
    until = monotonic() + LIFETIME
    try:
        # What the log-in was read with; the stream needs none.
        await sync_to_async(close_old_connections)()
        yield f"retry: {AGAIN}\n\n"
        while (left := until - monotonic()) > 0:
            try:
                await asyncio.wait_for(stream.news.wait(), min(HEARTBEAT, left))
            except TimeoutError:
                yield ": nothing new\n\n"
                continue
            stream.news.clear()
            if stream.over:
                return
            yield "event: changed\ndata: \n\n"
    finally:
        watch.leave(stream)
