"""Rules over a parsed definition, checked before it is published: order, data, activities, branches, schemas.

``verify`` runs every rule and lists every problem: errors stop the publication, warnings do not. What a rule needs to
know about places and order comes from ``outline`` (where each step stands) and ``order`` (what is upstream of what).

Codes of errors: ``UNKNOWN_NEED``, ``CYCLIC_DEPENDENCY`` (order); ``EXPRESSION_ERROR``, ``EXPRESSION_LIMIT``,
``UNKNOWN_NAME``, ``UNKNOWN_STEP``, ``UNKNOWN_VARIABLE``, ``NOT_UPSTREAM``, ``INVALID_INPUT_SOURCE``, ``NOT_AVAILABLE``
(data); ``UNKNOWN_TASK_TYPE``, ``MISSING_REQUIRED_INPUT``, ``UNKNOWN_PARAMETER``, ``INVALID_PARAMETER`` (activities);
``ELSE_NOT_LAST`` (branches); the codes of ``schemas.check_schema`` (``input``).
Codes of warnings: ``BRANCH_NO_DEFAULT``, ``JOIN_ANY_SINGLE``, ``UNREACHABLE``, ``UNDECLARED_VARIABLE``,
``UNDECLARED_INPUT``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from workflows_app.engine import schemas
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.errors import Problem
from workflows_app.engine.verifier import activities as activity_rules
from workflows_app.engine.verifier import branches, data, order
from workflows_app.engine.verifier.activity_info import ActivityInfo
from workflows_app.engine.verifier.outline import Outline

MOST_PER_RULE = 200
"""How many problems each group of rules lists."""

__all__ = ["ActivityInfo", "verify"]


def verify(definition: Definition, *, activities: Mapping[str, ActivityInfo] | None) -> list[Problem]:
    """List every problem that the rules find in a parsed definition.

    Args:
        definition: what ``definition.parse`` returned.
        activities: what is registered, by ``name`` and by ``name@version``; ``None`` leaves out the rules about
            activities (nothing is known about them here).

    Returns:
        problems with their places, errors and warnings; no error means that the definition may be published.
    """
    outline = Outline(definition)
    problems: list[Problem] = []
    if definition.input_schema is not None:
        problems += schemas.check_schema(definition.input_schema, path="input")
    problems += islice(order.problems(outline), MOST_PER_RULE)
    problems += islice(data.problems(outline), MOST_PER_RULE)
    if activities is not None:
        problems += islice(activity_rules.problems(outline, activities), MOST_PER_RULE)
    problems += islice(branches.problems(outline), MOST_PER_RULE)
    return problems
