"""Reacting: which case of a step's ``on_error`` a failure beyond the retries falls under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from workflows_app.engine.definition.reactions import ErrorCase, OnError, Reaction, Threshold
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.node import Node
from workflows_app.engine.states import AttemptState, Role
from workflows_app.engine.transitions.draft import Draft

FAILING = Reaction()
COUNTED = (AttemptState.FAILED, AttemptState.TIMED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What follows from a failure.

    Args:
        reaction: what follows.
        case: the place of the case that says so; ``None`` where none does.
        facts: the same for the event, with the first condition that could not be evaluated.
    """

    reaction: Reaction
    case: int | None
    facts: Mapping[str, Any]

    @property
    def kind(self) -> OnError:
        return self.reaction.kind


def choose(draft: Draft, node: Node, problem: Mapping[str, Any], *, ended: AttemptState | None) -> Choice:
    """Return what follows from the failure of a step; a condition that breaks counts as false.

    Args:
        problem: the error that it fails with.
        ended: how the attempt that is being recorded ended, ``None`` if none is.
    """
    if node.is_part or draft.stopped(node) or draft.step(node.path).role is Role.FALLBACK:
        return Choice(reaction=FAILING, case=None, facts={})
    policy, facts = node.step.on_error, dict[str, Any]()
    for place, case in enumerate(policy.cases):
        if _fits(draft, node, place, case, problem, ended, facts):
            return Choice(reaction=case.then, case=place, facts={**facts, "error_case": place})
    return Choice(reaction=FAILING if policy.cases else policy.plain, case=None, facts=facts)


def _fits(
    draft: Draft,
    node: Node,
    place: int,
    case: ErrorCase,
    problem: Mapping[str, Any],
    ended: AttemptState | None,
    facts: dict[str, Any],
) -> bool:
    if case.codes and problem["code"] not in case.codes:
        return False
    if case.attempts is not None and not _reached(draft, node, case.attempts, ended):
        return False
    condition = node.error_conditions[place]
    if condition is None:
        return True
    try:
        return draft.evaluate(condition, node, {"error": dict(problem)}) is True
    except OrchestratorError as broken:
        facts.setdefault("error_when", {"case": place, "code": broken.code, "message": broken.message})
        return False


def _reached(draft: Draft, node: Node, threshold: Threshold, ended: AttemptState | None) -> bool:
    """Whether so many attempts have failed, the one at hand included; those lost with their worker do not count."""
    now, before = int(ended in COUNTED), draft.step(node.path).failures
    if threshold.within is None or now + before < threshold.at_least:
        return now + before >= threshold.at_least
    missing = threshold.at_least - now
    if missing <= 0:
        return True
    # An operator's retry counts anew, so attempts of before it are left out.
    times = draft.failed_at(node.path)[:before]
    return len(times) >= missing and times[missing - 1] >= draft.now - timedelta(seconds=threshold.within)
