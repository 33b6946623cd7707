"""Pages that the application has answered in this process, put in front of a browser: there is no server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.contrib.staticfiles import finders
from django.db import connection
from django.http import HttpResponse
from playwright.sync_api import Page, Route

ADDRESS: Final = "http://testserver"


class Answer(NamedTuple):
    """What the application answered."""

    status: int
    headers: dict[str, str]
    body: bytes


def kept(answers: Mapping[str, HttpResponse]) -> dict[str, Answer]:
    """Keep answers for a browser, by their addresses; the test's transaction waits as long as that takes."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    return {
        address: Answer(status=each.status_code, headers=dict(each.headers), body=each.content)
        for address, each in answers.items()
    }


def replay(page: Page, answers: Mapping[str, Answer]) -> None:
    """Let a browser's page have these answers, and our scripts, styles and pictures; it reaches nothing else."""

    def answer(route: Route) -> None:
        address = route.request.url.removeprefix(ADDRESS)
        if address in answers:
            status, headers, body = answers[address]
            route.fulfill(status=status, headers=headers, body=body)
        elif address.startswith("/static/"):
            route.fulfill(path=str(finders.find(address.removeprefix("/static/"))))
        else:
            route.fulfill(status=404)

    page.route("**/*", answer)
