"""From a document to a ``Definition``: all problems of its shape at once, or the model."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from workflows_app.engine.definition import shape
from workflows_app.engine.definition.loading import MOST_PROBLEMS, refuse
from workflows_app.engine.definition.model import (
    ActivityBody,
    Backoff,
    Body,
    Case,
    ChoiceBody,
    Compensation,
    Definition,
    FailBody,
    Join,
    Kind,
    OnError,
    ParallelBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.definition.moments import normal_moment
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.errors import Problem
from workflows_app.engine.values import faults


def parse(document: Mapping[str, Any]) -> Definition:
    """Make the model of a document.

    A ``retry`` of a step replaces that of ``defaults`` as a whole; keys it leaves out take the language's defaults.
    The model shares its JSON parts with the document, which must not be changed afterwards.

    Args:
        document: what ``load`` or ``dump`` returned, or a mapping like it.

    Raises:
        DefinitionInvalid: with all problems of the shape: ``SCHEMA``, ``NO_KIND``, ``SEVERAL_KINDS``,
            ``DUPLICATE_ID``, ``NOT_AVAILABLE``, or those of a value that is not JSON.

    >>> parse({"workflow": "a", "version": "1.0.0", "steps": [{"id": "x", "set": {"v": 1}}]}).steps[0].kind
    <Kind.SET: 'set'>
    """
    unsound = (Problem(code=f.code, path=f.path, message=f.message) for f in faults(dict(document)))
    most = MOST_PROBLEMS + 1
    problems = list(islice(unsound, most)) or list(islice(shape.problems(document), most))
    if problems:
        refuse(problems)
    defaults = document.get("defaults", {})
    return Definition(
        name=document["workflow"],
        version=document["version"],
        title=document.get("title"),
        description=document.get("description"),
        metadata=document.get("metadata", {}),
        input_schema=document.get("input"),
        variables=document.get("variables", {}),
        timeout=_duration(document.get("timeout")),
        on_failure=document.get("on_failure"),
        on_cancel=document.get("on_cancel"),
        on_timeout=document.get("on_timeout"),
        default_timeout=_duration(defaults.get("timeout")),
        default_retry=_retry(defaults.get("retry")),
        steps=_steps(document["steps"]),
        output=document.get("output"),
    )


def _steps(raw: list[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(_step(step) for step in raw)


def _step(raw: Mapping[str, Any]) -> Step:
    kind = next(kind for kind in Kind if kind.value in raw)
    needs = raw.get("needs")
    on_error, on_error_output = _on_error(raw.get("on_error", "fail"))
    compensate = raw.get("compensate")
    return Step(
        id=raw["id"],
        kind=kind,
        body=_body(kind, raw),
        name=raw.get("name"),
        description=raw.get("description"),
        needs=None if needs is None else tuple(needs),
        when=_expression(raw.get("when")),
        join=Join(raw.get("join", "all")),
        timeout=_duration(raw.get("timeout")),
        deadline=_duration(raw.get("deadline")),
        retry=_retry(raw.get("retry")),
        on_error=on_error,
        on_error_output=on_error_output,
        compensate=_compensation(compensate) if isinstance(compensate, Mapping) else None,
        irreversible=compensate == "irreversible",
        queue=raw.get("queue"),
        batch=raw.get("batch", True),
        disabled=raw.get("disabled", False),
        notes=raw.get("notes"),
        ui=raw.get("ui"),
    )


def _body(kind: Kind, raw: Mapping[str, Any]) -> Body:
    value = raw[kind.value]
    match kind:
        case Kind.ACTIVITY:
            return ActivityBody(activity=value, parameters=raw.get("with", {}))
        case Kind.SET:
            return SetBody(assignments=value)
        case Kind.CHOICE:
            cases = (Case(when=_expression(case.get("when")), steps=_steps(case["steps"])) for case in value)
            return ChoiceBody(cases=tuple(cases))
        case Kind.PARALLEL:
            branches = {name: _steps(steps) for name, steps in value["branches"].items()}
            return ParallelBody(branches=branches, join=Join(value.get("join", "all")))
        case Kind.WAIT if "until" in value:
            return WaitBody(until=normal_moment(value["until"]))
        case Kind.WAIT:
            length = value["for"]
            return WaitBody(duration=length if isinstance(length, str) and "${" in length else parse_duration(length))
        case Kind.RETURN:
            return ReturnBody(output=value.get("output"))
        case Kind.FAIL:
            return FailBody(code=value["code"], message=value.get("message", ""))


def _on_error(raw: Any) -> tuple[OnError, Any]:
    if isinstance(raw, Mapping):
        return OnError.OUTPUT, raw["output"]
    return OnError(raw), None


def _compensation(raw: Mapping[str, Any]) -> Compensation:
    return Compensation(
        activity=raw["activity"],
        parameters=raw.get("with", {}),
        timeout=_duration(raw.get("timeout")),
        retry=_retry(raw.get("retry")),
    )


def _retry(raw: Mapping[str, Any] | None) -> Retry | None:
    if raw is None:
        return None
    plain = Retry()
    return Retry(
        max_attempts=int(raw.get("max_attempts", plain.max_attempts)),
        backoff=Backoff(raw.get("backoff", plain.backoff)),
        initial_interval=parse_duration(raw.get("initial_interval", plain.initial_interval)),
        multiplier=float(raw.get("multiplier", plain.multiplier)),
        max_interval=parse_duration(raw.get("max_interval", plain.max_interval)),
        jitter=float(raw.get("jitter", plain.jitter)),
        non_retryable=tuple(raw.get("non_retryable", ())),
        when=_expression(raw.get("when")),
    )


def _expression(raw: str | bool | None) -> str | None:
    return str(raw).lower() if isinstance(raw, bool) else raw


def _duration(raw: str | float | None) -> float | None:
    return None if raw is None else parse_duration(raw)
