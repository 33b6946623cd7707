"""Steps that ask decision tables: what is refused before anything runs, and what only runtime can tell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strategies.tables import table_of
from workflows_app.engine import decision_tables, definition
from workflows_app.engine.decision_tables import Table
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.engine.verifier import verify

COMPUTED = decision_tables.parse(
    {
        "table": "computed",
        "version": "1.0.0",
        "inputs": [
            {"name": "land", "type": "string", "values": ["de", "fr"]},
            {"name": "total", "type": "number", "expression": "input.net"},
            {"name": "heavy", "type": "boolean", "expression": "has(input.weight) && input.weight > 10"},
        ],
        "outputs": [{"name": "o"}],
        "rules": [{"then": {"o": 1}}],
    }
)


def known(name: str, version: str | None) -> Table | None:
    return COMPUTED if name == "computed" else table_of(name, version)


def found(decide: dict[str, Any], **keys: Any) -> list[tuple[str, str]]:
    step = {"id": "rule", "decide": decide}
    inner = {"id": "each", "foreach": {"items": "[1]", "steps": [step]}}
    document = {"workflow": "w", "version": "1.0.0", "steps": [inner] if keys else [step]}
    problems = verify(definition.parse(document), activities=None, table_of=known)
    return [(problem.code, problem.path.replace("steps[0]", "s", 1)) for problem in problems]


@pytest.mark.parametrize(
    ("decide", "code", "path"),
    [
        ({"table": "gone", "input": {"n": 1}}, "UNKNOWN_TABLE", "table"),
        ({"table": "gone", "version": "1.0.0", "input": {"n": 1}}, "UNKNOWN_TABLE", "version"),
        ({"table": "sizes", "version": "1.5.0", "input": {"n": 1}}, "UNKNOWN_TABLE", "version"),
        ({"table": "sizes"}, "MISSING_REQUIRED_INPUT", "input"),
        ({"table": "sizes", "input": {"m": 1}}, "MISSING_REQUIRED_INPUT", "input"),
        ({"table": "sizes", "input": {"n": "many"}}, "TABLE_INPUT_INVALID", "input.n"),
        ({"table": "sizes", "input": {"n": "${ 'many' }"}}, "TABLE_INPUT_INVALID", "input.n"),
        ({"table": "sizes", "input": {"n": {"a": 1}}}, "TABLE_INPUT_INVALID", "input.n"),
        ({"table": "sizes", "input": [1]}, "TABLE_INPUT_INVALID", "input"),
        ({"table": "sizes", "input": "n"}, "TABLE_INPUT_INVALID", "input"),
        ({"table": "computed", "input": {"land": "it", "net": 1}}, "TABLE_INPUT_INVALID", "input.land"),
        ({"table": "computed", "input": {"land": "de"}}, "MISSING_REQUIRED_INPUT", "input"),
    ],
)
def test_what_certainly_fails_is_refused_with_its_place(decide: dict[str, Any], code: str, path: str) -> None:
    assert found(decide) == [(code, f"s.decide.{path}")]


@pytest.mark.parametrize(
    "decide",
    [
        {"table": "sizes", "input": {"n": 1, "more": "is allowed: expressions may read it"}},
        {"table": "sizes", "version": "1.0.0", "input": {"n": "${ input.n }"}},
        {"table": "sizes", "input": "${ input }"},
        {"table": "computed", "input": {"land": "fr", "net": 3}},
    ],
)
def test_what_may_work_is_left_to_runtime(decide: dict[str, Any]) -> None:
    assert found(decide) == []


def test_a_step_inside_a_block_is_looked_at_too() -> None:
    assert found({"table": "gone"}, inside=True) == [("UNKNOWN_TABLE", "s.foreach.steps[0].decide.table")]


def test_an_expression_of_the_input_is_checked_like_any_other() -> None:
    assert found({"table": "sizes", "input": {"n": "${ steps.nobody.output }"}}) == [
        ("UNKNOWN_STEP", "s.decide.input.n")
    ]


def test_a_message_says_what_there_is_instead() -> None:
    document = {
        "workflow": "w",
        "version": "1.0.0",
        "steps": [{"id": "r", "decide": {"table": "sizes", "version": "3.0.0"}}],
    }

    (problem,) = verify(definition.parse(document), activities=None, table_of=known)

    assert problem.message == "version 3.0.0 of a decision table `sizes` is not published; its highest is 2.0.0"


def test_without_tables_nothing_is_asked() -> None:
    def ask(name: str, version: str | None) -> Table | None:
        raise AssertionError("nobody asks a table")

    document = {"workflow": "w", "version": "1.0.0", "steps": [{"id": "a", "activity": "core.echo"}]}

    assert verify(definition.parse(document), activities=None, table_of=ask) == []


@pytest.mark.parametrize("name", ["Sizes", "a b", "x;drop", "../x", "-a", "", "a" * 101, 5])
def test_a_name_that_no_table_can_have_is_refused_by_its_shape(name: Any) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        definition.parse({"workflow": "w", "version": "1.0.0", "steps": [{"id": "r", "decide": {"table": name}}]})

    assert {problem.path for problem in refused.value.problems} == {"steps[0].decide.table"}
