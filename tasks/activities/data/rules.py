"""The rules of ``data.validate``: each is made ready once, then asked about every item.

Most checks are a small JSON Schema, so that numbers, patterns and messages are those of the whole project: patterns
run in linear time, validations have a budget, references lead nowhere outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tasks.activities.data import formulas
from tasks.activities.data.paths import keys_of, read
from workflows_app.activities import ActivityContext, ActivityError
from workflows_app.engine import schemas
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions.moments import parse_timestamp

Problem = dict[str, Any]
Judge = Callable[[Any, int], str | None]
"""Says of an item and its index what is wrong, ``None`` if nothing is."""

_SHOWN = 3  # failures of a schema that one message names


class Rule:
    """One rule, ready to be asked.

    Args:
        rule: as the schema of the parameters accepts it.
        number: its place in the list, from 0.
        context: the attempt.

    Raises:
        ActivityError: INVALID_PARAMETERS for a pattern, schema or expression that cannot be used.
    """

    def __init__(self, rule: Mapping[str, Any], number: int, context: ActivityContext) -> None:
        self._rule = rule
        self._name = rule.get("id", f"rules[{number}]")
        self._place = f"with.rules[{number}]"
        self._context = context
        self._judge = self._judge_of()

    @property
    def is_error(self) -> bool:
        """Whether an item that breaks the rule is invalid; otherwise the rule only warns."""
        return bool(self._rule.get("severity", "error") == "error")

    def problem(self, item: Any, index: int) -> Problem | None:
        """What the rule finds wrong with an item, ``None`` if nothing.

        Raises:
            AttemptCancelled: when told to stop.
        """
        reason = self._judge(item, index)
        if reason is None:
            return None
        return {
            "rule": self._name,
            "field": self._rule.get("field"),
            "code": self._rule["check"].upper(),
            "message": self._rule.get("message", reason),
            "severity": self._rule.get("severity", "error"),
        }

    def _judge_of(self) -> Judge:
        rule = self._rule
        match rule["check"]:
            case "required":
                return lambda item, index: "is missing" if self._read(item) is None else None
            case "not_empty":
                return lambda item, index: "must not be empty" if _is_empty(self._read(item)) else None
            case "date_time":
                return self._where_present(_no_time)
            case "range":
                bounds = {"min": "minimum", "max": "maximum"}
                limits = {keyword: rule[key] for key, keyword in bounds.items() if key in rule}
                return self._schema({"type": "number", **limits})
            case "positive":
                return self._schema({"type": "number", "exclusiveMinimum": 0})
            case "pattern":
                return self._schema({"type": "string", "pattern": rule["pattern"]})
            case "one_of":
                return self._schema({"enum": rule["values"]})
            case "type":
                return self._schema({"type": rule["type"]})
            case "schema":
                return self._schema(rule["schema"])
            case _:
                return self._expression(rule["where"])

    def _read(self, item: Any) -> Any:
        return read(item, keys_of(self._rule["field"])) if "field" in self._rule else item

    def _where_present(self, judge: Callable[[Any], str | None]) -> Judge:
        """Null and missing values pass: it is ``required`` that asks for a value."""

        def ask(item: Any, index: int) -> str | None:
            value = self._read(item)
            return None if value is None else judge(value)

        return ask

    def _schema(self, schema: Any) -> Judge:
        for fault in schemas.check_schema(schema, path=self._place):
            self._refuse(f"{fault.path}: {fault.message}.")

        def judge(value: Any) -> str | None:
            self._context.check()  # one value may take a schema's whole budget
            found = schemas.validate(value, schema, path="", limit=_SHOWN)
            return "; ".join(f"{each.path}: {each.message}" if each.path else each.message for each in found) or None

        return self._where_present(judge)

    def _expression(self, source: str) -> Judge:
        try:
            expression = formulas.compiled(source)
        except ExpressionError as fault:
            self._refuse(f"{self._place}.where: {fault.message}")

        def ask(item: Any, index: int) -> str | None:
            try:
                holds, _ = formulas.evaluate(expression, item, index, self._context)
            except ExpressionError as fault:
                return fault.message
            if not isinstance(holds, bool):
                return f"`{source[:200]}` is neither true nor false"
            return None if holds else f"`{source[:200]}` does not hold"

        return ask

    def _refuse(self, reason: str) -> NoReturn:
        raise ActivityError(reason, code="INVALID_PARAMETERS", recoverable=False)


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | dict) and not value)


def _no_time(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a time as text"
    try:
        parse_timestamp(value)
    except ExpressionError as fault:
        return fault.message
    return None
