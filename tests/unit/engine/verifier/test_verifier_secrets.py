"""Secrets: named ones that nobody set are a warning, and an undo repeats a secret whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine import definition
from workflows_app.engine.verifier import ActivityInfo, verify

GET = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "headers": {"type": "object"}, "retries": {"type": "integer"}},
    "required": ["url"],
    "additionalProperties": False,
}
ACTIVITIES = {"http.get": ActivityInfo("http.get", "1.0.0", GET), "core.echo": ActivityInfo("core.echo", "1.0.0", None)}


def check(step: dict[str, Any], known: frozenset[str] | None = frozenset({"api"})) -> list[tuple[str, str, str]]:
    document = {"workflow": "a", "version": "1.0.0", "steps": [{"id": "x", **step}]}
    found = verify(
        definition.parse(document), activities=ACTIVITIES, known_secrets=None if known is None else lambda: known
    )
    return [(problem.code, problem.severity, problem.path) for problem in found]


def echo(**parameters: Any) -> dict[str, Any]:
    return {"activity": "core.echo", "with": parameters}


def undone(with_: dict[str, Any], undo: dict[str, Any]) -> dict[str, Any]:
    return {**echo(**with_), "compensate": echo(**undo)}


@pytest.mark.parametrize(
    "step",
    [
        echo(key="${ secret('api') }"),
        echo(headers={"Authorization": "Bearer ${ secret('api') }"}, list=["${ secret('api').field }"]),
        {**echo(), "compensate": echo(key="${ secret('api') }")},
        {**echo(), "on_error": {"fallback": echo(key="a ${ secret('api') } b ${ input.x }")}},
        {"activity": "http.get", "with": {"url": "${ secret('api') }", "headers": {"A": "${ secret('api') }"}}},
    ],
)
def test_a_secret_may_stand_in_the_parameters_of_a_step_its_fallback_and_its_undo(step):
    assert check(step) == []


def test_a_secret_that_nobody_set_is_a_warning_at_its_place():
    found = check(echo(headers={"A": "Bearer ${ secret('apy') }"}))

    assert found == [("UNKNOWN_SECRET", "warning", "steps[0].with.headers.A")]
    assert check(echo(key="${ secret('apy') }"), known=None) == []


def test_a_machines_actions_are_looked_at_too():
    document = {
        "workflow": "m",
        "version": "1.0.0",
        "kind": "state_machine",
        "initial": "new",
        "states": {"new": {}, "done": {"terminal": True}},
        "transitions": [{"from": "new", "to": "done", "event": "go", "do": [echo(key="${ secret('other') }")]}],
    }

    found = verify(definition.parse(document), activities=ACTIVITIES, known_secrets=lambda: {"api"})

    assert [(problem.code, problem.path) for problem in found] == [
        ("UNKNOWN_SECRET", "transitions[0].do[0].with.key"),
    ]


@pytest.mark.parametrize("undo", ["${ with }", "${ with.headers }", "${ with.headers.auth }", "${ with.plain + 1 }"])
def test_an_undo_may_repeat_what_holds_a_secret_whole(undo):
    with_ = {"headers": {"auth": "Bearer ${ secret('api') }"}, "plain": 1}

    assert check(undone(with_, {"again": undo})) == []


@pytest.mark.parametrize(
    "undo",
    [
        "Bearer ${ with.headers.auth }",
        "${ with.headers.auth + 'x' }",
        "${ with.headers.auth.field }",
        "${ size(with.headers) }",
        "${ with[input.name] }",
    ],
)
def test_an_undo_that_takes_a_secret_apart_is_refused(undo):
    with_ = {"headers": {"auth": "${ secret('api') }"}}

    assert check(undone(with_, {"again": [undo]})) == [
        ("SECRET_IN_PARTS", "error", "steps[0].compensate.with.again[0]")
    ]


@pytest.mark.parametrize("condition", ["with.headers.auth == 'x'", "${ has(with.headers) }"])
def test_a_condition_of_an_undo_cannot_read_a_secret(condition):
    step = undone({"headers": {"auth": "${ secret('api') }"}, "amount": 1}, {})

    refused = check({**step, "compensate": {**step["compensate"], "when": condition}})
    allowed = check({**step, "compensate": {**step["compensate"], "when": "with.amount > 0"}})

    assert refused == [("SECRET_IN_PARTS", "error", "steps[0].compensate.when")]
    assert allowed == []
