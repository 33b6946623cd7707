"""One failed call is made again by its id: by what its step can still do, or not at all, with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.models import AuditEntry, Instance, Step
from workflows_app.services import instances

CHARGES = "/accounts/7/charges"
SLOWLY = "retry: {max_attempts: 2, initial_interval: 60s, max_interval: 60s, jitter: 0}"


@pytest.fixture
def last(shell: Shell) -> Callable[..., dict[str, Any]]:  # noqa: F811
    """The last call of the bank, as the command lists it."""

    def find(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = shell.json("service", "calls", "bank", *arguments)[1]["calls"][0]
        return found

    return find


@pytest.fixture
def refused(shell: Shell) -> Callable[[Any], str]:  # noqa: F811
    """Why a call is not made again."""

    def ask(call: Any) -> str:
        assert shell.run("service", "retry", str(call), "--format", "json")[0] == 1
        error: dict[str, str] = json.loads(shell.errors)["error"]
        return f"{error['code']}: {error['message']}"

    return ask


def test_a_call_of_a_failed_instance_is_made_again_under_its_key(
    shell: Shell,  # noqa: F811
    driver: Driver,
    bank: Site,
    last: Callable[..., dict[str, Any]],
) -> None:
    bank.answers(CHARGES, 503)
    failed = called(driver)
    call = last("--failed")
    bank.answers(CHARGES, 201)

    code, answer = shell.json("service", "retry", str(call["id"]), "--reason", "they are back")

    assert (code, answer) == (0, {"call": call["id"], "instance": failed["id"], "step": "pay", "way": "retried"})
    ended = driver.run(Instance.objects.get(pk=failed["id"]))
    assert (ended["state"], len(ended["attempts"])) == ("completed", 2)
    assert len({seen.headers["idempotency-key"] for seen in bank.seen}) == 1
    assert AuditEntry.objects.get(action="instance.retried").data == {"reason": "they are back"}


def test_a_call_whose_step_waits_for_its_next_attempt_is_made_now(
    shell: Shell,  # noqa: F811
    driver: Driver,
    bank: Site,
    last: Callable[..., dict[str, Any]],
) -> None:
    bank.answers(CHARGES, 503)
    waiting = called(driver, calling(more=SLOWLY))
    bank.answers(CHARGES, 201)
    now = driver.now

    answer = shell.json("service", "retry", str(last()["id"]))[1]
    ended = driver.run(Instance.objects.get(pk=waiting["id"]))

    assert (answer["way"], ended["state"], driver.now) == ("now", "completed", now)


def test_what_no_step_can_make_again_is_refused_with_the_reason(
    driver: Driver, bank: Site, last: Callable[..., dict[str, Any]], refused: Callable[[Any], str]
) -> None:
    bank.answers(CHARGES, 201)
    called(driver)
    assert "was answered as it should" in refused(last()["id"])

    bank.answers(CHARGES, 404)  # which opens no breaker
    waiting = called(driver, calling(more=SLOWLY))
    first = last()["id"]
    driver.run(Instance.objects.get(pk=waiting["id"]))
    assert "attempt 2 of pay came after it" in refused(first)

    called(driver, calling(more="on_error: continue"))
    assert "pay is failed and the instance completed" in refused(last()["id"])

    cancelled = called(driver, calling(more=SLOWLY))
    instances.cancel(instance_id=cancelled["id"], actor="ada")
    assert "pay is cancelled and the instance cancelled" in refused(last()["id"])

    assert refused(10**9).startswith("CALL_NOT_FOUND")


@pytest.fixture
def operator(db: None) -> Client:
    """The browser of somebody who may look at instances and operate them."""
    user = User.objects.create_user("olga", password="x")
    user.user_permissions.add(*Permission.objects.filter(codename__in=("view_instance", "change_instance")))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_page_of_its_instance_makes_a_call_again(driver: Driver, bank: Site, operator: Client) -> None:
    bank.answers(CHARGES, 503)
    failed = called(driver)
    act = f"/instances/{failed['id']}/acts/call-again/"
    bank.answers(CHARGES, 201)

    offered = operator.get(f"/instances/{failed['id']}/").content.decode()
    asked = operator.get(act, {"step": "pay"}).content.decode()
    done = operator.post(act, {"step": "pay", "reason": "they are back"})

    assert f'href="{act}?step=pay"' in offered
    assert "calls its service again, under the same idempotency key" in asked
    assert done.status_code == 302
    assert driver.run(Instance.objects.get(pk=failed["id"]))["state"] == "completed"
    assert act not in operator.get(f"/instances/{failed['id']}/").content.decode()
    again = operator.post(act, {"step": "pay"})
    assert (again.status_code, "answered as it should" in again.content.decode()) == (409, True)


def test_a_step_that_has_called_nothing_calls_nothing_again(driver: Driver, bank: Site, operator: Client) -> None:
    found = driver.start("{workflow: w, version: 1.0.0, steps: [{id: a, activity: core.echo}]}")

    assert operator.post(f"/instances/{found.pk}/acts/call-again/", {"step": "a"}).status_code == 404


def test_a_call_that_is_under_way_is_left_alone(
    driver: Driver, bank: Site, last: Callable[..., dict[str, Any]], refused: Callable[[Any], str]
) -> None:
    bank.answers(CHARGES, 503)
    called(driver)
    call = last()
    Step.objects.filter(path="pay").update(state="running", attempt=1)

    assert "is still running" in refused(call["id"])
    Step.objects.filter(path="pay").update(state="failed", attempt=None)


def test_a_call_of_an_undo_that_failed_is_made_again_by_the_undo(
    shell: Shell,  # noqa: F811
    driver: Driver,
    bank: Site,
    last: Callable[..., dict[str, Any]],
) -> None:
    bank.answers(CHARGES, 503)
    undo = calling().partition("with: ")[2].strip()
    document = f"""
workflow: undone
version: 1.0.0
steps:
  - {{id: a, activity: core.echo, compensate: {{activity: service.call, with: {undo}}}}}
  - {{id: b, fail: {{code: B}}}}
"""
    instance = driver.start(document)
    assert driver.run(instance)["state"] == "compensation_failed"
    bank.answers(CHARGES, 201)

    answer = shell.json("service", "retry", str(last()["id"]), "--reason", "they are back")[1]

    assert answer["way"] == "undo"
    assert driver.run(instance)["state"] == "compensated"


def test_calls_are_listed_by_service_and_by_instance(
    shell: Shell,  # noqa: F811
    driver: Driver,
    bank: Site,
) -> None:
    bank.answers(CHARGES, 503)
    bank.answers("/accounts/7", 200)
    failed = called(driver)
    asked = called(driver, calling("balance"))

    def listed(*arguments: str) -> list[tuple[str, str]]:
        calls = shell.json("service", "calls", *arguments)[1]["calls"]
        return [(call["operation"], call["instance"]) for call in calls]

    both = [("balance", asked["id"]), ("charge", failed["id"])]
    assert listed("bank") == both
    assert listed("bank", "--failed") == both[1:]
    assert listed("bank", "--operation", "balance") == both[:1]
    assert listed("bank", "--limit", "1") == both[:1]
    assert listed("--instance", failed["id"]) == both[1:]
    assert listed("bank", "--instance", asked["id"], "--failed") == []
    assert "charge" in shell.run("service", "calls", "bank")[1]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "name a service"),
        (("bank", "--limit", "0"), "1 to 1000"),
        (("bank", "--instance", "x"), "invalid UUID"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(bank: Site, arguments: tuple[str, ...], word: str) -> None:
    with pytest.raises(CommandError, match=word):
        call_command("service", "calls", *arguments)


def test_an_unknown_service_is_said_to_be_unknown(shell: Shell, bank: Site) -> None:  # noqa: F811
    assert shell.run("service", "calls", "gone")[0] == 1
    assert "SERVICE_NOT_FOUND" in shell.errors
