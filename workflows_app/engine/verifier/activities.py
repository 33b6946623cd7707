"""Activities: each named type is registered, and constant parameters meet its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any

from workflows_app.engine import schemas
from workflows_app.engine.definition.model import ActivityBody, Step
from workflows_app.engine.errors import OrchestratorError, Problem
from workflows_app.engine.values import join_path
from workflows_app.engine.verifier.activity_info import ActivityInfo
from workflows_app.engine.verifier.constants import known
from workflows_app.engine.verifier.machine_places import actions
from workflows_app.engine.verifier.outline import Keys, Outline

_CODES = {"required": "MISSING_REQUIRED_INPUT", "additionalProperties": "UNKNOWN_PARAMETER"}


def problems(outline: Outline, registered: Mapping[str, ActivityInfo]) -> Iterator[Problem]:
    """Yield ``UNKNOWN_TASK_TYPE`` and the problems of parameters: of steps, their fallbacks and their undo."""
    for keys, activity, parameters in performed(outline):
        yield from _check(keys, activity, parameters, registered)


def performed(outline: Outline) -> Iterator[tuple[Keys, str, Mapping[str, Any]]]:
    """Yield the place, the name and the parameters of each activity that a document names."""
    for keys, step in acting(outline):
        body, undo = step.body, step.compensate
        if isinstance(body, ActivityBody):
            yield keys, body.activity, body.parameters
        if undo is not None:
            yield (*keys, "compensate"), undo.activity, undo.parameters
        for inner, reaction in step.on_error.written():
            if (instead := reaction.fallback) is not None:
                yield (*keys, *inner, "fallback"), instead.activity, instead.parameters


def acting(outline: Outline) -> Iterator[tuple[Keys, Step]]:
    """Yield every step with its place; those of a state machine are its actions."""
    written = ((placed.keys, placed.step) for placed in outline.steps.values())
    return chain(written, actions(outline.definition))


def _check(
    keys: Keys, name: str, parameters: Mapping[str, Any], registered: Mapping[str, ActivityInfo]
) -> Iterator[Problem]:
    info = registered.get(name)
    if info is None:
        yield Problem(
            code="UNKNOWN_TASK_TYPE", path=join_path("", *keys, "activity"), message=_unknown(name, registered)
        )
    elif info.parameters is not None:
        where = join_path("", *keys, "with")
        try:
            for failure in schemas.explain(known(dict(parameters)), info.parameters, partial=True):
                code = _CODES.get(failure.keyword, "INVALID_PARAMETER")
                yield Problem(code=code, path=join_path(where, *failure.keys), message=failure.message)
        except OrchestratorError as error:
            yield Problem(code="INVALID_PARAMETER", path=where, message=error.message)


def _unknown(name: str, registered: Mapping[str, ActivityInfo]) -> str:
    plain, _, version = name.partition("@")
    if version and plain in registered:
        versions = sorted(known.partition("@")[2] for known in registered if known.startswith(f"{plain}@"))
        return f"the activity `{plain}` is registered, but not its version {version}; there is {', '.join(versions)}"
    close = get_close_matches(plain, [known for known in registered if "@" not in known][:200], n=1)
    return f"no activity `{name}` is registered{f'; did you mean `{close[0]}`?' if close else ''}"
