"""Random state machines: a few states, transitions with actions, conditions, time-outs and undo."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows_app.engine.definition import Definition, parse

STATES = ("a", "b", "c", "d", "over")
EVENTS = ("go", "back", "pay", "stop")
CONDITIONS = ("vars.n < 3", "event.data > 4", "state == 'a'", "vars.n / 0 == 1", "has(vars.got)", "true")


@st.composite
def actions(draw: st.DrawFn) -> dict[str, Any]:
    action: dict[str, Any] = {
        "activity": draw(st.sampled_from(["core.echo", "core.echo", "core.fail"])),
        "with": draw(st.sampled_from([{}, {"n": "${ vars.n }", "of": "${ event.type }"}, {"x": "${ 1 / vars.n }"}])),
    }
    if draw(st.booleans()):
        action["result"] = draw(st.sampled_from(["got", "n"]))
    if draw(st.booleans()):
        action["compensate"] = {"activity": "core.echo", "with": {"was": "${ output }", "in": "${ state }"}}
        if draw(st.integers(0, 2)) == 0:
            conditions = ("state == 'a'", "vars.n < 3", "1 > 2", "output == null", "vars.n / 0 == 1")
            action["compensate"]["when"] = draw(st.sampled_from(conditions))
    if draw(st.booleans()):
        action["retry"] = {"max_attempts": draw(st.integers(1, 3)), "initial_interval": "1s"}
    return action


@st.composite
def transitions(draw: st.DrawFn) -> dict[str, Any]:
    sources = draw(st.lists(st.sampled_from(STATES[:-1]), min_size=1, max_size=3, unique=True))
    found: dict[str, Any] = {
        "from": sources if len(sources) > 1 else sources[0],
        "to": draw(st.sampled_from(STATES)),
        "event": draw(st.sampled_from(EVENTS)),
    }
    if draw(st.integers(0, 3)) == 0:
        found["when"] = draw(st.sampled_from(CONDITIONS))
    for key in ("do", "then"):
        if listed := draw(st.lists(actions(), max_size=2)):
            found[key] = listed
    if draw(st.booleans()):
        found["set"] = draw(st.sampled_from([{"n": "${ vars.n + 1 }"}, {"n": 0}, {"seen": "${ event.at }"}]))
    if draw(st.integers(0, 2)) == 0:
        found["compensate"] = True
    return found


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document of a state machine; it may have states that nothing leads to."""
    states: dict[str, Any] = {}
    for name in STATES[:-1]:
        states[name] = {}
        if draw(st.integers(0, 2)) == 0:
            states[name] = {"timeout": "1h", "on_timeout": draw(st.sampled_from(STATES))}
    states["over"] = {"terminal": True}
    document: dict[str, Any] = {
        "workflow": "machine",
        "version": "1.0.0",
        "kind": "state_machine",
        "variables": {"n": 0},
        "initial": "a",
        "states": states,
        "transitions": draw(st.lists(transitions(), min_size=1, max_size=8)),
    }
    if draw(st.integers(0, 3)) == 0:
        document["timeout"] = "5h"
    if draw(st.booleans()):
        document["output"] = draw(st.sampled_from(["${ vars.n }", {"in": "${ state }"}, "${ vars.missing }"]))
    return document


def machines() -> st.SearchStrategy[Definition]:
    return documents().map(parse)
