"""Advancing: the hot path. A step's success and what plainly follows from it, in one statement of the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from django.db import connection

from workflows_app.engine import handing, passing, plain, stored, values
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.handing import Splice
from workflows_app.engine.node import Node
from workflows_app.engine.passing import Given, Passed
from workflows_app.engine.plain import Plain
from workflows_app.engine.priority import HEAD_START
from workflows_app.engine.states import Role
from workflows_app.engine.transitions.repeating import REFILL
from workflows_app.services import claims, decisions, graphs
from workflows_app.services.claims import Claim, Onward

STATEMENT = f"SELECT wf_advance_step({', '.join(['%s'] * 22)})"


class NotPlain(Exception):
    """Only the engine can decide what follows; nothing was changed."""


@lru_cache(maxsize=4096)
def _after(version_id: int, overrides: str | None, path: str) -> tuple[Plain | None, Splice | None]:
    graph = graphs.of_instance(version_id, overrides)
    follow = plain.after(graph, path)
    return follow, handing.splice(graph, follow.next) if follow and follow.next else None


def advance(claim: Claim, output: str, onward: Onward, passed: Passed | None = None) -> None:
    """Record that an attempt succeeded and begin or send what follows, without loading a slice.

    Args:
        claim: the attempt.
        output: JSON text of its output, from ``values.encode``.
        onward: gets the step that was begun or claimed with it as ``next``.
        passed: where the output has the large value that the step was given, unchanged.

    Raises:
        NotPlain: nothing was changed.
    """
    is_action = claim.role is Role.ACTION
    follow, splice = _after(claim.version_id, claim.overrides, claim.path) if is_action else (None, None)
    if follow is None:
        raise NotPlain
    with claim.known.completing(claim.path, output, claim.number):
        begun = follow.next
        begins = begun is not None and onward.begins(claim, begun.path, queue=begun.queue, timeout=begun.timeout)
        try:
            coming = _coming(claim, begun, output, splice, passed) if begun else None
            result = _encode(claim.known.evaluate(claim.graph.output)) if follow.last else None
        except OrchestratorError as problem:
            raise NotPlain from problem
        mate = None if begins else onward.take_mate()
        answer = None
        try:
            answer = _execute(claim, output, follow, coming, result, begins=begins, mate=mate, passed=passed)
            if answer is not None and "whole" in answer:
                # Somebody else said what it has for parameters: where they came from is not known.
                answer = _execute(claim, output, follow, coming, result, begins=begins, mate=mate)
        finally:
            if answer is None and mate is not None:
                onward.mates.appendleft(mate)
        if answer is None:
            raise NotPlain
    if begun is not None and coming is not None and begins:
        onward.next = _begun(claim, begun, coming)
    elif mate is not None and "mate" in answer:
        names: dict[str, Any] = {"version_id": claim.version_id, "workflow": claim.workflow, "version": claim.version}
        names |= {"correlation_id": claim.correlation_id, "overrides": claim.overrides}
        taken = {**names, **answer["mate"]}
        columns = [taken[name] for name in claims.COLUMNS]
        onward.next = claims.of_row(claim.instance_id, mate[0], claim.worker, columns, claim.known)
    if follow.last:
        decisions.go_on(claim.graph)
    if begun is not None and not begins and begun.priority:
        _rank(claim, begun)
    if answer["told"]:
        decisions.tell([claim.instance_id])
    if begun is not None and answer["published"]:
        sent = [Dispatch(step=begun.path, generation=1, queue=begun.queue, timeout=begun.timeout)]
        onward.carried = onward.carries_on(sent)
        decisions.publish(claim.instance_id, claim.graph, [] if onward.carried else sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The parameters of the step to come: as a value, and as what its event says of them, without the braces.

    ``given`` is the large value in them that is not said again.
    """

    parameters: Any
    facts: str
    given: Given | None = None


def _coming(claim: Claim, node: Node, output: str, splice: Splice | None, passed: Passed | None) -> Coming:
    parameters = claim.known.evaluate(node.value, lambda name: claim.graph.named(name, node.path))
    given = handing.scheduled(splice, parameters)
    if splice is None or "input_from" not in given:
        text = _encode(parameters)
        return Coming(parameters=stored.as_stored(text), facts=f'"input":{text}')
    part = partial(passing.text_of, output, splice.take)
    if splice.before is None:
        # The worker keeps the input for further steps: what the activity does to its parameters is its own business.
        text = _encode(parameters)
        parameters, part = stored.as_stored(text), partial(passing.text_of, text, splice.put)
    elif not _fits(parameters, output, splice):
        _encode(parameters)
    value = Given(parameters, splice.put, part)
    if passed is not None and splice.before is not None and splice.take == passed.put:
        value.text = passed.part
    return Coming(parameters=parameters, facts=_encode(given)[1:-1], given=value)


def _fits(parameters: Any, output: str, splice: Splice) -> bool:
    """Whether parameters keep the limits of every value: of bytes, with all of the output in them, and of depth."""
    limit = settings.ORCHESTRATOR_MAX_OUTPUT_BYTES
    if len(output.encode()) + len(_encode(splice.frame)) > limit:
        return False
    # What is put no deeper than it was taken from is no deeper than the output, which has been looked at.
    return len(splice.put) <= len(splice.take) or values.is_small(parameters, limit)


def _execute(
    claim: Claim,
    output: str,
    follow: Plain,
    coming: Coming | None,
    result: str | None,
    *,
    begins: bool,
    mate: tuple[str, int] | None,
    passed: Passed | None = None,
) -> Any:
    """Run the one statement; ``None`` if it refused."""
    begun = follow.next
    said = f'"output":{output}'
    if passed is not None:
        said = f'"output":{passed.frame},"output_from":{json.dumps(passed.origin())}'
    with connection.cursor() as cursor:
        cursor.execute(
            STATEMENT,
            [
                claim.instance_id,
                claim.version_id,
                claim.path,
                claim.number,
                f'{{"attempt_state":"succeeded",{said}}}',
                len(output.encode()) >= handing.LARGE,
                claim.worker,
                settings.ORCHESTRATOR_LEASE_SECONDS,
                follow.around,
                follow.parent,
                follow.block,
                follow.joins,
                follow.join_needs,
                begun.path if begun else None,
                begins,
                f'{{"generation":1,"queue":{json.dumps(begun.queue)},{coming.facts}}}' if begun and coming else None,
                begun.timeout if begun else None,
                settings.ORCHESTRATOR_WINDOW,
                None if result is None else f'{{"output":{result}}}',
                *(mate or (None, None)),
                REFILL,
            ],
        )
        row = cursor.fetchone()[0]
    return None if row is None else stored.loads(row)


def _rank(claim: Claim, node: Node) -> None:
    """Rank a step of another priority than normal. Apart from the commit: if it is lost, the step counts as normal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wf_rank(%s, %s, %s)", [claim.instance_id, json.dumps({node.path: node.priority}), HEAD_START]
        )


def _encode(value: Any) -> str:
    return values.encode(value, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the value")


def _begun(claim: Claim, node: Node, coming: Coming) -> Claim:
    return Claim(
        instance_id=claim.instance_id,
        path=node.path,
        number=1,
        role=Role.ACTION,
        version_id=claim.version_id,
        workflow=claim.workflow,
        version=claim.version,
        correlation_id=claim.correlation_id,
        activity=claim.graph.resolve(node.activity),
        parameters={} if coming.parameters is None else coming.parameters,
        timeout=node.timeout,
        worker=claim.worker,
        known=claim.known,
        overrides=claim.overrides,
        given=coming.given,
    )
