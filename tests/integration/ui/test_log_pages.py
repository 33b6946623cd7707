"""Logs on pages: under each attempt, and on a page of their own; escaped, and only for those who may view instances."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.integration.working import make_worker
from workflows_app.activities import ActivityContext, RegisteredActivity
from workflows_app.models import Instance

SAYING = """
workflow: saying
version: 1.0.0
steps: [{id: talk, activity: core.echo, retry: {max_attempts: 2, initial_interval: 1s}}]
"""


@pytest.fixture
def failed(db: None, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """An instance whose step says 30 lines and raises, twice."""

    def perform(activity: RegisteredActivity, parameters: object, context: ActivityContext) -> None:
        for number in range(30):
            context.log.info(f"<b>line {number}</b>")
        raise ValueError("no")

    driver = make_worker(monkeypatch)
    monkeypatch.setattr(RegisteredActivity, "perform", perform)
    found = driver.start(SAYING, {})
    driver.run(found)
    return found


def test_the_log_stands_under_its_attempt_and_is_open_where_the_last_one_failed(
    failed: Instance, pages: Client
) -> None:
    page = pages.get(f"/instances/{failed.pk}/").content.decode()

    assert page.count('<details id="log-') == 2
    _, first, second = page.split('<details id="log-')
    assert not first.partition(">")[0].endswith("open")
    assert second.partition(">")[0].endswith("open")
    assert "&lt;b&gt;line 29&lt;/b&gt;" in second
    assert "All 31 lines" in second
    assert "<b>line" not in page


def test_a_page_of_its_own_has_all_lines_of_an_attempt(failed: Instance, pages: Client) -> None:
    page = pages.get(f"/instances/{failed.pk}/log/?step=talk&attempt=1").content.decode()

    assert page.count("<li class=") == 31
    assert "&lt;b&gt;line 0&lt;/b&gt;" in page
    assert pages.get(f"/instances/{failed.pk}/log/?attempt=x&step=%00").status_code == 200


def test_only_those_who_may_view_instances_see_it(failed: Instance, stranger: Client, anonymous: Client) -> None:
    assert stranger.get(f"/instances/{failed.pk}/log/").status_code == 403
    assert anonymous.get(f"/instances/{failed.pk}/log/").status_code == 302
