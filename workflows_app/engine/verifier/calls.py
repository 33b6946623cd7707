"""Calls: each called workflow is published, and a constant input meets its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows_app.engine import schemas
from workflows_app.engine.callee import Callee, key
from workflows_app.engine.definition.model import CallBody, Definition
from workflows_app.engine.errors import OrchestratorError, Problem
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.constants import known
from workflows_app.engine.verifier.outline import Outline, Placed

_INPUT = re.compile(r"\$\{\s*input\.([A-Za-z_]\w*)\s*\}")
_WHOLE_INPUT = re.compile(r"\$\{\s*input\s*\}")
_CODES = {"required": "MISSING_REQUIRED_INPUT"}


def problems(outline: Outline, workflows: Mapping[str, Callee | str]) -> Iterator[Problem]:
    """Yield ``UNKNOWN_WORKFLOW``, the problems of inputs; warnings: ``DEPRECATED_WORKFLOW``, ``SLOT_DEADLOCK``."""
    for placed in outline.steps.values():
        body = placed.step.body
        if not isinstance(body, CallBody):
            continue
        found = workflows.get(key(body.workflow, body.version), f"there is no workflow `{body.workflow}`")
        place = placed.path("call", "workflow" if body.version is None else "version")
        if isinstance(found, str):
            yield Problem(code="UNKNOWN_WORKFLOW", path=place, message=found)
            continue
        if found.deprecated:
            message = f"{found.workflow} {found.version} is deprecated"
            yield Problem(code="DEPRECATED_WORKFLOW", path=place, message=message, severity="warning")
        if body.wait and _waits_for_itself(outline.definition, body, found):
            yield Problem(code="SLOT_DEADLOCK", path=place, message=_deadlock(outline.definition), severity="warning")
        if found.input_schema is not None:
            yield from _input(placed, body.input, found.input_schema)


def _waits_for_itself(definition: Definition, body: CallBody, callee: Callee) -> bool:
    """Whether what is called, or something below it, is certain to wait for a place that the caller may hold."""
    limit = definition.concurrency
    if limit is None:
        return False
    if limit.key is None:
        return definition.name in callee.takes
    named = _INPUT.fullmatch(limit.key.strip())
    if named is None or (callee.workflow, callee.version) != (definition.name, definition.version):
        return False
    handed_on = body.input.get(named[1]) if isinstance(body.input, Mapping) else body.input
    same = _INPUT if isinstance(body.input, Mapping) else _WHOLE_INPUT
    found = same.fullmatch(handed_on.strip()) if isinstance(handed_on, str) else None
    return found is not None and (same is _WHOLE_INPUT or found[1] == named[1])


def _deadlock(definition: Definition) -> str:
    assert definition.concurrency is not None
    limit = definition.concurrency.limit
    if limit == 1:
        return f"it holds the one place of {definition.name} while it waits for an instance that needs the same place"
    return (
        f"it holds a place of {definition.name} while it waits for an instance that needs another: {limit} of them at "
        "this step wait for each other"
    )


def _input(placed: Placed, written: Any, schema: Any) -> Iterator[Problem]:
    where = placed.path("call", "input")
    try:
        for failure in schemas.explain(known({} if written is None else written), schema, partial=True):
            code = _CODES.get(failure.keyword, "INPUT_INVALID")
            yield Problem(code=code, path=join_path(where, *failure.keys), message=failure.message)
    except OrchestratorError as error:
        yield Problem(code="INPUT_INVALID", path=where, message=error.message)
