"""Watching: one look at the database serves the streams of all pages, and none of them holds a connection.

A look asks at once for the marks of everything that is watched and for whether those who watch still may. It happens
only while somebody watches. A stream that lost its log-in or its permission ends with the look that sees it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db import Error, connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from workflows_app.selectors import changes
from workflows_app.ui.access import VIEW_INSTANCES

log = logging.getLogger(__name__)

INTERVAL = 1.5
"""Seconds between two looks."""
MOST_STREAMS = 200
"""How many streams a process has at once."""
MOST_OF_ONE = 12
"""How many of them one log-in may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at the database found.

    Args:
        marks: by instance, ``None`` for all of them together.
        allowed: sessions that may go on watching.
    """

    marks: Mapping[UUID | None, str]
    allowed: Collection[str]


@dataclass(eq=False, slots=True, kw_only=True)
class Stream:
    """One page that watches: what, for which session, and whether there is something to tell it."""

    topic: UUID | None
    session: str
    mark: str | None = None
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Watch:
    """The streams of this process, and the task that looks for them."""

    def __init__(self, look: Callable[[set[UUID | None], set[str]], Look], *, interval: float = INTERVAL) -> None:
        self._look = look
        self._interval = interval
        self._streams: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, topic: UUID | None, session: str) -> Stream | None:
        """Begin to watch; ``None`` where there are too many streams already."""
        mine = sum(1 for each in self._streams if each.session == session)
        if len(self._streams) >= MOST_STREAMS or mine >= MOST_OF_ONE:
            return None
        stream = Stream(topic=topic, session=session)
        self._streams.add(stream)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._go_on())
        return stream

    def leave(self, stream: Stream) -> None:
        """End a stream; with the last one the looking ends."""
        self._streams.discard(stream)

    async def _go_on(self) -> None:
        while self._streams:
            watched = set(self._streams)
            try:
                found = await sync_to_async(self._look, thread_sensitive=False)(
                    {each.topic for each in watched}, {each.session for each in watched}
                )
            except Error as problem:
                # The pages ask for themselves until they can connect again.
                log.warning("streams end, the database does not answer: %s", problem)
                found = None
            except Exception:
                log.exception("streams end, the look at the database failed")
                found = None
            for stream in watched:
                _tell(stream, found)
            await asyncio.sleep(self._interval)


def _tell(stream: Stream, found: Look | None) -> None:
    if found is None or stream.session not in found.allowed:
        stream.over = True
        stream.news.set()
        return
    mark = found.marks.get(stream.topic)
    # The first look always tells: the page is older than it.
    if mark != stream.mark:
        stream.mark = mark
        stream.news.set()


def look(topics: set[UUID | None], sessions: set[str]) -> Look:
    """Ask the database, and give the connection back."""
    try:
        marks: dict[UUID | None, str] = dict(changes.marks_of({each for each in topics if each is not None}).items())
        if None in topics:
            marks[None] = changes.mark_of_all()
        return Look(marks=marks, allowed=_allowed(sessions))
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _allowed(sessions: set[str]) -> set[str]:
    """Return the sessions that have not ended and whose user may view instances."""
    stored = Session.objects.filter(session_key__in=sessions, expire_date__gt=timezone.now())
    data = {each.session_key: each.get_decoded() for each in stored}
    model = get_user_model()
    users = {str(user.pk): user for user in model.objects.filter(pk__in={d.get(SESSION_KEY) for d in data.values()})}
    found = set()
    for key, each in data.items():
        user = users.get(str(each.get(SESSION_KEY)))
        if user is None or not each.get(BACKEND_SESSION_KEY):
            continue
        same = constant_time_compare(each.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
        if same and user.is_active and user.has_perm(VIEW_INSTANCES):
            found.add(key)
    return found


watch = Watch(look)
"""The one of this process."""
