"""Sources: what each is asked, which of its answer is taken, and what its absence means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tasks.activities import http, http_call, service
from tasks.activities.aggregate.crew import Crew, CrewEffects
from tasks.activities.data import paths
from workflows_app.activities import ActivityContext, ActivityError
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.errors import NotYet, OrchestratorError

MOST = 20
LONGEST_CACHED = 86_400.0
_REQUEST = ("connection", "path", "url", "method", "params", "headers", "json", "body", "ok_status")
_CALL = ("service", "operation", "path_params", "params", "headers", "json", "body")
_OWN = {
    "timeout": http.PARAMETERS["properties"]["timeout"],
    "required": {
        "type": "boolean",
        "default": True,
        "description": "Whether the step fails without its answer.",
    },
    "take": {
        "type": "string",
        "pattern": paths.PATH_PATTERN,
        "maxLength": 500,
        "description": "Path of what is taken of {status, headers, json, text}; by default json, or text without it.",
    },
    "cache": {
        "type": "object",
        "required": ["ttl"],
        "additionalProperties": False,
        "description": "For how long an answer is taken instead of asking again.",
        "properties": {
            "ttl": {"type": ["number", "string"], "description": "How long, a day at most."},
            "key": {
                "type": ["string", "number"],
                "description": "What makes two questions the same; by default all that is asked.",
            },
        },
    },
}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "required": ["sources"],
    "properties": {
        "sources": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MOST,
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,49}$"},
            "description": "By name: an operation of a service, or an HTTP request.",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    **{name: http.PARAMETERS["properties"][name] for name in _REQUEST},
                    **{name: service.PARAMETERS["properties"][name] for name in _CALL},
                    **_OWN,
                },
                "additionalProperties": False,
            },
        },
        "timeout": http.PARAMETERS["properties"]["timeout"] | {"description": "Of the whole: seconds or a duration."},
        "source_timeout": http.PARAMETERS["properties"]["timeout"] | {"description": "Of each source without its own."},
    },
    "additionalProperties": False,
    "$defs": http.PARAMETERS["$defs"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source.

    Args:
        asked: the parameters of the call, without what only the aggregation knows.
        seconds: how long it may take at most.
        limit: the time that the parameters name; ``None``: of a service, what its operation says counts.
        taken_at: where in the answer the data stands; ``None``: its JSON, or its text.
        fresh_for: seconds for which an answer is kept, ``None``: it is not.
        key: what it is kept under.
    """

    name: str
    asked: Mapping[str, Any] = field(repr=False)
    required: bool
    seconds: float
    limit: float | None
    taken_at: paths.Keys | None
    fresh_for: float | None
    key: Any

    @property
    def is_service(self) -> bool:
        return "service" in self.asked

    def prepared(self, context: ActivityContext, crew: Crew, stack: ExitStack) -> Callable[[], dict[str, Any]]:
        """Return what asks the source, in any thread; all that can be refused before is refused here.

        Args:
            stack: its end gives back what the call takes up.

        Raises:
            ActivityError: as ``http.request`` and ``service.call`` do before they send.
        """
        key = f"{context.idempotency_key}:{self.name}"
        mine = replace(
            context,
            idempotency_key=key,
            stop_requested=crew.should_stop,
            effects=CrewEffects(context.effects, crew, key),
        )
        try:
            if not self.is_service:
                given = {name: value for name, value in self.asked.items() if name != "ok_status"}
                exchange = http.exchange(context=mine, timeout=self.seconds, **given)
                return partial(exchange.run, self.asked.get("ok_status"))
            call = service.prepare(context=mine, timeout=self.limit, **self.asked)
            call = replace(call, seconds=min(call.seconds, self.seconds))
            admission = stack.enter_context(call.admitted(mine, part=self.name))
        except ActivityError as refused:
            refused.message = f"Source {self.name}: {refused.message}"
            refused.details.setdefault("source", self.name)
            raise
        return partial(call.run, mine, admission, database=crew.do)

    def stops_all(self, refused: ActivityError) -> bool:
        """Whether a refusal says something of the step: its parameters are wrong, or its turn has not come."""
        wrong = refused.code in ("INVALID_PARAMETERS", "INVALID_INPUT")
        return wrong or (self.required and isinstance(refused, NotYet))

    def taken(self, answer: Mapping[str, Any]) -> Any:
        """Return what is wanted of an answer."""
        if self.taken_at is not None:
            return paths.read(dict(answer), self.taken_at)
        return answer["json"] if answer["json"] is not None else answer["text"]


def read(written: Mapping[str, Mapping[str, Any]], source_timeout: float | str | None, seconds: float) -> list[Source]:
    """Read the parameter ``sources``, in the order of the names.

    Args:
        source_timeout: of a source that says nothing.
        seconds: of the whole.

    Raises:
        ActivityError: INVALID_PARAMETERS.
    """
    return [_read(name, raw, source_timeout, seconds) for name, raw in sorted(written.items())]


def _read(name: str, raw: Mapping[str, Any], source_timeout: float | str | None, seconds: float) -> Source:
    where = f"sources.{name}"
    is_service = "service" in raw
    known = _CALL if is_service else _REQUEST
    for key in raw:
        if key not in known and key not in _OWN:
            kind = "an operation of a service" if is_service else "an HTTP request"
            http_call.refuse(f"{where}.{key}", f"This is no key of a source that is {kind}.")
    if is_service and "operation" not in raw:
        http_call.refuse(where, "A service is called by one of its operations: operation is missing.")
    limit = source_timeout if raw.get("timeout") is None else raw["timeout"]
    cache = raw.get("cache")
    asked = {key: value for key, value in raw.items() if key in known}
    own = None if limit is None else duration(f"{where}.timeout", limit)
    take = raw.get("take")
    return Source(
        name=name,
        asked=asked,
        required=raw.get("required", True),
        seconds=seconds if own is None else min(own, seconds),
        limit=own,
        taken_at=None if take is None else paths.keys_of(take),
        fresh_for=None if cache is None else min(LONGEST_CACHED, duration(f"{where}.cache.ttl", cache["ttl"])),
        key={"asked": asked, "take": take} if cache is None or "key" not in cache else cache["key"],
    )


def duration(where: str, written: Any) -> float:
    """Read a parameter that says how long something may take, in seconds.

    Raises:
        ActivityError: INVALID_PARAMETERS.
    """
    try:
        seconds = parse_duration(written)
    except OrchestratorError as refused:
        http_call.refuse(where, refused.message)
    if seconds <= 0:
        http_call.refuse(where, "It must be longer than zero.")
    return seconds
