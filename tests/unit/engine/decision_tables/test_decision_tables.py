"""Decision tables: what a cell takes, what a table decides, and that the check finds what a search finds."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows_app.engine import decision_tables
from workflows_app.engine.decision_tables import Table, checking
from workflows_app.engine.decision_tables.deciding import DecisionFailed
from workflows_app.engine.errors import DefinitionInvalid, ExpressionError

NUMBERS = [-1, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 9]
CELLS = st.sampled_from(["-", "< 1", "<= 2", "> 2", ">= 0", "[0..2)", "(1..5]", "[3..3]", "= 1", "!= 2", 4, [0, "> 4"]])
KINDS = st.sampled_from(["-", "gold", ["gold", "iron"], "!= iron", "= -", "tin"])


def document(*rules: Any, kind: str = "number", **more: Any) -> dict[str, Any]:
    return {
        "table": "fees",
        "version": "1.0.0",
        "inputs": [{"name": "n", "type": kind}],
        "outputs": [{"name": "o"}],
        "rules": [
            {"then": {"o": index}, **(rule if isinstance(rule, dict) else {"when": {"n": rule}})}
            for index, rule in enumerate(rules)
        ],
        **more,
    }


def table(*rules: Any, **more: Any) -> Table:
    return decision_tables.parse(document(*rules, **more))


def findings(*rules: Any, **more: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in decision_tables.check(table(*rules, **more))]


@pytest.mark.parametrize(
    ("kind", "cell", "taken", "left"),
    [
        ("number", "-", [0, -5.5], []),
        ("number", 5, [5, 5.0], [4]),
        ("number", " < 5 ", [4.9, -1], [5, 6]),
        ("number", ">=5", [5], [4.9]),
        ("number", "[1..10)", [1, 9.9], [0.9, 10]),
        ("number", "(1 .. 10]", [1.1, 10], [1]),
        ("number", "!= 0", [1], [0]),
        ("number", "-3", [-3], [3]),
        ("number", [1, "> 5"], [1, 6], [2, 5]),
        ("integer", "[1..3]", [1, 2.0, 3], [4]),
        ("string", "gold", ["gold"], ["Gold", ""]),
        ("string", "= -", ["-"], ["x"]),
        ("string", "!= gold", ["iron"], ["gold"]),
        ("string", ["a", "b"], ["a", "b"], ["c"]),
        ("boolean", True, [True], [False]),
        ("boolean", "false", [False], [True]),
        ("number", "${ input.n > 2 }", [3], [2]),
    ],
)
def test_a_cell_takes_what_it_says(kind: str, cell: Any, taken: list[Any], left: list[Any]) -> None:
    made = table(cell, kind=kind)

    for value in taken:
        assert decision_tables.decide(made, {"n": value}).rules == ("1",)
    for value in left:
        with pytest.raises(DecisionFailed) as refused:
            decision_tables.decide(made, {"n": value})
        assert refused.value.code == "NO_RULE_MATCHED"


def test_the_policy_says_what_several_rules_come_to() -> None:
    rules = ["> 0", "> 10", {"id": "big", "when": {"n": "> 100"}}]

    decided = {hit: table(*rules, hit=hit) for hit in ("first", "unique", "collect")}

    assert decision_tables.decide(decided["first"], {"n": 200}) == decision_tables.Decision(
        outputs={"o": 0}, rules=("1",)
    )
    assert decision_tables.decide(decided["unique"], {"n": 5}).outputs == {"o": 0}
    with pytest.raises(DecisionFailed) as several:
        decision_tables.decide(decided["unique"], {"n": 200})
    assert (several.value.code, several.value.details) == ("SEVERAL_RULES_MATCHED", {"rules": ["1", "2", "big"]})
    collected = decision_tables.decide(decided["collect"], {"n": 50})
    assert (collected.outputs, collected.rules) == ([{"o": 0}, {"o": 1}], ("1", "2"))
    assert decision_tables.decide(decided["collect"], {"n": -1}).outputs == []


def test_conditions_inputs_and_outputs_may_be_expressions() -> None:
    made = table(
        {"if": "input.vip", "then": {"o": "${ input.sum / 2 }"}},
        "> 10",
        inputs=[{"name": "n", "type": "number", "expression": "input.sum * 2"}],
    )

    assert decision_tables.decide(made, {"sum": 8, "vip": True}).outputs == {"o": 4}
    assert decision_tables.decide(made, {"sum": 8, "vip": False}).rules == ("2",)
    with pytest.raises(ExpressionError):
        decision_tables.decide(made, {"vip": True})


@pytest.mark.parametrize("value", [None, "5", True, [], float("nan"), float("inf")])
def test_an_input_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(DecisionFailed) as refused:
        decision_tables.decide(table("-"), {"n": value})

    assert refused.value.code == "TABLE_INPUT_INVALID"


def test_an_input_has_one_of_its_values_or_none() -> None:
    made = table("gold", inputs=[{"name": "n", "type": "string", "values": ["gold", "iron"]}])

    with pytest.raises(DecisionFailed, match="none of its values"):
        decision_tables.decide(made, {"n": "tin"})


@pytest.mark.parametrize(
    ("changed", "code", "path"),
    [
        ({"rules": [{"when": {"m": 1}, "then": {"o": 1}}]}, "TABLE_UNKNOWN_NAME", "rules[0].when.m"),
        ({"rules": [{"then": {}}]}, "TABLE_OUTPUT_MISSING", "rules[0].then"),
        ({"rules": [{"when": {"n": "<"}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": "[5..1]"}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": "[5..5)"}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": "< 1e999"}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": True}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": []}, "then": {"o": 1}}]}, "TABLE_CELL_INVALID", "rules[0].when.n"),
        ({"rules": [{"when": {"n": "${ 1 + }"}, "then": {"o": 1}}]}, "EXPRESSION_ERROR", "rules[0].when.n"),
        ({"rules": [{"if": "vars.x", "then": {"o": 1}}]}, "TABLE_UNKNOWN_NAME", "rules[0].if"),
        ({"rules": [{"then": {"o": "${ steps.a.output }"}}]}, "TABLE_UNKNOWN_NAME", "rules[0].then.o"),
        ({"rules": [{"id": "a", "then": {"o": 1}}, {"id": "a", "then": {"o": 1}}]}, "DUPLICATE_ID", "rules[1]"),
        ({"inputs": [{"name": "n", "type": "date"}]}, "SCHEMA", "inputs[0].type"),
        ({"inputs": [{"name": "n", "type": "string", "values": [1]}]}, "TABLE_CELL_INVALID", "inputs[0].values[0]"),
        ({"hit": "any"}, "SCHEMA", "hit"),
    ],
)
def test_a_table_is_refused_with_the_place_and_the_reason(changed: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        table({}, **changed)

    assert [(problem.code, problem.path) for problem in refused.value.problems] == [(code, path)]


def test_gaps_overlaps_and_unreached_rules_are_found() -> None:
    assert findings("< 5", ">= 5") == []
    assert findings("< 5", "> 5") == [("TABLE_GAP", "rules")]
    assert findings("<= 1", ">= 2") == [("TABLE_GAP", "rules")]
    assert findings("<= 1", ">= 2", kind="integer") == []
    assert findings("<= 5", ">= 5", hit="unique") == [("TABLE_OVERLAP", "rules[1]")]
    assert findings("< 10", "< 5", "-") == [("TABLE_RULE_UNREACHED", "rules[1]")]
    assert findings("< 5", hit="collect") == []
    assert findings(True, kind="boolean") == [("TABLE_GAP", "rules")]
    assert findings("a", "!= a", kind="string") == []
    enumerated = [{"name": "n", "type": "string", "values": ["a", "b"]}]
    assert findings("a", "b", inputs=enumerated) == []
    assert findings("a", inputs=enumerated) == [("TABLE_GAP", "rules")]


def test_what_only_an_expression_decides_is_said_to_be_undecided() -> None:
    assert findings("${ input.n > 1 }", "-") == [("TABLE_UNDECIDED", "rules[0]")]
    assert findings({"if": "input.n > 1"}) == [("TABLE_UNDECIDED", "rules[0]"), ("TABLE_UNDECIDED", "rules")]
    assert findings("> 0", {"if": "input.n > 1", "when": {"n": "> 0"}}, hit="unique") == [
        ("TABLE_UNDECIDED", "rules[1]"),
        ("TABLE_GAP", "rules"),
    ]


def test_a_table_beyond_the_bound_is_said_not_to_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST_PLACES", 10)
    assert ("TABLE_UNDECIDED", "rules") in findings(*[f"= {number}" for number in range(30)])
    monkeypatch.setattr(checking, "MOST_TESTS", 10)
    assert findings(*[f"= {number}" for number in range(30)]) == [("TABLE_UNDECIDED", "rules")]


@given(st.lists(st.tuples(CELLS, KINDS), min_size=1, max_size=5), st.sampled_from(["first", "unique"]))
def test_the_check_finds_what_a_search_finds(rows: list[tuple[Any, Any]], hit: str) -> None:
    inputs = [{"name": "n", "type": "number"}, {"name": "k", "type": "string"}]
    made = table(*[{"when": {"n": n, "k": k}} for n, k in rows], inputs=inputs, hit=hit)
    alone = [table({"when": {"n": n, "k": k}}, inputs=inputs, hit="collect") for n, k in rows]

    sets = [
        {i for i, each in enumerate(alone) if decision_tables.decide(each, {"n": n, "k": k}).rules}
        for n, k in product(NUMBERS, ["gold", "iron", "tin", "-", "other"])
    ]
    found = decision_tables.check(made)

    codes = {problem.code for problem in found}
    assert ("TABLE_GAP" in codes) == any(not each for each in sets)
    if hit == "unique":
        seconds = {max(pair) for each in sets for pair in product(each, each) if pair[0] != pair[1]}
        assert {problem.path for problem in found if problem.code == "TABLE_OVERLAP"} == {
            f"rules[{i}]" for i in seconds
        }
    else:
        reached = {min(each) for each in sets if each}
        unreached = {problem.path for problem in found if problem.code == "TABLE_RULE_UNREACHED"}
        assert unreached == {f"rules[{i}]" for i in range(len(rows))} - {f"rules[{i}]" for i in reached}


HEAVY = "size([1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, a * b * c)))) > 99"


def test_all_expressions_of_a_table_share_the_budget_of_one() -> None:
    with pytest.raises(ExpressionError) as refused:
        decision_tables.decide(table(*[{"if": HEAVY}] * 900), {"n": 1})

    assert refused.value.code == "EXPRESSION_LIMIT"


@pytest.mark.parametrize(
    ("rule", "more", "code", "path"),
    [
        ({"then": {"o": ["${ 1 }"] * 1001}}, {}, "EXPRESSION_LIMIT", "rules"),
        ({"then": {"o": [f"${{ '{'x' * 3000}' }}"] * 40}}, {}, "EXPRESSION_LIMIT", "rules"),
        ({"if": "(" * 99 + "true" + ")" * 99}, {}, "EXPRESSION_LIMIT", "rules[0].if"),
        ("-", {"outputs": [{"name": f"o{number}"} for number in range(30_000)]}, "SCHEMA", "outputs"),
    ],
    ids=["many expressions", "long expressions", "deep expression", "many outputs"],
)
def test_a_table_that_would_cost_too_much_is_refused(rule: Any, more: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        table(rule, **more)

    assert [(problem.code, problem.path) for problem in refused.value.problems] == [(code, path)]


def test_no_more_problems_are_listed_than_anybody_reads() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        table(*[{"when": {f"x{number}": 1 for number in range(30)}}] * 900)

    assert len(refused.value.problems) == 100
