"""Streams of live pages: who is told of what, and when a stream ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.ui import watching
from workflows_app.ui.watching import Look, Stream, Watch, look

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"


class Database:
    """What the looks find; a test changes it."""

    def __init__(self) -> None:
        self.marks: dict[UUID | None, str] = {}
        self.allowed = {"ada", "bob"}
        self.asked: list[tuple[set[UUID | None], set[str]]] = []
        self.broken = False

    def look(self, topics: set[UUID | None], sessions: set[str]) -> Look:
        self.asked.append((topics, sessions))
        if self.broken:
            raise OperationalError("gone")
        return Look(marks=dict(self.marks), allowed=set(self.allowed))


def performed(scenario: Callable[[Watch, Database], Coroutine[object, object, None]]) -> Database:
    database = Database()

    async def run() -> None:
        await asyncio.wait_for(scenario(Watch(database.look, interval=0.01), database), 20)

    asyncio.run(run())
    return database


async def news(stream: Stream) -> None:
    await stream.news.wait()
    stream.news.clear()


def test_a_change_is_told_to_those_who_watch_it_by_one_look_for_all() -> None:
    one, other = uuid4(), uuid4()

    async def scenario(watch: Watch, database: Database) -> None:
        database.marks = {one: "1", other: "1"}
        streams = [watch.join(one, "ada"), watch.join(other, "bob"), watch.join(one, "bob")]
        first, second, third = (stream for stream in streams if stream)
        for stream in (first, second, third):
            await news(stream)
        database.marks[one] = "2"
        await news(first)
        await news(third)
        assert not second.news.is_set()

    assert performed(scenario).asked[0] == ({one, other}, {"ada", "bob"})


def test_a_stream_ends_once_its_session_may_not_look_any_more() -> None:
    async def scenario(watch: Watch, database: Database) -> None:
        ada, bob = watch.join(None, "ada"), watch.join(None, "bob")
        assert ada
        assert bob
        database.marks[None] = "1"
        await news(ada)
        database.allowed.remove("ada")
        await news(ada)
        assert ada.over
        assert not bob.over

    performed(scenario)


def test_nobody_asks_the_database_while_nobody_watches() -> None:
    async def scenario(watch: Watch, database: Database) -> None:
        database.marks[None] = "1"
        stream = watch.join(None, "ada")
        assert stream
        await news(stream)
        watch.leave(stream)
        task = watch._task
        assert task
        await task

    performed(scenario)


def test_a_look_that_fails_ends_the_streams_and_the_next_one_begins_anew() -> None:
    async def scenario(watch: Watch, database: Database) -> None:
        database.broken = True
        first = watch.join(None, "ada")
        assert first
        await news(first)
        assert first.over
        watch.leave(first)
        database.broken, database.marks = False, {None: "1"}
        second = watch.join(None, "ada")
        assert second
        await news(second)
        assert not second.over

    performed(scenario)


def test_streams_are_bounded_for_one_log_in_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_STREAMS", 3)
    monkeypatch.setattr(watching, "MOST_OF_ONE", 2)

    async def scenario(watch: Watch, database: Database) -> None:
        joined = [watch.join(None, name) is not None for name in ("ada", "ada", "ada", "bob", "bob")]
        assert joined == [True, True, False, True, False]

    performed(scenario)


def test_a_look_sees_log_out_lost_permission_and_a_changed_password(
    driver: Driver, pages: Client, viewer: User, stranger: Client
) -> None:
    instance = driver.start(flow(ECHO))
    key, other = pages.session.session_key, stranger.session.session_key
    assert key
    assert other

    before = look({instance.pk, None}, {key, other, "made-up"})
    driver.work_off()
    after = look({instance.pk, None}, {key})
    viewer.user_permissions.clear()
    without_permission = look(set(), {key})
    viewer.user_permissions.add(Permission.objects.get(codename="view_instance"))
    viewer.set_password("another long pass phrase")
    viewer.save()
    changed = look(set(), {key})

    assert before.allowed == {key} == after.allowed
    assert before.marks[instance.pk] != after.marks[instance.pk]
    assert without_permission.allowed == set() == changed.allowed


def test_a_log_out_ends_the_watching(pages: Client) -> None:
    key = pages.session.session_key
    assert key
    pages.session.flush()

    assert look(set(), {key}).allowed == set()


def test_streams_are_refused_to_whom_the_pages_are(driver: Driver, pages: Client, stranger: Client) -> None:
    instance = driver.start(flow(ECHO))

    assert stranger.get("/live/").status_code == 403
    assert stranger.get(f"/live/{instance.pk}/").status_code == 403
    assert pages.get(f"/live/{uuid4()}/").status_code == 404


def test_without_asgi_there_is_no_stream_and_the_page_polls(driver: Driver, pages: Client) -> None:
    assert pages.get("/live/").status_code == 204
