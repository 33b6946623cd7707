"""State machines: every fault with its place and the reason."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.strategies.whole_language import MACHINE
from workflows_app.engine import definition
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.engine.verifier import ActivityInfo, verify

PAY = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
ACTIVITIES = {
    "bank.pay": ActivityInfo("bank.pay", "1.0.0", PAY),
    "core.echo": ActivityInfo("core.echo", "1.0.0", None),
}
SOUND = {
    "workflow": "a",
    "version": "1.0.0",
    "kind": "state_machine",
    "variables": {"n": 0},
    "initial": "open",
    "states": {"open": {}, "paid": {"timeout": "1h", "on_timeout": "over"}, "over": {"terminal": True}},
    "transitions": [
        {"from": "open", "to": "paid", "event": "pay", "do": [{"activity": "core.echo", "result": "n"}]},
        {"from": ["open", "paid"], "to": "over", "event": "end", "when": "vars.n > 0 && state == 'open'"},
    ],
}


def check(**changed: Any) -> list[tuple[str, str, str, str]]:
    """Verify a sound machine with changes: ``states__paid={…}`` replaces that entry, ``add`` adds transitions."""
    document = deepcopy(SOUND)
    document["transitions"] += changed.pop("add", [])
    for key, value in changed.items():
        *around, last = key.split("__")
        place: Any = document
        for part in around:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    found = verify(definition.parse(document), activities=ACTIVITIES)
    return [(each.code, each.path, each.message, each.severity) for each in found]


def action(**keys: Any) -> dict[str, Any]:
    return {"activity": "core.echo", **keys}


def test_a_sound_machine_has_no_problems():
    assert check() == []


FAULTS = {
    "an initial state that is none": ({"initial": "opne"}, "UNKNOWN_STATE", "initial", "did you mean `open`"),
    "a source that is none": (
        {"transitions__1__from": ["open", "x"]},
        "UNKNOWN_STATE",
        "transitions[1].from[1]",
        "no state `x`",
    ),
    "a single source that is none": ({"transitions__0__from": "x"}, "UNKNOWN_STATE", "transitions[0].from", "`x`"),
    "a target that is none": ({"transitions__0__to": "x"}, "UNKNOWN_STATE", "transitions[0].to", "no state `x`"),
    "a time-out to nowhere": (
        {"states__paid": {"timeout": "1h", "on_timeout": "x"}},
        "UNKNOWN_STATE",
        "states.paid.on_timeout",
        "no state `x`",
    ),
    "an end that something leads out of": (
        {"add": [{"from": "over", "to": "open", "event": "again"}]},
        "TERMINAL_STATE",
        "transitions[2].from",
        "nothing leads out",
    ),
    "an end with a time-out": (
        {"states__over": {"terminal": True, "timeout": "1h", "on_timeout": "open"}},
        "TERMINAL_STATE",
        "states.over.timeout",
        "nothing leads out",
    ),
    "a beginning that is the end": ({"initial": "over"}, "TERMINAL_STATE", "initial", "end at once"),
    "a transition that is never taken": (
        {"add": [{"from": "open", "to": "over", "event": "pay"}]},
        "AMBIGUOUS_TRANSITION",
        "transitions[2]",
        "transitions[0] takes `pay`",
    ),
    "steps in an expression": (
        {"transitions__1__when": "steps.echo.output == 1"},
        "UNKNOWN_NAME",
        "transitions[1].when",
        "no step can be read",
    ),
    "an unknown variable": (
        {"transitions__1__set": {"n": "${ vars.m }"}},
        "UNKNOWN_VARIABLE",
        "transitions[1].set.n",
        "`m`",
    ),
    "an expression that is none": (
        {"transitions__0__do": [action(**{"with": {"a": ["${ 1 + }"]}})]},
        "EXPRESSION_ERROR",
        "transitions[0].do[0].with.a[0]",
        "",
    ),
    "the output of an action outside its undo": (
        {"transitions__0__then": [action(**{"with": {"a": "${ output }"}})]},
        "UNKNOWN_NAME",
        "transitions[0].then[0].with.a",
        "in compensate only",
    ),
    "an event in the document's output": (
        {"output": "${ event.data }"},
        "UNKNOWN_NAME",
        "output",
        "receive.where only",
    ),
    "a condition of a retry": (
        {"transitions__0__do": [action(retry={"when": "errors.code == 'X'"})]},
        "UNKNOWN_NAME",
        "transitions[0].do[0].retry.when",
        "`errors`",
    ),
    "an unknown activity": (
        {"transitions__0__do": [{"activity": "core.eho"}]},
        "UNKNOWN_TASK_TYPE",
        "transitions[0].do[0].activity",
        "did you mean `core.echo`",
    ),
    "a parameter that is missing": (
        {"transitions__0__then": [{"activity": "bank.pay"}]},
        "MISSING_REQUIRED_INPUT",
        "transitions[0].then[0].with.amount",
        "is missing",
    ),
    "a parameter of an undo": (
        {"transitions__0__do": [action(compensate={"activity": "bank.pay", "with": {"amount": "x"}})]},
        "INVALID_PARAMETER",
        "transitions[0].do[0].compensate.with.amount",
        "",
    ),
}


@pytest.mark.parametrize(("changed", "code", "path", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_place(changed, code, path, words):
    found = [each for each in check(**changed) if each[3] == "error"]

    assert [(each[0], each[1]) for each in found] == [(code, path)]
    assert words in found[0][2]


WARNINGS = {
    "a state that nothing leads to": (
        {"states__lost": {"timeout": "1h", "on_timeout": "over"}},
        "UNREACHABLE",
        "states.lost",
    ),
    "a state without a way out": (
        {"states__stuck": {}, "add": [{"from": "open", "to": "stuck", "event": "x"}]},
        "DEAD_END",
        "states.stuck",
    ),
    "an undo of nothing": ({"transitions__1__compensate": True}, "NOTHING_TO_UNDO", "transitions[1].compensate"),
    "a variable that is not declared": (
        {"transitions__1__set": {"m": 1}},
        "UNDECLARED_VARIABLE",
        "transitions[1].set.m",
    ),
    "a result that is not declared": (
        {"transitions__0__do": [action(result="m")]},
        "UNDECLARED_VARIABLE",
        "transitions[0].do[0].result",
    ),
}


@pytest.mark.parametrize(("changed", "code", "path"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_strange_but_runs_is_a_warning(changed, code, path):
    assert [(each[0], each[1], each[3]) for each in check(**changed)] == [(code, path, "warning")]


def test_several_transitions_of_an_event_need_conditions_but_for_the_last():
    first = {"from": "paid", "to": "open", "event": "sized", "when": "event.data > 1"}
    last = {"from": "paid", "to": "over", "event": "sized"}

    assert check(add=[first, last]) == []
    assert [each[0] for each in check(add=[last, first])] == ["AMBIGUOUS_TRANSITION"]


def test_every_key_of_the_language_arrives_in_the_model_and_back():
    parsed = definition.parse(MACHINE)

    assert [each.id for each in parsed.machine.transitions] == ["go", "end", "x"]
    assert parsed.machine.transitions[0].before[0].result == "check"
    assert parsed.machine.states["pending"].timeout == 7200
    assert definition.parse(definition.dump(parsed)) == parsed


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"steps": []}, "steps"),
        ({"states": {}}, "states"),
        ({"transitions": []}, "transitions"),
        ({"states": {"created": {"timeout": "2h"}}}, "states.created"),
        ({"transitions": [{"from": "created", "to": "done"}]}, "transitions[0]"),
        ({"transitions": [{"from": [], "to": "done", "event": "x"}]}, "transitions[0].from"),
    ],
)
def test_a_document_of_the_wrong_shape_is_refused_at_its_place(changed, path):
    with pytest.raises(DefinitionInvalid) as refused:
        definition.parse({**MACHINE, **changed})

    assert all(each.path.startswith(path) for each in refused.value.problems)
