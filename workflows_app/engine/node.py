"""One node of a graph: a step or a branch, where it stands, and its expressions, compiled at first use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import (
    ActivityBody,
    ChoiceBody,
    FailBody,
    Join,
    OnError,
    ParallelBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.expressions import Expression, Reference, Value

DEFAULT_TIMEOUT = 60.0
"""Seconds that an attempt may take where neither the step nor ``defaults`` says."""
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
    WAIT = "wait"
    RETURN = "return"
    FAIL = "fail"


CONTAINERS = frozenset({NodeKind.CHOICE, NodeKind.PARALLEL, NodeKind.BRANCH})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node; compiled expressions are made at first use and kept.

    Args:
        path: unique name in the definition; the step's path in results and history.
        order: place in document order, from 0.
        parent: path of the enclosing container, ``None`` on the outermost list.
        needs: paths in the same list that must settle first.
        successors: the inverse of ``needs``.
        lists: for a container, the paths of its children by case (``choice``), all branches in one (``parallel``),
            or the branch's steps; document order.
        step: the step definition; for a branch, the ``parallel`` step that it belongs to.
        retry: the effective retry policy of the action; ``None`` grants one attempt.
        timeout: seconds per attempt of the action.
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

    @property
    def is_container(self) -> bool:
        return self.kind in CONTAINERS

    @property
    def join(self) -> Join:
        """How many of ``needs`` the node waits for; a branch has none."""
        return Join.ALL if self.kind is NodeKind.BRANCH else self.step.join

    @property
    def race(self) -> bool:
        """Whether this is a ``parallel`` that is decided by the first branch to complete."""
        return self.kind is NodeKind.PARALLEL and self._decided_by_one

    @property
    def racer(self) -> bool:
        """Whether this is a branch of a race."""
        return self.kind is NodeKind.BRANCH and self._decided_by_one

    @property
    def _decided_by_one(self) -> bool:
        return isinstance(self.step.body, ParallelBody) and self.step.body.join is Join.ANY

    @property
    def on_error(self) -> OnError:
        return OnError.FAIL if self.kind is NodeKind.BRANCH else self.step.on_error

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

    @cached_property
    def children(self) -> tuple[str, ...]:
        return tuple(child for paths in self.lists for child in paths)

    @cached_property
    def when(self) -> Expression | None:
        return _expression(None if self.kind is NodeKind.BRANCH else self.step.when)

    @cached_property
    def cases(self) -> tuple[Expression | None, ...]:
        body = self.step.body
        return tuple(_expression(case.when) for case in body.cases) if isinstance(body, ChoiceBody) else ()

    @cached_property
    def value(self) -> Value:
        """What the step evaluates when it is entered: parameters, assignments, an output, a message, or a time."""
        body = self.step.body
        match body:
            case ActivityBody():
                return expressions.compile_value(dict(body.parameters))
            case SetBody():
                return expressions.compile_value(dict(body.assignments))
            case ReturnBody():
                return expressions.compile_value(body.output)
            case FailBody():
                return expressions.compile_value(body.message)
            case WaitBody():
                return expressions.compile_value(body.until if body.until is not None else body.duration)
            case _:
                return expressions.compile_value(None)

    @cached_property
    def undo_parameters(self) -> Value:
        undo = self.step.compensate
        return expressions.compile_value(dict(undo.parameters) if undo else None)

    @cached_property
    def error_output(self) -> Value:
        return expressions.compile_value(self.step.on_error_output)

    @cached_property
    def retry_when(self) -> Expression | None:
        return _expression(self.retry.when if self.retry else None)

    @cached_property
    def undo_retry_when(self) -> Expression | None:
        return _expression(self.undo_retry.when if self.undo_retry else None)

    @cached_property
    def reads(self) -> frozenset[Reference]:
        """Everything that entering the node may read; what only a failure reads is left out."""
        found: set[Reference] = set()
        if self.kind is not NodeKind.BRANCH:
            found |= self.value.reads
            for expression in (self.when, *self.cases):
                if expression is not None:
                    found |= expression.reads
        return frozenset(found)

    @cached_property
    def read_steps(self) -> frozenset[str]:
        return frozenset(r.name for r in self.reads if r.root == "steps" and r.name is not None)

    @cached_property
    def reads_input(self) -> bool:
        return any(r.root == "input" for r in self.reads)


def _expression(source: str | None) -> Expression | None:
    return None if source is None else expressions.compile_expression(source)
