"""Outcomes: a running attempt succeeded, failed, timed out or was lost with its worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows_app.engine import handing, retry, values
from workflows_app.engine.commands import Dispatch, SetTimer, TimerKind
from workflows_app.engine.definition.model import Retry
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.expressions import Expression
from workflows_app.engine.node import Node
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import AttemptState, Role
from workflows_app.engine.transitions import reusing, settling, stopping, undoing
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import (
    AttemptFailed,
    AttemptLost,
    AttemptPostponed,
    AttemptSucceeded,
    AttemptTimedOut,
    StepClaimed,
)
from workflows_app.engine.transitions.problems import error, error_of
from workflows_app.engine.transitions.slice import StaleOccurrence


def running(draft: Draft, path: str, number: int) -> tuple[Node, StepSnapshot]:
    """Return the step if this very attempt is the running one: the fence against stale outcomes."""
    step = draft.step(path)
    if step.attempt != number:
        raise StaleOccurrence(f"attempt {number} of {path} is not running any more")
    return draft.graph[path], step


def claimed(draft: Draft, occurrence: StepClaimed) -> None:
    """Begin an attempt of a dispatched step."""
    step = draft.step(occurrence.step)
    if step.attempt is not None:
        raise StaleOccurrence(f"{occurrence.step} is running already")
    draft.emit(
        EventType.STEP_STARTED, occurrence.step, attempt=step.attempts + 1, role=step.role, worker=occurrence.worker
    )


def succeeded(draft: Draft, occurrence: AttemptSucceeded) -> None:
    node, step = running(draft, occurrence.step, occurrence.number)
    if step.role is Role.COMPENSATION:
        undoing.succeeded(draft, node, occurrence.output)
    else:
        kept: dict[str, Any] = {"error": dict(step.error)} if step.role is Role.FALLBACK and step.error else {}
        try:
            kept |= _assigned(draft, node, occurrence.output)
        except OrchestratorError as refused:
            # The work was done; only the variable cannot take its result.
            facts = {"attempt_state": AttemptState.FAILED, "effect_unknown": True}
            return stopping.failed(draft, node, error_of(refused), **facts)
        if step.role is Role.ACTION:
            reusing.remember(draft, node)
        settling.complete(draft, node, **_output(step, occurrence), attempt_state=AttemptState.SUCCEEDED, **kept)
        draft.change(node.path, output=occurrence.output)


def _output(step: StepSnapshot, occurrence: AttemptSucceeded) -> dict[str, Any]:
    """Return what the event says of the output; all of it unless its large part stands where the row says."""
    passed, kept = occurrence.passed, step.input_from
    if passed is None or step.role is not Role.ACTION or kept is None:
        return {"output": occurrence.output}
    if handing.reference(passed.origin(), kept) is None:
        return {"output": occurrence.output}
    return {"output": handing.filled(occurrence.output, passed.put, None), "output_from": passed.origin()}


def _assigned(draft: Draft, node: Node, output: Any) -> dict[str, Any]:
    """Return what a state machine's action adds to the variables.

    Raises:
        OrchestratorError: all variables together are too large.
    """
    if node.step.result is None:
        return {}
    assigned = {node.step.result: output}
    together = {**draft.instance.variables, **assigned}
    values.encode(together, limit_bytes=draft.before.limit_bytes, what="the instance's variables")
    return {"variables": assigned}


def failed(draft: Draft, occurrence: AttemptFailed) -> None:
    node, step = running(draft, occurrence.step, occurrence.number)
    unknown = effect_unknown(occurrence.error)
    if occurrence.told and step.role is not Role.COMPENSATION and draft.stopped(node):
        problem = dict(occurrence.error)
        stopping.cancel(draft, node, attempt_state=AttemptState.CANCELLED, error=problem, effect_unknown=unknown)
        return
    _again_or_fail(draft, node, occurrence.error, AttemptState.FAILED, occurrence.jitter, unknown)


def postponed(draft: Draft, occurrence: AttemptPostponed) -> None:
    """Let the step wait for another worker; nothing was done, so nothing counts."""
    node, step = running(draft, occurrence.step, occurrence.number)
    problem = dict(occurrence.error)
    if step.role is not Role.COMPENSATION and draft.stopped(node):
        stopping.cancel(draft, node, attempt_state=AttemptState.CANCELLED, error=problem)
        return
    due = draft.now + timedelta(seconds=occurrence.seconds)
    draft.emit(
        EventType.STEP_RETRYING,
        node.path,
        error=problem,
        due_at=due.isoformat(),
        attempt_state=AttemptState.CANCELLED,
    )
    draft.command(SetTimer(step=node.path, kind=TimerKind.RETRY, due_at=due))


def timed_out(draft: Draft, occurrence: AttemptTimedOut) -> None:
    node, _ = running(draft, occurrence.step, occurrence.number)
    problem = error(
        "TIMEOUT",
        f"the attempt took longer than {occurrence.seconds:g} s",
        recoverable=True,
        seconds=occurrence.seconds,
    )
    _again_or_fail(draft, node, problem, AttemptState.TIMED_OUT, occurrence.jitter, True)


def lost(draft: Draft, occurrence: AttemptLost) -> None:
    """Send the step again; a loss does not count as a failure, but too many in a row are quarantined."""
    node, step = running(draft, occurrence.step, occurrence.number)
    problem = error("WORKER_LOST", "the worker's lease expired: its process died or was cut off", recoverable=True)
    losses = step.losses + 1
    quarantined = losses >= occurrence.max_losses
    if quarantined:
        problem = error("QUARANTINED", f"the attempt was lost with its worker {losses} times in a row", losses=losses)
    if step.role is not Role.COMPENSATION and (quarantined or draft.stopped(node)):
        stopping.failed(draft, node, problem, attempt_state=AttemptState.LOST, effect_unknown=True)
    elif quarantined:
        undoing.failed(draft, node, problem, attempt_state=AttemptState.LOST)
    else:
        draft.emit(
            EventType.ATTEMPT_LOST, node.path, error=problem, attempt_state=AttemptState.LOST, effect_unknown=True
        )
        send_again(draft, node)


def send_again(draft: Draft, node: Node) -> None:
    """Dispatch a step's next attempt with the input that it has."""
    step = draft.step(node.path)
    generation = step.generation + 1
    if step.role is not Role.COMPENSATION:
        command = Dispatch(step=node.path, generation=generation, queue=node.queue, timeout=node.timeout)
    else:
        command = undoing.dispatch(node, generation)
    draft.emit(EventType.STEP_SCHEDULED, node.path, generation=generation, queue=command.queue)
    draft.command(command)


def _again_or_fail(
    draft: Draft, node: Node, problem: Mapping[str, Any], ended: AttemptState, jitter: float, unknown: bool
) -> None:
    step = draft.step(node.path)
    undo = step.role is Role.COMPENSATION
    policy = node.retry_of(step.role)
    facts: dict[str, Any] = {"attempt_state": ended}
    if unknown and not undo:
        facts["effect_unknown"] = True
    stopping_now = not undo and draft.stopped(node)
    if policy is not None and not stopping_now and _grants(draft, node, policy, step, problem, facts):
        seconds = max(retry.interval(policy, step.failures + 1, jitter), retry.asked_for(problem))
        due = draft.now + timedelta(seconds=seconds)
        draft.emit(EventType.STEP_RETRYING, node.path, error=dict(problem), due_at=due.isoformat(), **facts)
        draft.command(SetTimer(step=node.path, kind=TimerKind.RETRY, due_at=due))
    elif undo:
        undoing.failed(draft, node, problem, **facts)
    else:
        stopping.failed(draft, node, problem, **facts)


def _grants(
    draft: Draft, node: Node, policy: Retry, step: StepSnapshot, problem: Mapping[str, Any], facts: dict[str, Any]
) -> bool:
    """Whether the policy grants another attempt.

    The limit that the failure counts against is recorded, so that a replay counts without evaluating. A condition that
    breaks counts as false, and that is recorded too.
    """
    code = problem["code"]
    if retry.forbids(policy, code, bool(problem.get("recoverable", True))):
        return False
    own = policy is node.retry
    condition = node.retry_when if own else node.undo_retry_when
    limits = node.retry_limits if own else node.undo_retry_limits

    def meets(place: int) -> bool:
        return _holds(draft, node, limits[place], problem, facts, {"limit": place})

    limit = retry.limit_of(policy, code, meets)
    if limit is not None:
        facts["retry_limit"] = limit
    if not retry.attempts_left(policy, step.failures + 1, retry.counted(step.limited, limit), limit):
        return False
    return condition is None or _holds(draft, node, condition, problem, facts, {})


def _holds(
    draft: Draft,
    node: Node,
    condition: Expression | None,
    problem: Mapping[str, Any],
    facts: dict[str, Any],
    where: Mapping[str, int],
) -> bool:
    """Whether an error meets a condition; the first one that cannot be evaluated is recorded with its place."""
    if condition is None:
        return False
    try:
        return draft.evaluate(condition, node, {"error": dict(problem)}) is True
    except OrchestratorError as broken:
        facts.setdefault("retry_when", {**where, "code": broken.code, "message": broken.message})
        return False


def effect_unknown(problem: Mapping[str, Any]) -> bool:
    """Whether an error says that the call may have had its effect.

    >>> effect_unknown({"code": "HTTP_NO_ANSWER", "details": {"effect": "unknown"}})
    True
    """
    details = problem.get("details")
    return isinstance(details, Mapping) and details.get("effect") == "unknown"
