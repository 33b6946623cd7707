"""Services: what a step calls of a registered service is there, and gets what its path needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from workflows_app.engine.errors import Problem
from workflows_app.engine.service_document import Operation, Service
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.activities import performed
from workflows_app.engine.verifier.constants import known
from workflows_app.engine.verifier.outline import Keys, Outline

ACTIVITY = "service.call"
AGGREGATION = "data.aggregate"
ServiceOf = Callable[[str], Service | None]
"""Gives a registered service; ``None`` where there is none."""


def problems(outline: Outline, service_of: ServiceOf) -> Iterator[Problem]:
    """Yield the warning ``UNKNOWN_SERVICE`` and the errors ``UNKNOWN_OPERATION``, ``MISSING_REQUIRED_INPUT`` and
    ``UNKNOWN_PARAMETER``.

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
