"""``workflow signal``, and what ``start``, ``show``, ``plan`` and ``export`` say of a state machine."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from tests.integration.driver import Driver
from tests.integration.engine.order_machine import ORDER, send
from workflows_app.models import Instance


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = 0
    try:
        call_command("workflow", *arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code, out, err = run(capsys, *arguments, "--format", "json")
    return code, json.loads(out or err)


@pytest.fixture
def order(driver: Driver) -> Instance:
    return driver.start(ORDER)


def test_an_event_is_sent_by_hand(driver: Driver, order: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    code, sent = answer(capsys, "signal", str(order.pk), "checked", "--data", '{"order": "o1"}')

    assert (code, sent["machine_state"], sent["transition"]) == (0, "created", "checked[0]")
    driver.drain()
    _, shown = answer(capsys, "show", str(order.pk))
    assert shown["machine"] == {
        "state": "pending",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-01T02:00:00Z",
        "sequence": shown["machine"]["sequence"],
        "transition": None,
        "waiting": [],
        "events": [
            {"event": "pay", "to": "paid", "when": "event.data > 0"},
            {"event": "cancel", "to": "cancelled", "when": None},
        ],
    }
    assert shown["steps"] == {"checked[0].echo": "completed"}


def test_people_read_where_the_machine_is_and_what_is_possible(
    order: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said, _ = run(capsys, "signal", str(order.pk), "checked", "--data", '{"order": "o1"}')
    _, queued, _ = run(capsys, "signal", str(order.pk), "pay", "--data", "5")
    _, shown, _ = run(capsys, "show", str(order.pk))

    assert "checked is accepted; checked[0] is under way in created" in said
    assert "pay is accepted; it waits for its turn, 1 wait in all" in queued
    assert "in created since 2026-01-01T00:00:00Z; version" in shown
    assert "under way: checked[0]" in shown
    assert "waiting for their turn: pay" in shown
    assert "possible: checked -> pending" in shown


def test_an_expected_version_that_has_passed_is_a_conflict(order: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Instance.objects.get(pk=order.pk).sequence
    send(order, "checked", {"order": "o1"})
    actual = Instance.objects.get(pk=order.pk).sequence

    code, refused = answer(capsys, "signal", str(order.pk), "cancel", "--expect", str(seen))

    assert (code, refused["error"]["code"]) == (1, "CONCURRENCY_CONFLICT")
    assert refused["error"]["details"] == {"expected": seen, "actual": actual}
    assert answer(capsys, "signal", str(order.pk), "cancel", "--expect", str(actual))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ship"], "INVALID_TRANSITION"),
        (["checked", "--data", "{"], "NOT_JSON"),
        (["checked", "--data", '"\\u0000"'], "NOT_JSON"),
        (["x\x1b[2J"], "INPUT_INVALID"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(
    order: Instance, capsys: pytest.CaptureFixture[str], arguments: list[str], code: str
) -> None:
    before = Instance.objects.get(pk=order.pk).sequence

    exit_code, refused = answer(capsys, "signal", str(order.pk), *arguments)

    assert (exit_code, refused["error"]["code"]) == (1, code)
    assert Instance.objects.get(pk=order.pk).sequence == before


def test_an_instance_that_is_none_is_not_found(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("nobody", "00000000-0000-0000-0000-000000000000"):
        assert answer(capsys, "signal", key, "go")[1]["error"]["code"] == "INSTANCE_NOT_FOUND"


def test_the_plan_has_a_canvas_for_every_event_that_leads_to_work(
    driver: Driver, order: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    _, plan = answer(capsys, "plan", "order")

    begins = [each["begins"] for each in plan["canvases"]]
    assert begins == [
        "when `checked` comes in `created`",
        "when `pay` comes in `pending`, `unpaid`, if event.data > 0",
        "after `pay[0].echo`",
    ]


def test_what_is_exported_may_be_published_again(order: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = run(capsys, "export", "order")

    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", stdin)
        code, published = answer(capsys, "publish", "-")

    assert (code, published) == (0, {"workflow": "order", "version": "1.0.0"})


def test_the_page_of_the_definition_is_written(order: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = run(capsys, "document", "order")

    assert "stateDiagram-v2" in text
    assert "Its result becomes the variable check." in text
