"""From a ``Definition`` back to a document; keys at their default are left out, durations become text."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.definition.model import (
    ActivityBody,
    Body,
    ChoiceBody,
    Compensation,
    Definition,
    FailBody,
    Join,
    OnError,
    ParallelBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.durations import format_duration

Document = dict[str, Any]


def dump(definition: Definition) -> Document:
    """Return the document of a definition, in the order of keys in which people write it.

    ``parse(dump(d)) == d`` holds for every definition that ``parse`` made.
    """
    defaults = _filled(timeout=_duration(definition.default_timeout), retry=_retry(definition.default_retry))
    return {
        "workflow": definition.name,
        "version": definition.version,
        **_filled(
            title=definition.title,
            description=definition.description,
            metadata=dict(definition.metadata) or None,
            input=_plain(definition.input_schema),
            variables=dict(definition.variables) or None,
            timeout=_duration(definition.timeout),
            on_failure=definition.on_failure,
            on_cancel=definition.on_cancel,
            on_timeout=definition.on_timeout,
            defaults=defaults or None,
        ),
        "steps": [_step(step) for step in definition.steps],
        **_filled(output=definition.output),
    }


def _step(step: Step) -> Document:
    return {
        "id": step.id,
        **_filled(
            name=step.name,
            description=step.description,
            needs=None if step.needs is None else list(step.needs),
            join=step.join.value if step.join is not Join.ALL else None,
            when=step.when,
            disabled=step.disabled or None,
        ),
        **_body(step.body),
        **_filled(
            timeout=_duration(step.timeout),
            deadline=_duration(step.deadline),
            retry=_retry(step.retry),
            on_error=_on_error(step),
            compensate="irreversible" if step.irreversible else _compensation(step.compensate),
            queue=step.queue,
            batch=None if step.batch else False,
            notes=step.notes,
            ui=_plain(step.ui),
        ),
    }


def _body(body: Body) -> Document:
    match body:
        case ActivityBody():
            return {"activity": body.activity, **_filled(**{"with": dict(body.parameters) or None})}
        case SetBody():
            return {"set": dict(body.assignments)}
        case ChoiceBody():
            return {"choice": [{**_filled(when=c.when), "steps": [_step(s) for s in c.steps]} for c in body.cases]}
        case ParallelBody():
            branches = {name: [_step(s) for s in steps] for name, steps in body.branches.items()}
            join = body.join.value if body.join is not Join.ALL else None
            return {"parallel": {"branches": branches, **_filled(join=join)}}
        case WaitBody(until=str() as until):
            return {"wait": {"until": until}}
        case WaitBody():
            length = body.duration
            return {"wait": {"for": length if isinstance(length, str) else format_duration(length or 0)}}
        case ReturnBody():
            return {"return": _filled(output=body.output)}
        case FailBody():
            return {"fail": {"code": body.code, **_filled(message=body.message or None)}}


def _on_error(step: Step) -> Any:
    if step.on_error is OnError.OUTPUT:
        return {"output": step.on_error_output}
    return None if step.on_error is OnError.FAIL else step.on_error.value


def _compensation(undo: Compensation | None) -> Document | None:
    if undo is None:
        return None
    parameters = {"with": dict(undo.parameters) or None}
    return {
        "activity": undo.activity,
        **_filled(**parameters, timeout=_duration(undo.timeout), retry=_retry(undo.retry)),
    }


def _retry(retry: Retry | None) -> Document | None:
    if retry is None:
        return None
    return {
        "max_attempts": retry.max_attempts,
        "backoff": retry.backoff.value,
        "initial_interval": format_duration(retry.initial_interval),
        "multiplier": retry.multiplier,
        "max_interval": format_duration(retry.max_interval),
        "jitter": retry.jitter,
        **_filled(non_retryable=list(retry.non_retryable) or None, when=retry.when),
    }


def _filled(**keys: Any) -> Document:
    return {key: value for key, value in keys.items() if value is not None}


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else value


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(seconds)
