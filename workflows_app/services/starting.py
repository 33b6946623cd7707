"""Starting: what a start is given beside its input (tags, overrides, time, id) is checked before anything is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from workflows_app.engine import overrides as given_overrides
from workflows_app.engine import tags as given_tags
from workflows_app.engine.durations import LONGEST
from workflows_app.engine.errors import InputInvalid, Problem
from workflows_app.engine.graph import Graph
from workflows_app.services import graphs

OF_CALLED = 5
"""The version of the ids that called instances have: they follow from who calls."""


def check(*, tags: Sequence[str], instance_id: UUID | None = None) -> None:
    """Refuse tags that are none, and an id that could be that of a called instance.

    Raises:
        InputInvalid: INVALID_TAG, TOO_MANY_TAGS or INVALID_ID, with every place.
    """
    problems = list(given_tags.check(tags))
    if instance_id is not None and (instance_id.version == OF_CALLED or not instance_id.int):
        message = "must be a UUID of another version than 5 (those are for called instances) and not zero"
        problems.append(Problem(code="INVALID_ID", path="id", message=message))
    _refuse("what is given", problems)


def graph_of(version_id: int, given: Mapping[str, Any] | None) -> tuple[Graph, dict[str, Any] | None]:
    """Return the graph that a new instance is decided on, and its overrides as they are kept.

    Raises:
        InputInvalid: with every problem of the overrides.
    """
    graph = graphs.of_version(version_id)
    if not given:
        return graph, None
    kept, problems = given_overrides.read(given, graph)
    _refuse("the overrides", problems)
    return (graphs.of_instance(version_id, json.dumps(kept)), kept) if kept else (graph, None)


def moment(now: datetime, *, at: datetime | None, after: float | None) -> datetime:
    """Return when an instance is to begin.

    Args:
        now: the database's time.
        at: the moment asked for; or ``after``: seconds from now.

    Raises:
        InputInvalid: INVALID_TIME: both, no time zone, gone by already, or more than 100 years ahead.
    """
    if at is not None and after is not None:
        raise _no_time("at", "is given beside a delay; give one of them")
    if after is not None:
        if not 0 < after <= LONGEST:
            raise _no_time("in", "must be longer than nothing and at most 100 years")
        return now + timedelta(seconds=after)
    assert at is not None
    if at.tzinfo is None:
        raise _no_time("at", "has no time zone")
    if at <= now:
        raise _no_time("at", f"{at.isoformat()} is not in the future")
    if at - now > timedelta(seconds=LONGEST):
        raise _no_time("at", "is more than 100 years ahead")
    return at


def _no_time(path: str, message: str) -> InputInvalid:
    problem = Problem(code="INVALID_TIME", path=path, message=message)
    return InputInvalid(f"the start's `{path}` {message}", code="INVALID_TIME", problems=[problem])


def _refuse(what: str, problems: list[Problem]) -> None:
    if problems:
        first = problems[0]
        raise InputInvalid(f"{what} has {len(problems)} problem(s)", code=first.code, problems=problems)
