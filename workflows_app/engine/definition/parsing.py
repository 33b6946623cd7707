"""From a document to a ``Definition``: all problems of its shape at once, or the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from workflows_app.engine import callbacks
from workflows_app.engine.definition import shape
from workflows_app.engine.definition.loading import MOST_PROBLEMS, refuse
from workflows_app.engine.definition.machine_parsing import parse_machine
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    Backoff,
    Body,
    Cache,
    Callback,
    CallBody,
    Case,
    ChoiceBody,
    Compensation,
    Concurrency,
    DecideBody,
    Definition,
    EmitBody,
    FailBody,
    ForeachBody,
    Join,
    Kind,
    Limit,
    LoopBody,
    ParallelBody,
    ReceiveBody,
    Rest,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.definition.moments import normal_moment
from workflows_app.engine.definition.reactions import ErrorCase, OnError, Reaction, Reactions, Threshold
from workflows_app.engine.definition.retention import parse_retention
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
        priority=document.get("priority", "normal"),
        concurrency=_concurrency(document.get("concurrency")),
        retention=parse_retention(document.get("retention")),
        default_timeout=_duration(defaults.get("timeout")),
        default_retry=_retry(defaults.get("retry")),
        infers_needs="needs" in defaults,
        steps=_steps(document.get("steps", [])),
        machine=parse_machine(document, _step) if document.get("kind") == "state_machine" else None,
        output=document.get("output"),
    )


def _steps(raw: list[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(_step(step) for step in raw)


def _step(raw: Mapping[str, Any]) -> Step:
    kind = next(kind for kind in Kind if kind.value in raw)
    compensate = raw.get("compensate")
    return Step(
        id=raw["id"],
        kind=kind,
        body=_body(kind, raw),
        name=raw.get("name"),
        description=raw.get("description"),
        **_needs(raw.get("needs")),
        when=_expression(raw.get("when")),
        join=_join(raw),
        timeout=_duration(raw.get("timeout")),
        deadline=_duration(raw.get("deadline")),
        retry=_retry(raw.get("retry")),
        on_error=_on_error(raw.get("on_error", "fail")),
        compensate=_compensation(compensate) if isinstance(compensate, Mapping) else None,
        irreversible=compensate == "irreversible",
        result=raw.get("result"),
        queue=raw.get("queue"),
        priority=raw.get("priority"),
        cache=_cache(raw.get("cache")),
        idempotency_key=raw.get("idempotency_key"),
        batch=raw.get("batch", True),
        disabled=raw.get("disabled", False),
        notes=raw.get("notes"),
        ui=raw.get("ui"),
    )


def _needs(raw: Any) -> dict[str, Any]:
    """Return the fields of a step that say what it waits for."""
    if raw is None or isinstance(raw, list):
        return {"needs": None if raw is None else tuple(raw)}
    return {"needs": tuple(raw.get("also", ())) if isinstance(raw, Mapping) else (), "infers_needs": True}


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
            return ParallelBody(branches=branches, join=_join(value))
        case Kind.FOREACH:
            return _foreach(value)
        case Kind.LOOP:
            return _loop(value)
        case Kind.WAIT if "until" in value:
            return WaitBody(until=normal_moment(value["until"]))
        case Kind.WAIT:
            length = value["for"]
            return WaitBody(duration=length if isinstance(length, str) and "${" in length else parse_duration(length))
        case Kind.RECEIVE:
            return _receive(value)
        case Kind.EMIT:
            return EmitBody(event=value["event"], data=value.get("data"), correlate=value.get("correlate"))
        case Kind.CALL:
            wanted, waits = value.get("version"), value.get("wait", True)
            return CallBody(workflow=value["workflow"], version=wanted, input=value.get("input"), wait=waits)
        case Kind.DECIDE:
            given = value.get("input")
            return DecideBody(table=value["table"], version=value.get("version"), input={} if given is None else given)
        case Kind.ADHOC:
            return _adhoc(value)
        case Kind.RETURN:
            return ReturnBody(output=value.get("output"))
        case Kind.FAIL:
            return FailBody(code=value["code"], message=value.get("message", ""))


def _receive(raw: Mapping[str, Any]) -> ReceiveBody:
    timeout, called = _duration(raw.get("timeout")), raw.get("callback")
    if called is not None:
        secret = called["secret"] if isinstance(called, Mapping) else None
        return ReceiveBody(event=callbacks.EVENT, timeout=timeout, callback=Callback(secret=secret))
    where = _expression(raw.get("where"))
    return ReceiveBody(event=raw["event"], correlate=raw.get("correlate"), where=where, timeout=timeout)


def _foreach(raw: Mapping[str, Any]) -> ForeachBody:
    items = raw["items"]
    return ForeachBody(
        items=items if isinstance(items, str) else tuple(items),
        steps=_steps(raw["steps"]),
        name=raw.get("as", "item"),
        max_concurrency=_whole(raw.get("max_concurrency")),
        batch_size=_whole(raw.get("batch_size")),
        collect=raw.get("collect"),
        join=_join(raw),
    )


def _loop(raw: Mapping[str, Any]) -> LoopBody:
    times = raw.get("times")
    return LoopBody(
        steps=_steps(raw["steps"]),
        condition=_expression(raw.get("while")),
        until=_expression(raw.get("until")),
        times=times if isinstance(times, str) else _whole(times),
        max_iterations=_whole(raw.get("max_iterations")),
    )


def _adhoc(raw: Mapping[str, Any]) -> AdhocBody:
    return AdhocBody(
        # What is written before another member says nothing of the order: people do.
        steps=tuple(replace(step, needs=()) for step in _steps(raw["steps"])),
        complete_when=_expression(raw.get("complete_when")),
        assign=raw.get("assign"),
    )


def _whole(raw: float | None) -> int | None:
    return None if raw is None else int(raw)


def _join(raw: Mapping[str, Any]) -> Join:
    written = raw.get("join", "all")
    quorum = written["at_least"] if isinstance(written, Mapping) else {"all": None, "any": 1}[written]
    return Join(
        quorum=None if quorum is None else int(quorum),
        rest=Rest(raw.get("rest", Rest.LET_FINISH)),
        tolerate=int(raw.get("tolerate", 0)),
        deadline=_duration(raw.get("join_deadline")),
    )


def _on_error(raw: Any) -> Reactions:
    """Return what a step's failure means."""
    if isinstance(raw, list):
        return Reactions(cases=tuple(map(_error_case, raw)))
    return Reactions(plain=_reaction(raw))


def _error_case(raw: Mapping[str, Any]) -> ErrorCase:
    counted = raw.get("attempts")
    return ErrorCase(
        then=_reaction(raw["then"]),
        codes=tuple(raw.get("codes", ())),
        when=_expression(raw.get("when")),
        attempts=counted and Threshold(at_least=int(counted["at_least"]), within=_duration(counted.get("within"))),
    )


def _reaction(raw: Any) -> Reaction:
    if not isinstance(raw, Mapping):
        return Reaction(kind=OnError(raw))
    if "goto" in raw:
        return Reaction(kind=OnError.GOTO, goto=raw["goto"])
    if "fallback" in raw:
        instead = raw["fallback"]
        body = ActivityBody(activity=instead["activity"], parameters=instead.get("with", {}))
        return Reaction(kind=OnError.FALLBACK, fallback=body)
    return Reaction(kind=OnError.OUTPUT, output=raw["output"])


def _compensation(raw: Mapping[str, Any]) -> Compensation:
    return Compensation(
        activity=raw["activity"],
        parameters=raw.get("with", {}),
        when=_expression(raw.get("when")),
        timeout=_duration(raw.get("timeout")),
        retry=_retry(raw.get("retry")),
    )


def _concurrency(raw: Mapping[str, Any] | None) -> Concurrency | None:
    return None if raw is None else Concurrency(limit=int(raw["limit"]), key=raw.get("key"))


def _cache(raw: Mapping[str, Any] | None) -> Cache | None:
    return None if raw is None else Cache(ttl=parse_duration(raw["ttl"]), key=raw.get("key"))


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
        limits=tuple(map(_limit, raw.get("limits", ()))),
    )


def _limit(raw: Mapping[str, Any]) -> Limit:
    return Limit(max_attempts=int(raw["max_attempts"]), code=raw.get("code"), when=_expression(raw.get("when")))


def _expression(raw: str | bool | None) -> str | None:
    return str(raw).lower() if isinstance(raw, bool) else raw


def _duration(raw: str | float | None) -> float | None:
    return None if raw is None else parse_duration(raw)
