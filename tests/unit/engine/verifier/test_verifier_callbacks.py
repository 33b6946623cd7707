"""Addresses of callbacks are handed out by a step that can still be answered, and by some step at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.engine.verifier.test_verifier_rules import ACTIVITIES
from workflows_app.engine import definition
from workflows_app.engine.verifier import verify

WAIT: dict[str, Any] = {"id": "answer", "receive": {"callback": True}}


def ask(value: Any = "${ callback('answer') }", **keys: Any) -> dict[str, Any]:
    return {"id": "ask", "activity": "core.echo", "with": {"value": value}, **keys}


def check(*steps: dict[str, Any], configured: bool = True, known: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    document = {"workflow": "a", "version": "1.0.0", "steps": list(steps)}
    found = verify(
        definition.parse(document), activities=ACTIVITIES, has_callbacks=configured, known_secrets=lambda: known
    )
    return [(problem.code, problem.path) for problem in found]


@pytest.mark.parametrize(
    "steps",
    [
        [ask(), WAIT],
        [ask("Answer at ${ callback('answer') }?kind=1, please"), WAIT],
        [ask({"deep": ["${ callback('answer') }"]}), {"id": "x", "activity": "core.echo", "with": {"value": 1}}, WAIT],
        [{**ask(), "needs": []}, {**WAIT, "needs": []}],
        [{"id": "each", "foreach": {"items": [1], "steps": [ask(), WAIT]}}],
        [ask(1, on_error={"fallback": {"activity": "core.echo", "with": {"value": "${ callback('answer') }"}}}), WAIT],
    ],
)
def test_an_address_that_is_handed_out_in_time_is_sound(steps: list[dict[str, Any]]) -> None:
    assert check(*steps) == []


@pytest.mark.parametrize(
    ("steps", "code", "path"),
    [
        ([ask("${ callback('anser') }"), WAIT], "UNKNOWN_CALLBACK", "steps[0].with.value"),
        ([ask("${ callback('ask') }"), WAIT], "UNKNOWN_CALLBACK", "steps[0].with.value"),
        ([WAIT, ask()], "UNKNOWN_CALLBACK", "steps[1].with.value"),
        (
            [ask(), {"id": "each", "foreach": {"items": [1], "steps": [WAIT]}}],
            "UNKNOWN_CALLBACK",
            "steps[0].with.value",
        ),
        (
            [{"id": "each", "foreach": {"items": [1], "steps": [ask()]}}, WAIT],
            "UNKNOWN_CALLBACK",
            "steps[0].foreach.steps[0].with.value",
        ),
        ([ask(), WAIT, {"id": "s", "set": {"v": "${ callback('answer') }"}}], "CALLBACK_PLACE", "steps[2].set.v"),
        ([ask(when="callback('answer') == ''"), WAIT], "EXPRESSION_ERROR", "steps[0].when"),
        (
            [ask(compensate={"activity": "core.echo", "with": {"value": "${ callback('answer') }"}}), WAIT],
            "CALLBACK_PLACE",
            "steps[0].compensate.with.value",
        ),
        ([ask(cache={"ttl": "1h"}), WAIT], "CALLBACK_CACHED", "steps[0].with.value"),
        ([ask("${ callback('answer') + '/x' }"), WAIT], "EXPRESSION_ERROR", "steps[0].with.value"),
        ([ask("${ callback('answer').x }"), WAIT], "EXPRESSION_ERROR", "steps[0].with.value"),
        ([ask("${ callback(input.x) }"), WAIT], "EXPRESSION_ERROR", "steps[0].with.value"),
        ([ask("${ callback }"), WAIT], "UNKNOWN_NAME", "steps[0].with.value"),
    ],
)
def test_an_address_that_nobody_could_answer_in_time_is_refused(
    steps: list[dict[str, Any]], code: str, path: str
) -> None:
    assert (code, path) in check(*steps)


def test_what_may_be_mended_later_is_a_warning() -> None:
    unsigned = {"id": "answer", "receive": {"callback": {"secret": "bank"}}}

    assert check(WAIT) == [("CALLBACK_UNUSED", "steps[0].receive.callback")]
    assert check(ask(), WAIT, configured=False) == [("CALLBACKS_NOT_CONFIGURED", "steps[0].with.value")]
    assert check(ask(), unsigned) == [("UNKNOWN_SECRET", "steps[1].receive.callback.secret")]
    assert check(ask(), unsigned, known=("bank",)) == []
