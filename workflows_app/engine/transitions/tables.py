"""Decision tables as steps: a ``decide`` is over as soon as it is entered.

The event of its end keeps which version was asked and which rules hit beside the outputs, so that nothing has to be
evaluated again, whatever becomes of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import decision_tables, stored, values
from workflows_app.engine.definition.model import DecideBody
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.node import Node
from workflows_app.engine.transitions import settling
from workflows_app.engine.transitions.draft import Draft


class TableNotFound(OrchestratorError):
    """A decision table, or a version of one, that is not published."""

    code = "TABLE_NOT_FOUND"


class TableInputInvalid(OrchestratorError):
    """What a step gives to a table is no mapping of inputs."""

    code = "TABLE_INPUT_INVALID"


def decide(draft: Draft, node: Node) -> None:
    """Evaluate the step's input and its table, and complete the step with the outputs.

    Raises:
        OrchestratorError: EXPRESSION_ERROR, EXPRESSION_LIMIT, TABLE_NOT_FOUND, TABLE_INPUT_INVALID, NO_RULE_MATCHED,
            SEVERAL_RULES_MATCHED or TOO_LARGE; what is about a table names it and its version in the details.
    """
    body = node.step.body
    assert isinstance(body, DecideBody)
    given = draft.evaluate(node.value, node)
    table = draft.table(body.table, body.version)
    if table is None:
        wanted = {"table": body.table, "version": body.version}
        version = "" if body.version is None else f", version {body.version}"
        raise TableNotFound(f"there is no decision table {body.table}{version}", details=wanted)
    asked = {"table": table.name, "version": table.version}
    if not isinstance(given, Mapping):
        message = f"the input of the decision table {table.name} is no mapping: {given!r}"[:200]
        raise TableInputInvalid(message, details=asked)
    try:
        decision = decision_tables.decide(table, given)
        outputs = _storable(decision.outputs, draft.before.limit_bytes)
    except OrchestratorError as refused:
        refused.details = {**asked, **refused.details}
        raise
    settling.complete(draft, node, output=outputs, **asked, rules=list(decision.rules))


def _storable(outputs: Any, limit_bytes: int) -> Any:
    text = values.encode(outputs, limit_bytes=limit_bytes, what="the outputs of the decision table")
    return stored.as_stored(text)
