"""Starting: what a start is asked for is checked before anything is stored, and compared with what a key stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from workflows_app.engine import overrides as given_overrides
from workflows_app.engine import schemas, values
from workflows_app.engine import tags as given_tags
from workflows_app.engine.durations import LONGEST
from workflows_app.engine.errors import Conflict, InputInvalid, OrchestratorError, Problem
from workflows_app.engine.graph import Graph
from workflows_app.models import Instance
from workflows_app.services import graphs

KEY_LENGTH = 200
OF_CALLED = 5
"""The version of the ids that called instances have: they follow from who calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a start is asked for; see ``instances.start``."""

    name: str
    version: str | None
    input: Any
    correlation_id: str | None
    idempotency_key: str | None
    actor: str
    tags: tuple[str, ...]
    overrides: Mapping[str, Any] | None
    at: datetime | None
    after: float | None
    id: UUID | None

    @property
    def begins_later(self) -> bool:
        """Whether it is to begin at a time."""
        return self.at is not None or self.after is not None


def check(asked: Asked) -> None:
    """Refuse keys and tags that are none, and an id that could be that of a called instance.

    Raises:
        InputInvalid: INVALID_KEY, INVALID_TAG, TOO_MANY_TAGS or INVALID_ID, with every place.
    """
    for label, key in (("correlation_id", asked.correlation_id), ("idempotency_key", asked.idempotency_key)):
        if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isprintable()):
            raise InputInvalid(
                f"{label} must be 1 to {KEY_LENGTH} printable characters",
                problems=[Problem(code="INVALID_KEY", path=label, message=f"1 to {KEY_LENGTH} printable characters")],
            )
    problems = list(given_tags.check(asked.tags))
    if asked.id is not None and (asked.id.version == OF_CALLED or not asked.id.int):
        message = "must be a UUID of another version than 5 (those are for called instances) and not zero"
        problems.append(Problem(code="INVALID_ID", path="id", message=message))
    _refuse("what is given", problems)


def check_tags(tags: Sequence[str]) -> None:
    """Refuse tags that are none.

    Raises:
        InputInvalid: INVALID_TAG or TOO_MANY_TAGS, with every place.
    """
    _refuse("what is given", list(given_tags.check(tags)))


def check_input(value: Any, schema: Any) -> str:
    """Return an input as JSON text.

    Raises:
        InputInvalid: too large, no JSON, or with every problem that the schema finds.
    """
    try:
        encoded = values.encode(value, limit_bytes=settings.ORCHESTRATOR_MAX_INPUT_BYTES, what="the input")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="input", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused
    problems = schemas.validate(value, schema, path="input") if schema is not None else []
    if problems:
        raise InputInvalid(f"the input has {len(problems)} problem(s)", problems=problems)
    return encoded


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


def existing(asked: Asked, encoded: str, overridden: Mapping[str, Any] | None) -> Instance:
    """Return the instance that an earlier start with the same key made, if it asked for the same.

    Raises:
        Conflict: it did not, or the id belongs to another start.
    """
    key, found = asked.idempotency_key, known(asked)
    if found is None:
        raise Conflict(f"there is an instance {asked.id} already", code="ID_TAKEN")
    with connection.cursor() as cursor:
        # The database compares: it alone knows which numbers it takes for the same.
        cursor.execute(
            "SELECT input IS NOT DISTINCT FROM %s::jsonb, overrides IS NOT DISTINCT FROM %s::jsonb "
            "FROM workflows_app_instance WHERE id = %s",
            [encoded, None if overridden is None else json.dumps(overridden), found.pk],
        )
        same = dict(zip(("another input", "other overrides"), cursor.fetchone(), strict=True))
    same["another id"] = asked.id in (None, found.pk)
    for what, is_same in same.items():
        if not is_same:
            message = f"the idempotency key {key!r} was used with {what}, by instance {found.pk}"
            raise Conflict(message, code="IDEMPOTENCY_CONFLICT")
    return found


def known(asked: Asked) -> Instance | None:
    """Return the instance that an earlier start with the same idempotency key made."""
    if asked.idempotency_key is None:
        return None
    return Instance.objects.filter(workflow=asked.name, idempotency_key=asked.idempotency_key).first()


def _no_time(path: str, message: str) -> InputInvalid:
    problem = Problem(code="INVALID_TIME", path=path, message=message)
    return InputInvalid(f"the start's `{path}` {message}", code="INVALID_TIME", problems=[problem])


def _refuse(what: str, problems: list[Problem]) -> None:
    if problems:
        first = problems[0]
        raise InputInvalid(f"{what} has {len(problems)} problem(s)", code=first.code, problems=problems)
