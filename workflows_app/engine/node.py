"""One node of a graph: a step, a branch or an iteration, where it stands, and its expressions, compiled once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.callee import Callee
from workflows_app.engine.definition.machine import Transition
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    CallBody,
    ChoiceBody,
    DecideBody,
    EmitBody,
    FailBody,
    ForeachBody,
    Join,
    LoopBody,
    ParallelBody,
    ReceiveBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.definition.reactions import Reaction, Reactions
from workflows_app.engine.expressions import Expression, Reference, Value
from workflows_app.engine.states import Role

DEFAULT_TIMEOUT = 60.0
"""Seconds that an attempt may take where neither the step, its activity nor ``defaults`` says."""
LONG_AFTER = 60.0
"""Attempts that may take longer than this many seconds go to the queue for long work."""
DEFAULT_QUEUE = "default"
LONG_QUEUE = "long"


class NodeKind(StrEnum):
    ACTIVITY = "activity"
    SET = "set"
    CHOICE = "choice"
    PARALLEL = "parallel"
    BRANCH = "branch"
    FOREACH = "foreach"
    LOOP = "loop"
    ITERATION = "iteration"
    MACHINE = "machine"
    MOVE = "move"
    WAIT = "wait"
    RECEIVE = "receive"
    EMIT = "emit"
    CALL = "call"
    DECIDE = "decide"
    ADHOC = "adhoc"
    RETURN = "return"
    FAIL = "fail"


NO_JOIN = Join()
FORGIVING = Join(tolerate=sys.maxsize)
"""A state machine goes on whatever becomes of a transition."""
REPEATS = frozenset({NodeKind.FOREACH, NodeKind.LOOP, NodeKind.ADHOC, NodeKind.MACHINE})
"""Blocks whose children only runtime knows: one iteration after the other, one for each item, choice or event."""
PARTS = frozenset({NodeKind.BRANCH, NodeKind.ITERATION})
"""Nodes that stand for a part of a step: the step's own keys are about the whole."""
CONTAINERS = frozenset({NodeKind.CHOICE, NodeKind.PARALLEL}) | REPEATS | PARTS


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node; compiled expressions are made at first use and kept.

    Args:
        path: unique name in the instance; the step's path in results and history. A step inside ``foreach`` or
            ``loop`` is named after its iteration: ``each[3].square``.
        order: place in document order, from 0.
        parent: path of the enclosing container, ``None`` on the outermost list.
        needs: paths in the same list that must settle first.
        inferred: those of ``needs`` that only what the step reads says.
        successors: the inverse of ``needs``.
        lists: for a container, the paths of its children by case (``choice``), all branches in one (``parallel``),
            or the steps of the branch or iteration; document order. ``foreach`` and ``loop`` have none: how many
            iterations there are is for the state to say.
        step: the step definition; for a branch or an iteration, the step that it belongs to.
        depth: how many ``foreach`` and ``loop`` the node stands in; 1 inside a state machine.
        retry: the effective retry policy of the action; ``None`` grants one attempt.
        timeout: seconds per attempt of the action.
        priority: a level of ``priority.LEVELS``.
        callee: for a call, the version that it runs.
        transition: in a state machine, the transition that the node belongs to.
    """

    path: str
    kind: NodeKind
    order: int
    parent: str | None
    needs: tuple[str, ...]
    successors: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...]
    step: Step
    retry: Retry | None
    timeout: float
    depth: int = 0
    inferred: tuple[str, ...] = ()
    priority: int = 0
    callee: Callee | None = None
    transition: Transition | None = None

    @property
    def awaits_child(self) -> bool:
        """Whether this is a call that waits for the end of what it called."""
        return isinstance(self.step.body, CallBody) and self.step.body.wait

    @property
    def undone_by_child(self) -> bool:
        """Whether the completed call is undone by compensating the instance that it called."""
        able = self.callee is not None and self.callee.undoable and self.awaits_child
        return able and self.step.compensate is None and not self.step.irreversible

    @property
    def has_undo(self) -> bool:
        """Whether the completed step may have something to undo."""
        return not self.is_part and (self.step.compensate is not None or self.undone_by_child)

    @property
    def is_container(self) -> bool:
        return self.kind in CONTAINERS

    def placed(self, path: str, *, parent: str | None, place: Callable[[str], str]) -> Node:
        """Return the node at its path in one iteration; what it has compiled is shared, not made again.

        Args:
            parent: path of the enclosing container there.
            place: gives the path there of a node written in the same iteration.
        """
        made = replace(
            self,
            path=path,
            parent=parent,
            needs=tuple(map(place, self.needs)),
            inferred=tuple(map(place, self.inferred)),
            successors=tuple(map(place, self.successors)),
            lists=tuple(tuple(map(place, paths)) for paths in self.lists),
        )
        made.__dict__.update({name: getattr(self, name) for name in COMPILED})
        return made

    def changed(self, **fields: Any) -> Node:
        """Return the node with other fields, none of which is compiled; what has been compiled so far is shared."""
        made = replace(self, **fields)
        made.__dict__.update({name: self.__dict__[name] for name in COMPILED if name in self.__dict__})
        return made

    @property
    def is_repeat(self) -> bool:
        return self.kind in REPEATS

    @property
    def is_part(self) -> bool:
        return self.kind in PARTS

    @property
    def join(self) -> Join:
        """What the node waits for of its ``needs``; a branch and an iteration have none."""
        return NO_JOIN if self.is_part else self.step.join

    @property
    def waits_for_all(self) -> bool:
        """Whether the node begins when all of its ``needs`` have settled."""
        return self.join.quorum is None

    @property
    def branch_join(self) -> Join:
        """What a ``parallel`` waits for of its branches, or a ``foreach`` of its iterations; of a part, its block."""
        if self.transition is not None:
            return FORGIVING
        return self.step.body.join if isinstance(self.step.body, ParallelBody | ForeachBody) else NO_JOIN

    @property
    def race(self) -> bool:
        """Whether this is a block that is decided as soon as enough of its parts completed."""
        return self.kind in (NodeKind.PARALLEL, NodeKind.FOREACH) and self.branch_join.quorum is not None

    @property
    def racer(self) -> bool:
        """Whether this is a part of a race."""
        return self.is_part and self.branch_join.quorum is not None

    @property
    def contained(self) -> bool:
        """Whether this is a part that a failure inside does not leave: its block looks at how many failed."""
        return self.racer or (self.is_part and self.branch_join.tolerate > 0)

    @property
    def catches(self) -> bool:
        """Whether a failure of the node need not fail what is around it."""
        return not self.is_part and self.step.on_error.catch

    @property
    def queue(self) -> str:
        return self.step.queue or (LONG_QUEUE if self.timeout > LONG_AFTER else DEFAULT_QUEUE)

    @property
    def activity(self) -> str:
        """The activity's name as written; empty for other kinds."""
        return self.step.body.activity if isinstance(self.step.body, ActivityBody) else ""

    @property
    def alone(self) -> bool:
        """Whether the step always has a message of its own: it may take long, or says ``batch: false``."""
        return self.timeout > LONG_AFTER or not self.step.batch

    @property
    def undo_timeout(self) -> float:
        undo = self.step.compensate
        return undo.timeout if undo and undo.timeout else self.timeout

    @property
    def undo_queue(self) -> str:
        return self.step.queue or (LONG_QUEUE if self.undo_timeout > LONG_AFTER else DEFAULT_QUEUE)

    @property
    def undo_retry(self) -> Retry | None:
        undo = self.step.compensate
        return undo.retry if undo and undo.retry else self.retry

    def retry_of(self, role: Role) -> Retry | None:
        """The policy of what an attempt in this role does; ``None`` grants one attempt."""
        return {Role.ACTION: self.retry, Role.FALLBACK: None, Role.COMPENSATION: self.undo_retry}[role]

    @cached_property
    def children(self) -> tuple[str, ...]:
        return tuple(child for paths in self.lists for child in paths)

    @cached_property
    def when(self) -> Expression | None:
        return _expression(None if self.is_part else self.step.when)

    @cached_property
    def where(self) -> Expression | None:
        """Which events a ``receive`` takes."""
        return _expression(self.step.body.where if isinstance(self.step.body, ReceiveBody) else None)

    @cached_property
    def cases(self) -> tuple[Expression | None, ...]:
        body = self.step.body
        return tuple(_expression(case.when) for case in body.cases) if isinstance(body, ChoiceBody) else ()

    @cached_property
    def value(self) -> Value:
        """What the step evaluates when it is entered: parameters, assignments, items, a number, a time, a message …

        An iteration evaluates what is collected of it when it ends.
        """
        body = self.step.body
        match body:
            case ForeachBody() if self.kind is NodeKind.ITERATION:
                return expressions.compile_value(body.collect)
            case ForeachBody():
                return expressions.compile_value(_wrapped(body.items))
            case LoopBody() if self.kind is NodeKind.LOOP:
                return expressions.compile_value(_wrapped(body.times))
            case ActivityBody():
                return expressions.compile_value(dict(body.parameters))
            case SetBody():
                return expressions.compile_value(dict(body.assignments))
            case CallBody():
                return expressions.compile_value({} if body.input is None else body.input)
            case DecideBody():
                return expressions.compile_value(body.input)
            case AdhocBody() if self.kind is NodeKind.ADHOC:
                return expressions.compile_value(_assigned(body.assign))
            case ReturnBody():
                return expressions.compile_value(body.output)
            case FailBody():
                return expressions.compile_value(body.message)
            case ReceiveBody():
                return expressions.compile_value({"correlate": body.correlate})
            case EmitBody():
                return expressions.compile_value({"correlate": body.correlate, "data": body.data})
            case WaitBody():
                return expressions.compile_value(body.until if body.until is not None else body.duration)
            case _:
                return expressions.compile_value(None)

    @property
    def foreach(self) -> ForeachBody:
        """The body of a ``foreach``, or of the one that the iteration belongs to."""
        assert isinstance(self.step.body, ForeachBody)
        return self.step.body

    @property
    def loop(self) -> LoopBody:
        """The body of a ``loop``, or of the one that the iteration belongs to."""
        assert isinstance(self.step.body, LoopBody)
        return self.step.body

    @property
    def adhoc(self) -> AdhocBody:
        """The body of an ad-hoc section, or of the one that the iteration belongs to."""
        assert isinstance(self.step.body, AdhocBody)
        return self.step.body

    @property
    def item_name(self) -> str | None:
        """What the item of an iteration of a ``foreach`` is called; that of a state machine's is an event.

        That of an ad-hoc section is the choice of a person.
        """
        if self.kind is not NodeKind.ITERATION:
            return None
        if self.transition is not None:
            return "event"
        body = self.step.body
        return "item" if isinstance(body, AdhocBody) else body.name if isinstance(body, ForeachBody) else None

    @cached_property
    def admits(self) -> Expression | None:
        """What an event must meet to set off the transition."""
        return _expression(self.transition.when if self.transition else None)

    @cached_property
    def completes_when(self) -> Expression | None:
        """What must hold for an ad-hoc section to be done."""
        return _expression(self.step.body.complete_when if isinstance(self.step.body, AdhocBody) else None)

    @cached_property
    def repeats_while(self) -> Expression | None:
        """What is tested before an iteration of a loop."""
        return _expression(self.step.body.condition if isinstance(self.step.body, LoopBody) else None)

    @cached_property
    def repeats_until(self) -> Expression | None:
        """What is tested after an iteration of a loop."""
        return _expression(self.step.body.until if isinstance(self.step.body, LoopBody) else None)

    @cached_property
    def undo_parameters(self) -> Value:
        undo = self.step.compensate
        return expressions.compile_value(dict(undo.parameters) if undo else None)

    @cached_property
    def undo_when(self) -> Expression | None:
        """What must hold for the step to need its undo."""
        return _expression(self.step.compensate.when if self.step.compensate else None)

    @cached_property
    def cache_key(self) -> Value:
        """What a cached result is found by: by default the parameters."""
        cache = self.step.cache
        return expressions.compile_value(cache.key if cache and cache.key is not None else "${ with }")

    @cached_property
    def idempotency_key(self) -> Value | None:
        """What stands for the default key of external calls."""
        written = None if self.is_part else self.step.idempotency_key
        return None if written is None else expressions.compile_value(written)

    @cached_property
    def error_conditions(self) -> tuple[Expression | None, ...]:
        """The conditions of the cases of ``on_error``."""
        return tuple(_expression(case.when) for case in self.step.on_error.cases)

    @cached_property
    def error_outputs(self) -> Mapping[int | None, Value]:
        """What stands for the step's output where it failed, by the place of the case; see ``Reactions.fallback``."""
        return _by_case(self.step.on_error, lambda reaction: reaction.output)

    @cached_property
    def fallback_parameters(self) -> Mapping[int | None, Value]:
        """What the fallback is performed with, by the place of the case."""
        return _by_case(self.step.on_error, lambda it: dict(it.fallback.parameters) if it.fallback else None)

    def parameters(self, role: Role, case: int | None = None) -> Value:
        """What the parameters of an attempt were evaluated from.

        Args:
            case: the place of the case of ``on_error`` whose fallback is performed.
        """
        if role is Role.FALLBACK:
            return self.fallback_parameters[case]
        return self.undo_parameters if role is Role.COMPENSATION else self.value

    @cached_property
    def retry_when(self) -> Expression | None:
        return _expression(self.retry.when if self.retry else None)

    @cached_property
    def undo_retry_when(self) -> Expression | None:
        return _expression(self.undo_retry.when if self.undo_retry else None)

    @cached_property
    def retry_limits(self) -> tuple[Expression | None, ...]:
        """The conditions of the policy's limits; ``None`` for one that names a code."""
        return _limits(self.retry)

    @cached_property
    def undo_retry_limits(self) -> tuple[Expression | None, ...]:
        return _limits(self.undo_retry)

    @cached_property
    def reads(self) -> frozenset[Reference]:
        """Everything that entering the node may read; what only a failure reads is left out."""
        found: set[Reference] = set()
        if not self.is_part:
            found |= self.value.reads
            if self.idempotency_key is not None:
                found |= {each for each in self.idempotency_key.reads if each.root != "with"}
            for expression in (self.when, self.repeats_while, *self.cases):
                if expression is not None:
                    found |= expression.reads
        return frozenset(found)

    @cached_property
    def reads_input(self) -> bool:
        return any(r.root == "input" for r in self.reads)


COMPILED = (
    "when", "cases", "value", "cache_key", "where", "completes_when", "repeats_while", "repeats_until",
    "undo_parameters", "undo_when", "error_conditions", "error_outputs", "fallback_parameters", "idempotency_key",
    "retry_when", "undo_retry_when", "retry_limits", "undo_retry_limits", "reads", "reads_input",
)  # fmt: skip
"""What a node makes of its step's texts: the same wherever the step is repeated."""


def _assigned(assign: Mapping[str, Any] | None) -> Any:
    """Return who may choose as a template tree; an expression is written bare or wrapped."""
    if assign is None:
        return None
    return {key: _wrapped(value) if key == "expression" else value for key, value in assign.items()}


def _wrapped(value: Any) -> Any:
    """Return an expression that is written bare or wrapped as a template; other values as they are."""
    if not isinstance(value, str):
        return value
    bare = value.strip()
    return bare if bare.startswith("${") else f"${{ {bare} }}"


def _by_case(policy: Reactions, told: Callable[[Reaction], Any]) -> Mapping[int | None, Value]:
    plain = {None: expressions.compile_value(told(policy.plain))}
    return plain | {place: expressions.compile_value(told(case.then)) for place, case in enumerate(policy.cases)}


def _limits(policy: Retry | None) -> tuple[Expression | None, ...]:
    return tuple(_expression(limit.when) for limit in policy.limits) if policy else ()


def _expression(source: str | None) -> Expression | None:
    return None if source is None else expressions.compile_expression(source)
