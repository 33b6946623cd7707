"""Rules over a parsed definition, checked before it is published: order, data, activities, branches, schemas.

``verify`` runs every rule and lists every problem: errors stop the publication, warnings do not. What a rule needs to
know about places and order comes from ``outline`` (where each step stands) and ``order`` (what is upstream of what).

Codes of errors: ``UNKNOWN_NEED``, ``CYCLIC_DEPENDENCY``, ``GOTO_TARGET`` (order); ``EXPRESSION_ERROR``,
``EXPRESSION_LIMIT``, ``UNKNOWN_NAME``, ``UNKNOWN_STEP``, ``UNKNOWN_VARIABLE``, ``NOT_UPSTREAM``,
``INVALID_INPUT_SOURCE``, ``NOT_AVAILABLE`` (data); ``UNKNOWN_TASK_TYPE``, ``MISSING_REQUIRED_INPUT``,
``UNKNOWN_PARAMETER``, ``INVALID_PARAMETER`` (activities); ``UNKNOWN_WORKFLOW``, ``MISSING_REQUIRED_INPUT``,
``INPUT_INVALID`` (calls); ``ELSE_NOT_LAST``, ``REST_UNUSED``, ``TOLERATE_UNUSED``, ``JOIN_UNREACHABLE``,
``RESERVED_NAME``, ``LOOP_LIMIT`` (branches); ``CACHE_WITH_COMPENSATE`` (caches); ``INVALID_KEY`` (keys);
``UNKNOWN_OPERATION``, ``MISSING_REQUIRED_INPUT``, ``UNKNOWN_PARAMETER`` (services);
``ARTIFACT_BY_HAND`` (artifacts); ``SECRET_PLACE``, ``SECRET_IN_PARTS`` (secrets); ``UNKNOWN_CALLBACK``,
``CALLBACK_PLACE``, ``CALLBACK_CACHED`` (callbacks); the codes of ``schemas.check_schema`` (``input``).
Codes of warnings: ``BRANCH_NO_DEFAULT``, ``CASE_UNREACHABLE``, ``JOIN_ANY_SINGLE``, ``UNREACHABLE``,
``UNDECLARED_VARIABLE``, ``UNDECLARED_INPUT``, ``DEPRECATED_WORKFLOW``, ``SLOT_DEADLOCK``, ``UNKNOWN_SECRET``,
``UNKNOWN_SERVICE``, ``CALLBACK_UNUSED``, ``CALLBACKS_NOT_CONFIGURED``, ``QUERY_COMPENSATED``, ``COMMAND_CACHED``,
``ARCHIVE_NOT_CONFIGURED``.
Of state machines: the errors ``UNKNOWN_STATE``, ``TERMINAL_STATE``, ``AMBIGUOUS_TRANSITION``; the warnings
``DEAD_END``, ``NOTHING_TO_UNDO``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import islice

from workflows_app.engine import schemas
from workflows_app.engine.callee import Callee
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.errors import Problem
from workflows_app.engine.verifier import activities as activity_rules
from workflows_app.engine.verifier import (
    artifacts,
    branches,
    caches,
    callbacks,
    calls,
    data,
    keys,
    machines,
    order,
    retention,
    secrets,
    services,
    tables,
)
from workflows_app.engine.verifier.activity_info import ActivityInfo
from workflows_app.engine.verifier.outline import Outline
from workflows_app.engine.verifier.services import ServiceOf
from workflows_app.engine.verifier.tables import TableOf

MOST_PER_RULE = 200
"""How many problems each group of rules lists."""

__all__ = ["ActivityInfo", "verify"]


def verify(
    definition: Definition,
    *,
    activities: Mapping[str, ActivityInfo] | None,
    workflows: Mapping[str, Callee | str] | None = None,
    table_of: TableOf | None = None,
    service_of: ServiceOf | None = None,
    known_secrets: Callable[[], Collection[str]] | None = None,
    has_callbacks: bool = True,
    has_archive: bool = True,
) -> list[Problem]:
    """List every problem that the rules find in a parsed definition.

    Args:
        definition: what ``definition.parse`` returned.
        activities: what is registered, by ``name`` and by ``name@version``; ``None`` leaves out the rules about
            activities (nothing is known about them here).
        workflows: what it calls, by ``callee.key``, or why there is no such version; ``None`` leaves out the rules
            about calls.
        table_of: gives the published decision tables; ``None`` leaves out the rules about them. It is asked only where
            a step asks a table.
        service_of: gives the registered services, likewise.
        known_secrets: gives the names of the secrets that are set on this installation; ``None`` leaves out the rule
            about them. It is asked only where a step uses one.
        has_callbacks: whether this installation knows the address at which callbacks reach it.
        has_archive: whether it knows where to keep archives.

    Returns:
        problems with their places, errors and warnings; no error means that the definition may be published.
    """
    outline = Outline(definition)
    problems: list[Problem] = []
    if definition.input_schema is not None:
        problems += schemas.check_schema(definition.input_schema, path="input")
    problems += islice(order.problems(outline), MOST_PER_RULE)
    problems += islice(data.problems(outline), MOST_PER_RULE)
    problems += islice(secrets.problems(outline, known_secrets), MOST_PER_RULE)
    problems += islice(callbacks.problems(outline, has_callbacks), MOST_PER_RULE)
    if activities is not None:
        problems += islice(activity_rules.problems(outline, activities), MOST_PER_RULE)
    if workflows is not None:
        problems += islice(calls.problems(outline, workflows), MOST_PER_RULE)
    problems += islice(artifacts.problems(definition), MOST_PER_RULE)
    if table_of is not None:
        problems += islice(tables.problems(outline, table_of), MOST_PER_RULE)
    if service_of is not None:
        problems += islice(services.problems(outline, service_of), MOST_PER_RULE)
    problems += islice(branches.problems(outline), MOST_PER_RULE)
    problems += islice(caches.problems(outline), MOST_PER_RULE)
    problems += islice(keys.problems(outline), MOST_PER_RULE)
    problems += islice(machines.problems(definition), MOST_PER_RULE)
    problems += retention.problems(definition, has_archive)
    return problems
