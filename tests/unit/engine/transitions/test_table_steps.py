"""``decide`` in the engine: what it lacks it names, what it did its event says, and replay never asks a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.tables import TABLES
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine import decision_tables
from workflows_app.engine.definition import Definition, parse
from workflows_app.engine.definition.model import DecideBody
from workflows_app.engine.events import EventType
from workflows_app.engine.graph import Graph
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import Slice, SliceMiss, Start, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def asking(**asked: Any) -> Definition:
    return parse({"workflow": "w", "version": "1.0.0", "steps": [{"id": "rule", "decide": asked}]})


def started(definition: Definition, **known: Any) -> Any:
    blank = InstanceSnapshot(id="i", workflow="w", version="1.0.0", input={})
    slice_ = Slice(graph=Graph(definition), instance=blank, whole=True, complete=True, **known)
    return decide(slice_, Start(input={}, correlation_id="c", actor="ada"), now=NOW)


@pytest.mark.parametrize("version", [None, "1.0.0"])
def test_a_decision_without_the_table_asks_for_it_by_name_and_version(version: str | None) -> None:
    pinned = {} if version is None else {"version": version}

    with pytest.raises(SliceMiss) as miss:
        started(asking(table="sizes", input={"n": 1}, **pinned))

    assert miss.value.table == ("sizes", version)
    assert not miss.value.paths


def test_the_event_says_which_version_decided_and_which_rules_hit() -> None:
    after = started(asking(table="tags", input={"n": 2}), tables=TABLES)

    (completed,) = [event for event in after.events if event.type is EventType.STEP_COMPLETED]
    assert completed.data == {
        "output": [{"tag": "positive"}, {"tag": ["more", 2]}],
        "table": "tags",
        "version": "1.0.0",
        "rules": ["1", "2"],
    }


@pytest.mark.parametrize(
    ("asked", "code", "details"),
    [
        ({"table": "gone"}, "TABLE_NOT_FOUND", {"table": "gone", "version": None}),
        ({"table": "sizes"}, "TABLE_INPUT_INVALID", {"table": "sizes", "version": "2.0.0", "input": "n"}),
        ({"table": "sizes", "input": "${ [1] }"}, "TABLE_INPUT_INVALID", {"table": "sizes", "version": "2.0.0"}),
        (
            {"table": "strict", "input": {"n": 2}},
            "NO_RULE_MATCHED",
            {"table": "strict", "version": "1.0.0", "rules": []},
        ),
        (
            {"table": "strict", "input": {"n": 1}},
            "SEVERAL_RULES_MATCHED",
            {"table": "strict", "version": "1.0.0", "rules": ["1", "2"]},
        ),
    ],
    ids=["no such table", "no input", "no mapping", "no rule", "two rules"],
)
def test_what_a_table_cannot_answer_fails_the_step_and_says_which_table(
    asked: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    after = started(asking(**asked), tables={**TABLES, ("gone", None): None}).after

    error = after.step("rule").error
    assert (after.step("rule").state, error["code"], error["details"]) == (StepState.FAILED, code, details)


def test_outputs_beyond_the_limit_of_a_value_are_refused() -> None:
    after = started(asking(table="tags", input={"n": 2}), tables=TABLES, limit_bytes=20).after

    assert after.step("rule").error["code"] == "TOO_LARGE"
    assert after.step("rule").error["details"]["table"] == "tags"


def test_an_output_is_what_the_database_will_give_back() -> None:
    after = started(asking(table="sizes", input={"n": 1}), tables=TABLES).after

    assert repr(after.step("rule").output) == "{'fee': 10000000000000000, 'size': 'any'}"


@settings(max_examples=150)
@given(definition=definitions(activities=("core.echo",), max_steps=8), seed=st.integers(0, 2**32 - 1))
def test_every_decision_can_be_made_again_from_its_event_and_replay_makes_none(
    definition: Definition, seed: int
) -> None:
    simulator = Simulator(definition, seed, trouble=0.1)
    simulator.run()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decision_tables, "decide", None)
        replayed = replay(simulator.graph, simulator.state.instance, simulator.events)
    assert differences(replayed, simulator.state) == []
    for event in simulator.events:
        body = simulator.graph[event.step].step.body if event.step else None
        if isinstance(body, DecideBody) and event.type is EventType.STEP_COMPLETED and "error" not in event.data:
            assert event.data["table"] == body.table
            assert TABLES[body.table, body.version] is TABLES[body.table, event.data["version"]]
            assert len(event.data["rules"]) >= 1 or event.data["output"] == []
