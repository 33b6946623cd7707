"""A parsed definition: what ``parse`` makes of a document and ``dump`` turns back into one.

Durations are seconds (float). Expressions and templates stay as written; ``graph`` compiles them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from workflows_app.engine.definition.machine import Machine
from workflows_app.engine.definition.reactions import FAILING, Reactions
from workflows_app.engine.definition.retention import Retention

MOST_ITEMS = 100_000
"""How many items a ``foreach`` may have."""
MOST_ITERATIONS = 100_000
"""How many iterations a loop may have at all."""


class Kind(StrEnum):
    """Step kinds that this release runs."""

    ACTIVITY = "activity"
    SET = "set"
    CHOICE = "choice"
    PARALLEL = "parallel"
    FOREACH = "foreach"
    LOOP = "loop"
    WAIT = "wait"
    RECEIVE = "receive"
    EMIT = "emit"
    CALL = "call"
    DECIDE = "decide"
    ADHOC = "adhoc"
    RETURN = "return"
    FAIL = "fail"


class Rest(StrEnum):
    """What becomes of those that a join does not wait for any more."""

    LET_FINISH = "let_finish"
    CANCEL = "cancel"


class Backoff(StrEnum):
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What a step waits for of its needs, a ``parallel`` of its branches, or a ``foreach`` of its iterations.

    Args:
        quorum: how many must complete (1 for ``any``); ``None``: all must settle.
        rest: what becomes of the others once the quorum is reached.
        tolerate: how many of them may fail where all are waited for.
        deadline: seconds, from the first of a step's needs to settle, after which it waits no longer.
    """

    quorum: int | None = None
    rest: Rest = Rest.LET_FINISH
    tolerate: int = 0
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number of attempts for failures of one kind: those with the error's ``code``, or that meet ``when``."""

    max_attempts: int
    code: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry policy; intervals in seconds, ``jitter`` as the fraction by which an interval may vary.

    A failure counts against the first of ``limits`` that it meets, and against ``max_attempts`` where it meets none.
    """

    max_attempts: int = 3
    backoff: Backoff = Backoff.EXPONENTIAL
    initial_interval: float = 1.0
    multiplier: float = 2.0
    max_interval: float = 60.0
    jitter: float = 0.1
    non_retryable: tuple[str, ...] = ()
    when: str | None = None
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """How a step is undone: an activity with parameters over the step's own ``output`` and ``with``.

    ``when``: an expression over the same; where it does not hold, the step needs no undo.
    """

    activity: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: str | None = None
    timeout: float | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many instances run at once by ``key``, a template over the input; without it all of the workflow count."""

    limit: int
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """How long, in seconds, a step's result is reused, and for what; without ``key`` for the same parameters."""

    ttl: float
    key: str | None = None


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
    join: Join = Join()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeachBody:
    """Steps that run once for each item of a list.

    Args:
        items: an expression of the list, or the list, with ``${ }`` in its strings.
        name: what the item is called in expressions.
        max_concurrency: how many iterations may be open at once; ``None``: as many as the engine sees fit.
        batch_size: items of one iteration, whose item is then a list; ``None``: one, as it is.
        collect: what is kept of an iteration; ``None``: the output of its last step.
        join: what is awaited of the iterations: all of them, of which some may fail, or so many that complete.
    """

    items: str | tuple[Any, ...]
    steps: tuple[Step, ...]
    name: str = "item"
    max_concurrency: int | None = None
    batch_size: int | None = None
    collect: Any = None
    join: Join = Join()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBody:
    """Steps that are repeated: ``condition`` is tested before an iteration, ``until`` after; or so many ``times``."""

    steps: tuple[Step, ...]
    condition: str | None = None
    until: str | None = None
    times: int | str | None = None
    max_iterations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocBody:
    """Steps of which people choose what is done next; none of them waits for another.

    Args:
        steps: the members.
        complete_when: an expression over what the members came to; ``None``: done when nothing is planned any more.
        assign: who may choose, one of ``user``, ``users``, ``group``, ``expression``; ``None``: whoever may operate.
    """

    steps: tuple[Step, ...]
    complete_when: str | None = None
    assign: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitBody:
    """A durable timer: ``seconds`` (fixed) or ``expression`` of a duration, or ``until`` (an expression of a time)."""

    duration: float | str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """An address that another step hands out; with ``secret``, the name of one, answers have to be signed with it."""

    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveBody:
    """A wait for an event, or for the answer at an address of its own.

    ``correlate`` is a template (``None``: the correlation id), ``timeout`` in seconds. With ``callback`` the event is
    ``callbacks.EVENT``, and its key says whose answer it is.
    """

    event: str
    correlate: str | None = None
    where: str | None = None
    timeout: float | None = None
    callback: Callback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmitBody:
    """An event to publish; ``correlate`` is a template (``None``: the correlation id)."""

    event: str
    data: Any = None
    correlate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBody:
    """Another workflow: the version that a silent document means is found at publish; ``wait``: for its end."""

    workflow: str
    version: str | None = None
    input: Any = None
    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideBody:
    """A decision table to evaluate; ``version`` is ``None`` for the highest there is when the step is reached."""

    table: str
    version: str | None = None
    input: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnBody:
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailBody:
    code: str
    message: str = ""


Body = (
    ActivityBody
    | SetBody
    | ChoiceBody
    | ParallelBody
    | ForeachBody
    | LoopBody
    | WaitBody
    | ReceiveBody
    | EmitBody
    | CallBody
    | DecideBody
    | AdhocBody
    | ReturnBody
    | FailBody
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step definition; ``needs`` is ``None`` where the document leaves it out.

    ``infers_needs``: the steps that it reads are among its needs too, beside those that ``needs`` names.
    ``result`` is the variable that takes the output of a state machine's action.
    """

    id: str
    kind: Kind
    body: Body
    name: str | None = None
    description: str | None = None
    needs: tuple[str, ...] | None = None
    infers_needs: bool = False
    when: str | None = None
    join: Join = Join()
    timeout: float | None = None
    deadline: float | None = None
    retry: Retry | None = None
    on_error: Reactions = FAILING
    result: str | None = None
    compensate: Compensation | None = None
    irreversible: bool = False
    queue: str | None = None
    priority: str | None = None
    cache: Cache | None = None
    idempotency_key: str | None = None
    batch: bool = True
    disabled: bool = False
    notes: Any = None
    ui: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One workflow version as written; ``None`` means that the document is silent; a ``machine`` has no steps.

    ``infers_needs``: a step that says nothing of its needs has those that follow from what it reads.
    """

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
    priority: str = "normal"
    concurrency: Concurrency | None = None
    retention: Retention | None = None
    default_timeout: float | None = None
    default_retry: Retry | None = None
    infers_needs: bool = False
    steps: tuple[Step, ...] = ()
    machine: Machine | None = None
    output: Any = None
