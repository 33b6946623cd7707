"""A parsed definition: what ``parse`` makes of a document and ``dump`` turns back into one.

Durations are seconds (float). Expressions and templates stay as written; ``graph`` compiles them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Step kinds that this release runs."""

    ACTIVITY = "activity"
    SET = "set"
    CHOICE = "choice"
    PARALLEL = "parallel"
    WAIT = "wait"
    RETURN = "return"
    FAIL = "fail"


class Join(StrEnum):
    ALL = "all"
    ANY = "any"


class Backoff(StrEnum):
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    RANDOM = "random"


class OnError(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry policy; intervals in seconds, ``jitter`` as the fraction by which an interval may vary."""

    max_attempts: int = 3
    backoff: Backoff = Backoff.EXPONENTIAL
    initial_interval: float = 1.0
    multiplier: float = 2.0
    max_interval: float = 60.0
    jitter: float = 0.1
    non_retryable: tuple[str, ...] = ()
    when: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """How a step is undone: an activity with parameters over the step's own ``output`` and ``with``."""

    activity: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityBody:
    activity: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBody:
    assignments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One branch of a choice; ``when`` is ``None`` for the else branch."""

    when: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceBody:
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelBody:
    branches: Mapping[str, tuple[Step, ...]]
    join: Join = Join.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitBody:
    """A durable timer: ``seconds`` (fixed) or ``expression`` of a duration, or ``until`` (an expression of a time)."""

    duration: float | str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnBody:
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailBody:
    code: str
    message: str = ""


Body = ActivityBody | SetBody | ChoiceBody | ParallelBody | WaitBody | ReturnBody | FailBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step definition; ``needs`` is ``None`` where the document leaves it out."""

    id: str
    kind: Kind
    body: Body
    name: str | None = None
    description: str | None = None
    needs: tuple[str, ...] | None = None
    when: str | None = None
    join: Join = Join.ALL
    timeout: float | None = None
    deadline: float | None = None
    retry: Retry | None = None
    on_error: OnError = OnError.FAIL
    on_error_output: Any = None
    compensate: Compensation | None = None
    irreversible: bool = False
    queue: str | None = None
    batch: bool = True
    disabled: bool = False
    notes: Any = None
    ui: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One workflow version as written; ``None`` means that the document is silent."""

    name: str
    version: str
    title: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    input_schema: Mapping[str, Any] | bool | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    on_failure: str | None = None
    on_cancel: str | None = None
    on_timeout: str | None = None
    default_timeout: float | None = None
    default_retry: Retry | None = None
    steps: tuple[Step, ...] = ()
    output: Any = None
