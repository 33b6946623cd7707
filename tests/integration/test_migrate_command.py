"""``manage.py workflow migrate``: one instance or many to another version, and what a preview says of them."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, shell  # noqa: F401 - fixtures
from workflows_app.models import Event, Instance

pytestmark = pytest.mark.django_db

ORDER = """
workflow: order
version: 1.0.0
steps:
  - {id: stock, activity: core.echo, compensate: {activity: core.echo}}
  - {id: pay, activity: core.echo}
  - {id: ship, activity: core.echo}
"""
CHECKED = ORDER.replace("1.0.0", "2.0.0").replace("  - {id: pay", "  - {id: check, activity: core.echo}\n  - {id: pay")
RESERVED = ORDER.replace("1.0.0", "3.0.0").replace("id: stock", "id: reserve")


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def prompt(shell: Shell) -> Shell:  # noqa: F811
    for document in (CHECKED, RESERVED):
        assert shell.run("workflow", "publish", shell.file(document))[0] == 0
    return shell


def begun(driver: Driver, steps: int) -> Instance:
    """An instance that has come so far."""
    driver.advance(1)
    instance = driver.start(ORDER)
    for _ in range(steps):
        driver.work(driver.claim_next(instance.pk))
    return instance


def test_one_instance_is_previewed_and_migrated(prompt: Shell, driver: Driver) -> None:
    key = str(begun(driver, 1).pk)
    length = Event.objects.filter(instance=key).count()

    code, text = prompt.run("workflow", "migrate", key, "--to", "2.0.0", "--dry-run")

    assert (code, Event.objects.filter(instance=key).count()) == (0, length)
    assert text == f"{key} is running on 1.0.0 and can go on by 2.0.0\n  count as skipped: check\n"
    found = prompt.json("workflow", "migrate", key, "--to", "2.0.0", "--reason", "the new tariff")
    assert found == (0, {"id": key, "version": "2.0.0", "state": "running"})
    told = prompt.json("workflow", "history", key)[1]["events"][-2]
    assert (told["type"], told["data"]["reason"]) == ("instance.migrated", "the new tariff")


def test_what_cannot_go_is_told_with_every_place_and_reason(prompt: Shell, driver: Driver) -> None:
    key = str(begun(driver, 1).pk)

    code, text = prompt.run("workflow", "migrate", key, "--to", "3.0.0", "--dry-run")

    assert code == 1
    assert text.splitlines() == [
        f"{key} is running on 1.0.0 and cannot go on by 3.0.0:",
        "  stock: has run, and 3.0.0 has nothing that would undo it; map it to a step that has (UNDO_LOST)",
    ]
    assert prompt.run("workflow", "migrate", key, "--to", "3.0.0")[0] == 1
    assert "(NOT_MIGRATABLE)" in prompt.errors
    assert prompt.run("workflow", "migrate", key, "--to", "3.0.0", "--map", "stock=reserve")[0] == 0


def test_a_preview_of_all_that_run_says_how_many_can_go(prompt: Shell, driver: Driver) -> None:
    keys = [str(begun(driver, steps).pk) for steps in (0, 1, 2)]

    code, found = prompt.json("workflow", "migrate", "--workflow", "order", "--to", "3.0.0", "--dry-run")
    text = prompt.run("workflow", "migrate", "--workflow", "order", "--to", "3.0.0", "--dry-run")[1]

    assert (code, found["possible"], found["impossible"]) == (1, 0, 3)
    assert found["reasons"] == [
        {"code": "UNDO_LOST", "path": "stock", "instances": 2},
        {"code": "STEP_GONE", "path": "stock", "instances": 1},
    ]
    assert [each["id"] for each in found["results"]] == keys
    assert text.splitlines()[-1] == "0 can go, 3 cannot: 2 UNDO_LOST (stock), 1 STEP_GONE (stock)"
    mapped = prompt.run(
        "workflow", "migrate", "--workflow", "order", "--to", "3.0.0", "--dry-run", "--map", "stock=reserve"
    )
    assert mapped[1].splitlines()[-1] == "3 can go, 0 cannot"


def test_many_are_migrated_with_a_result_for_each(prompt: Shell, driver: Driver) -> None:
    keys = [str(begun(driver, 1).pk) for _ in range(2)]
    ended = begun(driver, 3)
    prompt.run("workflow", "cancel", keys[1])

    code, found = prompt.json("workflow", "migrate", "--workflow", "order", "--from", "1.0.0", "--to", "2.0.0")

    assert (code, found["done"], found["refused"]) == (1, 1, 1)
    assert {each["id"]: each.get("error", {}).get("code") for each in found["results"]} == {
        keys[0]: None,
        keys[1]: "STATE_FORBIDS",
    }
    assert Instance.objects.get(pk=ended.pk).version == "1.0.0"
    assert prompt.json("workflow", "migrate", "--workflow", "order", "--to", "2.0.0", "--where", "state=paused")[1] == {
        "to": "2.0.0",
        "done": 0,
        "refused": 0,
        "results": [],
    }


def test_a_version_that_there_is_not_is_refused_before_anything(prompt: Shell, driver: Driver) -> None:
    begun(driver, 0)

    assert prompt.run("workflow", "migrate", "--workflow", "order", "--to", "9.0.0", "--dry-run")[0] == 1
    assert "VERSION_NOT_FOUND" in prompt.errors
    assert prompt.run("workflow", "migrate", "--workflow", "nobody", "--to", "2.0.0")[0] == 1
    assert "WORKFLOW_NOT_FOUND" in prompt.errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["some-id", "--workflow", "order"],
        ["some-id", "--limit", "2"],
        ["--workflow", "order", "--where", "colour=red"],
        ["--workflow", "order", "--where", "state=asleep"],
        ["some-id", "--map", "stock"],
        ["some-id", "--map", "stock=a", "--map", "stock=b"],
    ],
)
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as wrong:
        call_command("workflow", "migrate", *arguments, "--to", "2.0.0")

    assert wrong.value.returncode == 2
