"""Branches: choices that may take none, joins that join nothing, and steps that no run reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workflows_app.engine import retry
from workflows_app.engine.definition.model import (
    MOST_ITEMS,
    MOST_ITERATIONS,
    ChoiceBody,
    ForeachBody,
    Join,
    Kind,
    LoopBody,
    ParallelBody,
    Rest,
    Step,
)
from workflows_app.engine.definition.places import IN_UNDO, WITH_ERROR
from workflows_app.engine.errors import Problem
from workflows_app.engine.verifier.outline import Outline, Placed, StepList

RESERVED = IN_UNDO | WITH_ERROR | {"event", "index", "iteration", "secret", "callback"}
"""Names that an item cannot have."""
_COMPARISON = re.compile(r"([^<>=!&|?]+?)\s*(==|!=|<=|>=|<|>)\s*([^<>=!&|?]+)\Z")
_NEGATION = re.compile(r"!\s*(?:\(([^()]*)\)|([\w.\[\]]+))\Z")
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def problems(outline: Outline) -> Iterator[Problem]:
    """Yield what is wrong with choices and joins.

    Errors: ``ELSE_NOT_LAST``, ``REST_UNUSED``, ``TOLERATE_UNUSED``, ``JOIN_UNREACHABLE``, ``RESERVED_NAME``,
    ``LOOP_LIMIT``; warnings: ``CASE_UNREACHABLE``, ``BRANCH_NO_DEFAULT``, ``JOIN_ANY_SINGLE``, ``UNREACHABLE``.
    """
    for placed in outline.steps.values():
        body = placed.step.body
        if isinstance(body, ChoiceBody):
            yield from _choice(placed, body)
        if isinstance(body, ForeachBody) and body.name in RESERVED:
            message = f"`{body.name}` means something else in expressions; call the item differently"
            yield Problem(code="RESERVED_NAME", path=placed.path("foreach", "as"), message=message)
        if isinstance(body, LoopBody) and isinstance(body.times, int) and body.times > _most(body):
            message = f"{body.times:,} iterations are more than the {_most(body):,} that are allowed"
            yield Problem(code="LOOP_LIMIT", path=placed.path("loop", "times"), message=message)
        yield from _error_cases(outline, placed)
        needs = placed.inside.needs[placed.step.id]
        yield from _join(placed, (), placed.step.join, len(needs), "dependencies", "; name them in `needs`")
        if isinstance(body, ParallelBody):
            yield from _join(placed, ("parallel",), body.join, len(body.branches), "branches", "")
        if isinstance(body, ForeachBody):
            yield from _join(placed, ("foreach",), body.join, MOST_ITEMS, "items", "")
    ending = _Ending()
    for inside in outline.lists:
        yield from _unreachable(outline, inside, ending)


def _most(body: LoopBody) -> int:
    return min(body.max_iterations or MOST_ITERATIONS, MOST_ITERATIONS)


def _join(placed: Placed, keys: tuple[str, ...], join: Join, among: int, what: str, hint: str) -> Iterator[Problem]:
    if join.quorum is None:
        if join.rest is not Rest.LET_FINISH and join.deadline is None:
            message = f"`rest` has no effect where all {what} are waited for; say `join: any` or `at_least`"
            yield Problem(code="REST_UNUSED", path=placed.path(*keys, "rest"), message=message)
        return
    if join.tolerate:
        message = "`tolerate` has no effect beside `any` or `at_least`, which forgive what they can"
        yield Problem(code="TOLERATE_UNUSED", path=placed.path(*keys, "tolerate"), message=message)
    if join.quorum > max(among, 1):
        message = f"at least {join.quorum} of {among} {what} can never complete"
        yield Problem(code="JOIN_UNREACHABLE", path=placed.path(*keys, "join"), message=message)
    elif among < 2:
        message = f"`any` of fewer than two {what} is no choice{hint}"
        yield _warning("JOIN_ANY_SINGLE", placed.path(*keys, "join"), message)


def _choice(placed: Placed, body: ChoiceBody) -> Iterator[Problem]:
    last = len(body.cases) - 1
    for index, case in enumerate(body.cases):
        if case.when is None and index < last:
            message = "only the last branch may leave `when` out (else); the branches after this one are never taken"
            yield Problem(code="ELSE_NOT_LAST", path=placed.path("choice", index), message=message)
    if body.cases[last].when is not None and not _exhaustive([case.when for case in body.cases]):
        message = "where no condition holds, no branch is taken; a last one without `when` would say what happens then"
        yield _warning("BRANCH_NO_DEFAULT", placed.path("choice"), message)


def _error_cases(outline: Outline, placed: Placed) -> Iterator[Problem]:
    """Find the cases of ``on_error`` that no failure can come to."""
    cases = placed.step.on_error.cases
    policy = placed.step.retry or outline.definition.default_retry
    most = retry.most_failures(policy)
    for index, case in enumerate(cases):
        if case.always and index < len(cases) - 1:
            message = "only the last case may ask for nothing; the cases after this one are never looked at"
            yield Problem(code="ELSE_NOT_LAST", path=placed.path("on_error", index), message=message)
        if case.attempts is not None and case.attempts.at_least > most:
            message = f"the retry policy grants {most} attempts at most, so that no more can fail"
            path = placed.path("on_error", index, "attempts", "at_least")
            yield _warning("CASE_UNREACHABLE", path, message)


def _exhaustive(conditions: list[str | None]) -> bool:
    """Decide the simple cases: ``true``, a comparison and its opposite, a condition and its negation.

    >>> _exhaustive(["input.a > 1", "${ input.a <= 1 }"]), _exhaustive(["vars.x", "!vars.x"]), _exhaustive(["a > 1"])
    (True, True, False)
    """
    plain = {_bare(condition or "true") for condition in conditions}
    if "true" in plain:
        return True
    matches = (_COMPARISON.match(condition) for condition in plain)
    comparisons = {match.groups() for match in matches if match}
    if any((left, _OPPOSITE[operator], right) in comparisons for left, operator, right in comparisons):
        return True
    for condition in plain:
        negated = _NEGATION.match(condition)
        if negated and (negated[1] or negated[2]).strip() in plain:
            return True
    return False


def _bare(condition: str) -> str:
    text = condition.strip()
    return text[2:-1].strip() if text.startswith("${") and text.endswith("}") else text


def _unreachable(outline: Outline, inside: StepList, ending: _Ending) -> Iterator[Problem]:
    """Warn about the steps that stand directly behind one after which the instance has certainly ended."""
    for name in inside.steps:
        needs = inside.needs[name]
        ends = [need for need in needs if ending.certain(inside.steps[need])]
        certain = ends if inside.steps[name].join.quorum is None or len(ends) == len(needs) else []
        if certain:
            message = f"never runs: the instance has ended with `{certain[0]}`"
            yield _warning("UNREACHABLE", outline.steps[name].path(), message)


class _Ending:
    """Remembers which steps, once entered, certainly end the instance."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def certain(self, step: Step) -> bool:
        if step.id not in self._known:
            self._known[step.id] = self._decide(step)
        return self._known[step.id]

    def _decide(self, step: Step) -> bool:
        if step.when is not None or step.disabled or step.on_error.catch:
            return False
        match step.body:
            case ChoiceBody(cases=cases):
                return cases[-1].when is None and all(self._list(case.steps) for case in cases)
            case ParallelBody(branches=named, join=Join(quorum=None, tolerate=0)):
                return any(self._list(steps) for steps in named.values())
            case _:
                return step.kind in (Kind.RETURN, Kind.FAIL)

    def _list(self, steps: tuple[Step, ...]) -> bool:
        """A list is entered as a whole: one certain ending among its unconditional steps is enough."""
        return any(self.certain(step) for step in steps)


def _warning(code: str, path: str, message: str) -> Problem:
    return Problem(code=code, path=path, message=message, severity="warning")
