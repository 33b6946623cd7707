"""A decision: the outputs for given inputs, and the rules that hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.decision_tables.cells import Formula, fits
from workflows_app.engine.decision_tables.model import HitPolicy, Input, Rule, Table
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.expressions.limits import Meter


class DecisionFailed(OrchestratorError):
    """A table that has no answer for these inputs, or more than one."""

    code = "DECISION_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a table says.

    Args:
        outputs: values by output; under the policy collect a list of such, in the order of the rules.
        rules: ids of the rules that hit.
    """

    outputs: Any
    rules: tuple[str, ...]


def decide(table: Table, given: Mapping[str, Any]) -> Decision:
    """Evaluate a table.

    Args:
        table: a parsed table.
        given: the decision's input, what expressions read as ``input``.

    Raises:
        DecisionFailed: TABLE_INPUT_INVALID (missing, of another type, or none of the values there are),
            NO_RULE_MATCHED, or under unique SEVERAL_RULES_MATCHED. Under collect no rule at all is an empty list.
        ExpressionError: an expression does not evaluate.
        ExpressionLimit: all of the table's expressions together take more than one value may.

    >>> from workflows_app.engine.decision_tables.parsing import parse
    >>> table = parse({"table": "t", "version": "1.0.0", "inputs": [{"name": "n", "type": "number"}],
    ...     "outputs": [{"name": "fee"}], "rules": [{"when": {"n": "[0..10)"}, "then": {"fee": 3}},
    ...                                             {"id": "rest", "then": {"fee": "${ input.n / 10 }"}}]})
    >>> decide(table, {"n": 4}), decide(table, {"n": 20})
    (Decision(outputs={'fee': 3}, rules=('1',)), Decision(outputs={'fee': 2}, rules=('rest',)))
    """
    names = {"input": dict(given)}
    meter = Meter()
    values = {column.name: _value(column, names, meter) for column in table.inputs}
    for column in table.inputs:
        value = values[column.name]
        if not fits(value, column.type) or (column.values and value not in column.values):
            expected = "none of its values" if fits(value, column.type) else f"not of type {column.type}"
            message = f"the input `{column.name}` of the table {table.name} is {expected}"
            raise DecisionFailed(message, code="TABLE_INPUT_INVALID", details={"input": column.name})
    hits: list[Rule] = []
    for rule in table.rules:
        if _holds(rule, values, names, meter):
            hits.append(rule)
            if table.hit is HitPolicy.FIRST:
                break
    ids = tuple(rule.id for rule in hits)
    outputs = (
        [_outputs(rule, names, meter) for rule in hits] if table.hit is HitPolicy.COLLECT or len(hits) == 1 else []
    )
    if table.hit is HitPolicy.COLLECT:
        return Decision(outputs=outputs, rules=ids)
    if len(hits) != 1:
        code = "SEVERAL_RULES_MATCHED" if hits else "NO_RULE_MATCHED"
        what = f"rules {', '.join(ids)} all hold" if hits else "no rule holds"
        raise DecisionFailed(f"{what} in the table {table.name}", code=code, details={"rules": list(ids)})
    return Decision(outputs=outputs[0], rules=ids)


def _value(column: Input, names: Mapping[str, Any], meter: Meter) -> Any:
    if column.compiled is None:
        return names["input"].get(column.name)
    return column.compiled.measure(names, meter)


def _holds(rule: Rule, values: Mapping[str, Any], names: Mapping[str, Any], meter: Meter) -> bool:
    for name, cell in rule.cells.items():
        if isinstance(cell, Formula):
            if cell.compiled.measure(names, meter) is not True:
                return False
        elif cell and not any(test.takes(values[name]) for test in cell):
            return False
    return rule.compiled_condition is None or rule.compiled_condition.measure(names, meter) is True


def _outputs(rule: Rule, names: Mapping[str, Any], meter: Meter) -> dict[str, Any]:
    made: dict[str, Any] = rule.compiled_outputs.measure(names, meter)
    return made
