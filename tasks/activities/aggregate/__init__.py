"""``data.aggregate``: several sources are asked side by side, and what they answer becomes one result.

``sources`` says what each one is asked and for how long, ``crew`` has them asked in threads while one thread uses the
database, ``freshness`` keeps answers for a while. All is bounded: the number of sources, the time of each and of the
whole, and the size of every answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from tasks.activities.aggregate import freshness
from tasks.activities.aggregate.crew import Crew
from tasks.activities.aggregate.sources import PARAMETERS, Source, duration, read
from workflows_app.activities import ActivityContext, ActivityError, activity
from workflows_app.engine.transitions import effect_unknown

TIMEOUT = 30.0
RESERVE = 2.0
"""Seconds of the attempt's time that the sources do not get: a partial answer has to be recorded before it is over."""
MARGIN = 0.25
"""Seconds after the last source's own time in which it may say so itself."""
_PASSED_ON = ("code", "message", "recoverable")


@activity(
    "data.aggregate",
    version="1.0.0",
    description="Asks several sources at the same time and puts together what they answer.",
    parameters=PARAMETERS,
    effects=True,
    category="data",
)
def aggregate(
    *,
    sources: dict[str, dict[str, Any]],
    context: ActivityContext,
    timeout: float | str | None = None,
    source_timeout: float | str | None = None,
) -> dict[str, Any]:
    """Ask all sources, and return what came in time.

    Args:
        sources: by name, what each is asked; see ``PARAMETERS``.
        context: the attempt.
        timeout: of the whole.
        source_timeout: of each source that says nothing.

    Returns:
        ``{data, missing, errors, from_cache, complete, seconds}``: answers and errors by name of the source, the names
        of those that did not answer and of those that were not asked, and how long it took.

    Raises:
        NotYet: a required source is called as often as it may be; nothing was sent.
        ActivityError: INVALID_PARAMETERS, INVALID_INPUT (not recoverable); REQUIRED_SOURCE_MISSING: ``details`` have
            ``missing`` and ``errors``. Another attempt makes sense where it does for every required source.
        AttemptCancelled: when told to stop.
    """
    begun = time.monotonic()
    whole = TIMEOUT if timeout is None else duration("timeout", timeout)
    seconds = min(whole, _of_attempt(context.deadline_seconds))
    wanted = read(sources, source_timeout, seconds)
    answers = freshness.find(context, wanted)
    from_cache = sorted(answers)
    asked = [source for source in wanted if source.name not in answers]
    problems = _ask(asked, seconds, context, answers)
    freshness.keep(context, [(source, answers[source.name]) for source in asked if source.name in answers])
    lacking = [source.name for source in wanted if source.required and source.name not in answers]
    errors = {name: _described(problem) for name, problem in sorted(problems.items())}
    missing = [source.name for source in wanted if source.name not in answers]
    if lacking:
        raise _failed(lacking, missing, problems, errors)
    return {
        "data": answers,
        "missing": missing,
        "errors": errors,
        "from_cache": from_cache,
        "complete": not missing,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _of_attempt(deadline: float | None) -> float:
    """Return how long the sources may take so that the attempt is not over before.

    >>> _of_attempt(60.0), _of_attempt(3.0)
    (58.0, 1.5)
    """
    return float("inf") if deadline is None else max(deadline - RESERVE, deadline / 2)


def _ask(
    asked: list[Source], seconds: float, context: ActivityContext, answers: dict[str, Any]
) -> dict[str, ActivityError]:
    """Ask sources, put what they answer into ``answers``, and return why the others did not."""
    crew = Crew(context)
    problems: dict[str, ActivityError] = {}
    with ExitStack() as stack:
        works = {}
        for source in asked:
            try:
                works[source.name] = source.prepared(context, crew, stack)
            except ActivityError as refused:
                if source.stops_all(refused):
                    raise
                problems[source.name] = refused
        required = {source.name for source in asked if source.required}

        def enough(outcomes: Mapping[str, Any]) -> bool:
            """One required source that fails decides about the whole."""
            return any(isinstance(outcomes.get(name), BaseException) for name in required)

        hopeless = not required.isdisjoint(problems)
        outcomes = {} if hopeless else crew.run(works, seconds=seconds + MARGIN, enough=enough)
    for source in asked:
        if source.name in problems:
            continue
        outcome = outcomes.get(source.name)
        if outcome is None:
            is_decided = hopeless or enough(outcomes)
            problems[source.name] = _unanswered(seconds, crew.late.get(source.name), is_decided=is_decided)
        elif isinstance(outcome, ActivityError):
            problems[source.name] = outcome
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            answers[source.name] = source.taken(outcome)
    return problems


def _unanswered(seconds: float, late: Any, *, is_decided: bool) -> ActivityError:
    """Say why a source was not waited for; what it says of its call when it is told to stop still counts."""
    details: dict[str, Any] = {"status": 0}
    if isinstance(late, ActivityError) and effect_unknown({"details": late.details}):
        details["effect"] = "unknown"
    if is_decided:
        return ActivityError("It was not waited for: a required source failed.", code="NOT_AWAITED", details=details)
    return ActivityError(f"No answer came within {seconds:g} s.", code="SOURCE_TIMEOUT", details=details)


def _described(problem: ActivityError) -> dict[str, Any]:
    found = {name: getattr(problem, name) for name in _PASSED_ON}
    return {**found, "status": problem.details.get("status", 0)}


def _failed(
    lacking: list[str], missing: list[str], problems: Mapping[str, ActivityError], errors: Mapping[str, Any]
) -> ActivityError:
    """Put the failure of the whole together from those of its sources."""
    decisive = [name for name in lacking if problems[name].code != "NOT_AWAITED"] or lacking
    named = ", ".join(f"{name} ({problems[name].code})" for name in decisive)
    rests = [problems[name].details.get("retry_after") for name in decisive]
    details: dict[str, Any] = {"status": errors[decisive[0]]["status"], "missing": missing, "errors": errors}
    if numbers := [rest for rest in rests if isinstance(rest, int | float)]:
        details["retry_after"] = max(numbers)
    if any(effect_unknown({"details": problem.details}) for problem in problems.values()):
        details["effect"] = "unknown"
    return ActivityError(
        f"Required sources did not answer: {named}.",
        code="REQUIRED_SOURCE_MISSING",
        details=details,
        recoverable=all(problems[name].recoverable for name in decisive),
    )
