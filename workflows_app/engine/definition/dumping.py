"""From a ``Definition`` back to a document; keys at their default are left out, durations become text."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.definition.machine_parsing import dump_machine
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    Body,
    Cache,
    Callback,
    CallBody,
    ChoiceBody,
    Compensation,
    Concurrency,
    DecideBody,
    Definition,
    EmitBody,
    FailBody,
    ForeachBody,
    Join,
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
from workflows_app.engine.definition.reactions import ErrorCase, OnError, Reaction, Reactions
from workflows_app.engine.definition.retention import dump_retention
from workflows_app.engine.durations import format_duration

Document = dict[str, Any]


def dump(definition: Definition) -> Document:
    """Return the document of a definition, in the order of keys in which people write it.

    ``parse(dump(d)) == d`` holds for every definition that ``parse`` made.
    """
    machine = definition.machine
    defaults = _filled(
        timeout=_duration(definition.default_timeout),
        retry=_retry(definition.default_retry),
        needs="inferred" if definition.infers_needs else None,
    )
    return {
        "workflow": definition.name,
        "version": definition.version,
        **_filled(kind=None if machine is None else "state_machine"),
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
            priority=None if definition.priority == "normal" else definition.priority,
            concurrency=_concurrency(definition.concurrency),
            retention=dump_retention(definition.retention),
            defaults=defaults or None,
        ),
        **(dump_machine(machine, _step) if machine else {"steps": [_step(step) for step in definition.steps]}),
        **_filled(output=definition.output),
    }


def _step(step: Step) -> Document:
    return {
        "id": step.id,
        **_filled(
            name=step.name,
            description=step.description,
            needs=_needs(step),
            **_join(step.join),
            when=step.when,
            disabled=step.disabled or None,
        ),
        **_body(step.body),
        **_filled(
            result=step.result,
            timeout=_duration(step.timeout),
            deadline=_duration(step.deadline),
            retry=_retry(step.retry),
            on_error=_on_error(step.on_error),
            compensate="irreversible" if step.irreversible else _compensation(step.compensate),
            queue=step.queue,
            priority=step.priority,
            cache=_cache(step.cache),
            idempotency_key=step.idempotency_key,
            batch=None if step.batch else False,
            notes=step.notes,
            ui=_plain(step.ui),
        ),
    }


def _needs(step: Step) -> Any:
    if not step.infers_needs:
        return None if step.needs is None else list(step.needs)
    return {"inferred": True, "also": list(step.needs)} if step.needs else "inferred"


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
            return {"parallel": {"branches": branches, **_join(body.join)}}
        case ForeachBody():
            return {"foreach": _foreach(body)}
        case LoopBody():
            keys = {"while": body.condition, "until": body.until, "times": body.times}
            steps = [_step(s) for s in body.steps]
            return {"loop": {**_filled(**keys, max_iterations=body.max_iterations), "steps": steps}}
        case WaitBody(until=str() as until):
            return {"wait": {"until": until}}
        case WaitBody():
            length = body.duration
            return {"wait": {"for": length if isinstance(length, str) else format_duration(length or 0)}}
        case ReceiveBody(callback=Callback(secret=secret)):
            called = True if secret is None else {"secret": secret}
            return {"receive": {"callback": called, **_filled(timeout=_duration(body.timeout))}}
        case ReceiveBody(event=event, correlate=key, where=where):
            waits = _filled(correlate=key, where=where, timeout=_duration(body.timeout))
            return {"receive": {"event": event, **waits}}
        case EmitBody(event=event, data=data, correlate=key):
            return {"emit": {"event": event, **_filled(data=data, correlate=key)}}
        case CallBody():
            wait = None if body.wait else False
            return {"call": {"workflow": body.workflow, **_filled(version=body.version, input=body.input, wait=wait)}}
        case DecideBody():
            given = None if body.input == {} else body.input
            return {"decide": {"table": body.table, **_filled(version=body.version, input=given)}}
        case AdhocBody():
            keys = {"complete_when": body.complete_when, "assign": _plain(body.assign)}
            members = [{key: value for key, value in _step(s).items() if key != "needs"} for s in body.steps]
            return {"adhoc": {**_filled(**keys), "steps": members}}
        case ReturnBody():
            return {"return": _filled(output=body.output)}
        case FailBody():
            return {"fail": {"code": body.code, **_filled(message=body.message or None)}}


def _foreach(body: ForeachBody) -> Document:
    return {
        "items": body.items if isinstance(body.items, str) else list(body.items),
        **_filled(
            **{"as": None if body.name == "item" else body.name},
            max_concurrency=body.max_concurrency,
            batch_size=body.batch_size,
            collect=body.collect,
        ),
        **_join(body.join),
        "steps": [_step(s) for s in body.steps],
    }


def _join(join: Join) -> Document:
    quorum = {None: None, 1: "any"}.get(join.quorum, {"at_least": join.quorum})
    rest = None if join.rest is Rest.LET_FINISH else join.rest.value
    return _filled(join=quorum, rest=rest, tolerate=join.tolerate or None, join_deadline=_duration(join.deadline))


def _on_error(reactions: Reactions) -> Any:
    if reactions.cases:
        return [_error_case(case) for case in reactions.cases]
    return None if reactions.plain.kind is OnError.FAIL else _reaction(reactions.plain)


def _error_case(case: ErrorCase) -> Document:
    counted = case.attempts
    attempts = counted and {"at_least": counted.at_least, **_filled(within=_duration(counted.within))}
    then = _reaction(case.then)
    return {**_filled(codes=list(case.codes) or None, when=case.when, attempts=attempts), "then": then}


def _reaction(reaction: Reaction) -> Any:
    match reaction.kind:
        case OnError.OUTPUT:
            return {"output": reaction.output}
        case OnError.GOTO:
            return {"goto": reaction.goto}
        case _ if reaction.fallback is not None:
            return {"fallback": _body(reaction.fallback)}
    return reaction.kind.value


def _compensation(undo: Compensation | None) -> Document | None:
    if undo is None:
        return None
    parameters = {"with": dict(undo.parameters) or None}
    return {
        "activity": undo.activity,
        **_filled(**parameters, when=undo.when, timeout=_duration(undo.timeout), retry=_retry(undo.retry)),
    }


def _concurrency(limit: Concurrency | None) -> Document | None:
    return None if limit is None else {"limit": limit.limit, **_filled(key=limit.key)}


def _cache(cache: Cache | None) -> Document | None:
    return None if cache is None else {"ttl": format_duration(cache.ttl), **_filled(key=cache.key)}


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
        **_filled(
            non_retryable=list(retry.non_retryable) or None,
            when=retry.when,
            limits=[_limit(limit) for limit in retry.limits] or None,
        ),
    }


def _limit(limit: Limit) -> Document:
    return {**_filled(code=limit.code, when=limit.when), "max_attempts": limit.max_attempts}


def _filled(**keys: Any) -> Document:
    return {key: value for key, value in keys.items() if value is not None}


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "keys") else value


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else format_duration(seconds)
