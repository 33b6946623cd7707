"""``workflow start`` and ``workflow tag``: tags, a time, overrides and an id, and what is refused of them."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, published, shell  # noqa: F401 - fixtures
from workflows_app.models import Instance

START = ("workflow", "start", "greet", "--input", '{"name": "A"}')


def test_a_start_at_a_time_says_so_and_is_shown_with_all_that_it_is_given(published: Shell) -> None:  # noqa: F811
    key = str(uuid4())
    own = ("--instance-timeout", "2h", "--priority", "high", "--step-timeout", "hello=30s", "--retry", "hello=5")
    asked = (*START, "--at", "2026-12-01T08:00Z", "--id", key, "--tag", "urgent", "--tag", "region=eu", *own)

    code, answer = published.json(*asked)

    assert (code, answer) == (
        0,
        {
            "id": key,
            "workflow": "greet",
            "version": "1.0.0",
            "state": "pending",
            "status": "SCHEDULED",
            "starts_at": "2026-12-01T08:00:00Z",
        },
    )
    text = published.run("workflow", "show", key)[1]
    assert "starts at 2026-12-01T08:00:00Z" in text
    assert "tags: urgent region=eu" in text
    assert "  timeout 2h, priority high\n  hello: timeout 30s, max_attempts 5" in text
    assert "Starts at 2026-12-01 08:00:00 UTC." in published.run("workflow", "why", key)[1]
    assert published.json("workflow", "cancel", key) == (0, {"id": key, "state": "cancelled"})


def test_a_start_at_once_answers_as_it_always_did(published: Shell, driver: Driver) -> None:  # noqa: F811
    code, answer = published.json(*START)

    assert (code, answer["state"], answer["status"], answer["starts_at"]) == (0, "running", "ACCEPTED", None)
    assert "pending until it starts at 2026-01-01 02:00:00 UTC" in published.run(*START, "--in", "2h")[1]


def test_lists_and_many_at_once_are_chosen_by_tags(published: Shell) -> None:  # noqa: F811
    ids = [published.json(*START, *tags)[1]["id"] for tags in (("--tag", "eu", "--tag", "late"), ("--tag", "eu"), ())]

    found = published.json("workflow", "list", "--tag", "eu", "--tag", "late")[1]["instances"]
    assert [(each["id"], each["tags"]) for each in found] == [(ids[0], ["eu", "late"])]
    assert "eu late" in published.run("workflow", "list")[1]
    assert published.json("workflow", "pause", "--tag", "eu")[1]["done"] == 2
    assert Instance.objects.get(pk=ids[2]).state == "running"


def test_tags_are_added_and_removed(published: Shell) -> None:  # noqa: F811
    key = published.json(*START)[1]["id"]

    assert published.json("workflow", "tag", key, "add", "late", "eu") == (0, {"id": key, "tags": ["late", "eu"]})
    assert published.run("workflow", "tag", key, "remove", "late")[1] == f"{key} has eu\n"
    assert published.run("workflow", "tag", key, "remove", "late")[0] == 1
    assert "nothing changes (STATE_FORBIDS)" in published.errors
    assert published.run("workflow", "tag", key, "add", "two words")[0] == 1
    assert "tags[0]: is no tag" in published.errors


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--at", "tomorrow"), "at: `tomorrow` is no time such as"),
        (("--at", "2027-01-01T00:00"), "`at` has no time zone"),
        (("--at", "2025-01-01T00:00Z"), "is not in the future"),
        (("--in", "soon"), "in: `soon` is not a duration"),
        (("--id", "7"), "id: `7` is no UUID"),
        (("--tag", "a b"), "tags[0]: is no tag"),
        (("--retry", "hello=often"), "overrides.steps.hello.max_attempts: must be a number of attempts"),
        (("--step-timeout", "helo=1s"), "overrides.steps.helo: there is no step 'helo'"),
        (("--priority", "urgent"), "overrides.priority: must be one of"),
    ],
)
def test_what_cannot_be_is_refused_with_place_and_reason(
    published: Shell,  # noqa: F811
    options: tuple[str, ...],
    place: str,
) -> None:
    assert published.run(*START, *options)[0] == 1
    assert place in published.errors

    assert published.json(*START, *options)[0] == 1
    assert '"status": "REJECTED"' in published.errors
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--step-timeout", "hello"), "--step-timeout takes STEP=VALUE"),
        (("--retry", "hello=1", "--retry", "hello=2"), "--retry names hello twice"),
        (("--timeout", "2h"), "is --instance-timeout"),
    ],
)
def test_wrong_usage_says_what_is_right(published: Shell, options: tuple[str, ...], reason: str) -> None:  # noqa: F811
    with pytest.raises(CommandError, match=reason):
        call_command(*START, *options)
