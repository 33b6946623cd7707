"""Snapshots: the stored state of an instance, its steps and attempts, as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from workflows_app.engine.states import AttemptState, Cause, InstanceState, Role, StepState


class _NotLoaded:
    """Stands for a value that was left in the database because nothing is known to read it."""

    def __repr__(self) -> str:
        return "NOT_LOADED"


NOT_LOADED: Final = _NotLoaded()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSnapshot:
    """One workflow instance.

    ``ending`` is what a stopping instance heads for: ``return``, or one of the causes. ``open_steps`` counts the
    unsettled steps of the outermost list, and those of a race that has been decided. ``undo_open`` counts what the undo
    has not left behind there yet (see ``unwinding``), ``undone`` the undos that have ended, ``undo_failed`` how many of
    them have not worked. ``parent`` is ``{instance, step, depth, awaited}`` where another instance's step called this
    one, ``depth`` the number of instances above it. ``held`` is what came while the instance is paused and has to have
    its consequences still: ``{step, timer}`` for a timer, ``{step}`` for a failure. ``rewind`` is what was asked
    for while the instance goes back to a step: see ``rewinding``. ``tags`` are words to find it by, ``overrides`` what
    holds for it in the place of what its definition says: see ``overrides``.

    Of a state machine: ``machine_state`` and when it was entered, ``machine_transition``, the path of the transition
    under way, and ``machine_queue``, the events ``{type, data, at}`` that wait for their turn.
    """

    id: str
    workflow: str
    version: str
    state: InstanceState = InstanceState.PENDING
    cause: Cause | None = None
    ending: str | None = None
    undo: bool = False
    input: Any = NOT_LOADED
    variables: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    error: Mapping[str, Any] | None = None
    open_steps: int = 0
    undo_open: int = 0
    undone: int = 0
    undo_failed: int = 0
    held: tuple[Mapping[str, Any], ...] = ()
    rewind: Mapping[str, Any] | None = None
    machine_state: str | None = None
    machine_since: datetime | None = None
    machine_transition: str | None = None
    machine_queue: tuple[Mapping[str, Any], ...] = ()
    sequence: int = 0
    correlation_id: str = ""
    started_by: str = ""
    parent: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    overrides: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSnapshot:
    """One step of an instance. A step without a row is ``StepSnapshot(path=...)``: pending, nothing counted.

    ``attempt`` is the number of the running attempt, ``attempts`` how many were made, ``failures`` and ``losses`` how
    many of the current role counted against the retry policy, and were lost in a row; ``limited``, how many of the
    failures counted against which of the policy's limits, by its place as text (``None``: none did). ``settled`` is
    the sequence of the event that settled the step: the order of completion. ``undo_input`` is what the role in hand
    works on where that is not the step's own: the parameters of its fallback, later those of its undo.
    ``error_case`` is the place of the case of ``on_error`` whose fallback that is, ``None`` where there are no cases.
    ``input_from`` and ``output_from`` say where in the history a large part of ``input`` and ``output`` stands; the
    values are whole here all the same (see ``handing``). ``idempotency_key`` is what the step's own key came to;
    ``None`` where it says nothing and the step runs for the first time. ``rerun`` counts how often an operator had it
    run again.

    Of a ``foreach`` or ``loop``, ``opened`` counts the iterations begun so far, ``planned`` is how many there are to
    be (``None`` where only the loop's condition knows), ``open_children`` how many are open, ``failures`` how many
    failed; ``input`` of a ``foreach`` is ``{"items": [...]}``, that of one of its iterations ``{"item": ...}``.
    ``input`` of an ad-hoc section is ``{"assign": ..., "plan": [ids of members], "runs": {id: how often picked}}``,
    that of each choice ``{"item": {"by", "data", "reason"}}``.

    ``undo_settled``, ``undo_open`` and ``undo_left`` say how far an undo has come: see ``unwinding``. ``undo_error`` is
    why it has not worked; its code is UNDO_SKIPPED where an operator said that nobody is going to do it.
    """

    path: str
    state: StepState = StepState.PENDING
    role: Role = Role.ACTION
    generation: int = 0
    attempt: int | None = None
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    limited: Mapping[str, int] | None = None
    error_case: int | None = None
    needs_settled: int = 0
    needs_completed: int = 0
    open_children: int = 0
    opened: int = 0
    planned: int | None = None
    undo_settled: int = 0
    undo_open: int = 0
    undo_left: int = 0
    rerun: int = 0
    stopping: bool = False
    effect_unknown: bool = False
    input: Any = None
    input_from: Mapping[str, Any] | None = None
    undo_input: Any = None
    idempotency_key: str | None = None
    output: Any = None
    output_from: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    undo_error: Mapping[str, Any] | None = None
    due_at: datetime | None = None
    settled: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSnapshot:
    """One attempt of a step."""

    step: str
    number: int
    role: Role = Role.ACTION
    state: AttemptState = AttemptState.RUNNING
    worker: str = ""
    error: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
