"""Services: what a step calls of a registered service is there, and gets what its path needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from workflows_app.engine.definition.model import ActivityBody
from workflows_app.engine.errors import Problem
from workflows_app.engine.service_document import Operation, Service
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.activities import acting, performed
from workflows_app.engine.verifier.constants import known
from workflows_app.engine.verifier.outline import Keys, Outline

ACTIVITY = "service.call"
AGGREGATION = "data.aggregate"
ServiceOf = Callable[[str], Service | None]
"""Gives a registered service; ``None`` where there is none."""


def problems(outline: Outline, service_of: ServiceOf) -> Iterator[Problem]:
    """Yield the warnings ``UNKNOWN_SERVICE``, ``QUERY_COMPENSATED`` and ``COMMAND_CACHED`` and the errors
    ``UNKNOWN_OPERATION``, ``MISSING_REQUIRED_INPUT`` and ``UNKNOWN_PARAMETER``.

    A service that is not registered may be so before the step runs; one that is registered says what it offers.
    """
    for where, parameters in _called(outline):
        name, operation = parameters.get("service"), parameters.get("operation")
        if not isinstance(name, str):
            continue
        service = service_of(name)
        if service is None:
            message = f"no service `{name[:100]}` is registered yet"
            path = join_path("", *where, "service")
            yield Problem(code="UNKNOWN_SERVICE", path=path, message=message, severity="warning")
        elif isinstance(operation, str) and operation not in service.operations:
            close = get_close_matches(operation, list(service.operations), n=1)
            guess = f"; did you mean `{close[0]}`?" if close else ""
            message = f"the service `{name}` has no operation `{operation[:100]}`{guess}"
            yield Problem(code="UNKNOWN_OPERATION", path=join_path("", *where, "operation"), message=message)
        elif isinstance(operation, str):
            yield from _path(where, service.operations[operation], parameters.get("path_params") or {})

    yield from _kinds(outline, service_of)


def _kinds(outline: Outline, service_of: ServiceOf) -> Iterator[Problem]:
    """What asks changes nothing that could be undone, and what is not sent has nothing done."""
    for keys, step in acting(outline):
        body, undo = step.body, step.compensate
        found = _operation(body.activity, body.parameters, service_of) if isinstance(body, ActivityBody) else None
        undoing = _operation(undo.activity, undo.parameters, service_of) if undo else None
        if undo is not None and found is not None and found.is_query:
            message = f"the step only asks, `{found.name}` is a query: there is nothing to undo"
        elif undoing is not None and undoing.is_query:
            message = f"`{undoing.name}` is a query: an undo that only asks undoes nothing"
        else:
            message = ""
        if message:
            path = join_path("", *keys, "compensate")
            yield Problem(code="QUERY_COMPENSATED", path=path, message=message, severity="warning")
        if step.cache is not None and found is not None and found.has_effect:
            message = (
                f"a reused result sends nothing, and `{found.name}` is a command; if it changes nothing, its service "
                "should say `kind: query`"
            )
            path = join_path("", *keys, "cache")
            yield Problem(code="COMMAND_CACHED", path=path, message=message, severity="warning")


def _operation(activity: str, written: Mapping[str, Any], service_of: ServiceOf) -> Operation | None:
    """Return the operation that an activity calls, as far as its constant parameters say it."""
    if activity.partition("@")[0] != ACTIVITY:
        return None
    parameters = known(dict(written))
    name, operation = parameters.get("service"), parameters.get("operation")
    service = service_of(name) if isinstance(name, str) else None
    return service.operations.get(operation) if service and isinstance(operation, str) else None


def _called(outline: Outline) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    """Yield the place and the parameters of each call of a service."""
    for keys, activity, written in performed(outline):
        bare, parameters = activity.partition("@")[0], known(dict(written))
        if bare == ACTIVITY:
            yield (*keys, "with"), parameters
        elif bare == AGGREGATION and isinstance(parameters.get("sources"), Mapping):
            for name, source in parameters["sources"].items():
                if isinstance(source, Mapping):
                    yield (*keys, "with", "sources", name), source


def _path(keys: Keys, operation: Operation, given: Any) -> Iterator[Problem]:
    where = join_path("", *keys, "path_params")
    if not isinstance(given, Mapping):
        return
    for name in operation.placeholders:
        if name not in given:
            message = f"the path of `{operation.name}`, {operation.path}, needs `{name}`"
            yield Problem(code="MISSING_REQUIRED_INPUT", path=where, message=message)
    for name in given:
        if name not in operation.placeholders:
            message = f"is no name in the path of `{operation.name}`, {operation.path}"
            yield Problem(code="UNKNOWN_PARAMETER", path=join_path(where, name), message=message)
