"""Sentences: how an instance stands: what it waits for, as ``obstacles`` says it, or why it ended as it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.states import InstanceState, StepState
from workflows_app.models import AuditEntry
from workflows_app.selectors import obstacles
from workflows_app.selectors.obstacles import Kind, Obstacle
from workflows_app.ui import machines

NAMED = 3
"""Of many steps in the same situation, this many are named."""
TOLD = 3
"""Of what it waits for so much is told."""
MOST_NEEDLESS = 500
"""Of so many steps at most it is known that they needed no undo."""
UNDONE = "UNDONE"
"""The code of an instance that had completed and was compensated with its caller."""
TAKEN_BACK = ("instance.rewound", "instance.rerun")
"""What an operator did to an instance that goes back to a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence is made of; see ``sentence``."""

    instance: Any
    steps: Mapping[str, Any]
    names: Mapping[str, str]
    acts: Sequence[AuditEntry]
    why: Sequence[Obstacle]
    repeats: Mapping[str, str]
    whole: bool
    machine: Mapping[str, Any] | None = None
    needless: Sequence[str] = ()

    def name(self, path: str) -> str:
        name = self.names.get(path, path)
        return f"“{name}”" if name == path else f"“{name}” ({path})"

    def in_state(self, *states: StepState) -> list[Any]:
        return [row for row in self.steps.values() if row.state in states]


def sentence(
    instance: Any,
    *,
    steps: Mapping[str, Any],
    names: Mapping[str, str],
    acts: Sequence[AuditEntry],
    why: Sequence[Obstacle] = (),
    repeats: Mapping[str, str] | None = None,
    whole: bool = True,
    machine: Mapping[str, Any] | None = None,
    needless: Sequence[str] = (),
) -> str:
    """Return what the page says under the title.

    Args:
        instance: as ``portions.overview`` returns it.
        steps: rows by path, as ``portions.step_rows`` returns them, in the order in which they are named.
        names: what people call the steps, by path.
        acts: what operators did, the newest first.
        why: what it waits for, as ``obstacles.of_one`` returns it.
        repeats: how far the steps are that repeat others at the moment, by path.
        whole: whether ``steps`` has those of every iteration.
        machine: how a state machine stands, as ``machine_views.view`` returns it.
        needless: paths of steps whose undo was not needed, ``MOST_NEEDLESS`` at most.
    """
    facts = Facts(
        instance=instance,
        steps=steps,
        names=names,
        acts=acts,
        why=why,
        repeats=repeats or {},
        whole=whole,
        machine=machine,
        needless=needless,
    )
    return _SENTENCES[InstanceState(instance.state)](facts)


def _pending(facts: Facts) -> str:
    return obstacles.sentence(facts.why, most=TOLD)


def _running(facts: Facts) -> str:
    if facts.instance.ending == "return":
        return f"Its result stands; it ends as soon as the rest has stopped. {_waits(facts)}".strip()
    if facts.instance.ending:
        then = "then completed steps are undone" if facts.instance.undo else "then it ends"
        return f"Stopping: {_reason(facts)} Running steps may finish, {then}. {_waits(facts)}".strip()
    if facts.machine is not None:
        return f"{machines.stands(facts.machine)} {_waits(facts)}".strip()
    return _waits(facts) or "Between two steps."


def _paused(facts: Facts) -> str:
    return f"{obstacles.sentence(facts.why)} Running attempts may finish; nothing new starts until it is resumed."


def _compensating(facts: Facts) -> str:
    undoing = _list([facts.name(row.path) for row in facts.in_state(StepState.COMPENSATING)], facts.whole)
    done = facts.instance.undone - len(facts.in_state(StepState.COMPENSATION_FAILED))
    return (
        f"{_reason(facts)} Completed steps are being undone in reverse: now {undoing or 'the next ones'}, "
        f"{_number(done, 'step')} undone so far. {_waits(facts)}".strip()
    )


def _completed(facts: Facts) -> str:
    if facts.machine is not None:
        return f"Completed: the machine has reached “{facts.machine['state']}”."
    tolerated = [facts.name(row.path) for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT)]
    if tolerated:
        return f"Completed; the definition tolerates that {_list(tolerated, facts.whole)} failed."
    return "Completed: every step that was due has run."


def _failed(facts: Facts) -> str:
    return f"{_reason(facts)} {_nothing_undone(facts)}"


def _cancelled(facts: Facts) -> str:
    return f"{_reason(facts)} {_nothing_undone(facts)}"


def _nothing_undone(facts: Facts) -> str:
    if facts.needless:
        return f"Nothing was undone: {_needless(facts)}"
    return "There was nothing to undo." if facts.instance.undo else "Nothing was undone."


def _needless(facts: Facts) -> str:
    """Say of which steps the condition of their undo did not hold; empty if of none."""
    if not facts.needless:
        return ""
    names = _list([facts.name(path) for path in facts.needless], len(facts.needless) < MOST_NEEDLESS)
    return f"{names} needed no undo, as the definition says."


def _terminated(facts: Facts) -> str:
    return f"{_act(facts, 'instance.terminated', 'Terminated')} It ended at once: nothing was awaited, nothing undone."


def _compensated(facts: Facts) -> str:
    done = facts.instance.undone
    undone = f"What had been done was undone: {_number(done, 'step')}{', each' * (done > 1)} successfully."
    return f"{_reason(facts)} {undone} {_needless(facts)}".strip()


def _compensation_failed(facts: Facts) -> str:
    broken = [
        f"{facts.name(row.path)}{_because(row.undo_error_code, row.undo_error_message)}"
        for row in facts.in_state(StepState.COMPENSATION_FAILED)
    ]
    what = f"The undo of {_list(broken)} did not work" if broken else "An undo did not work"
    return f"{_reason(facts)} {what}: somebody has to look at what is left of it. {_needless(facts)}".strip()


_SENTENCES: Mapping[InstanceState, Callable[[Facts], str]] = {
    InstanceState.PENDING: _pending,
    InstanceState.RUNNING: _running,
    InstanceState.PAUSED: _paused,
    InstanceState.COMPENSATING: _compensating,
    InstanceState.COMPLETED: _completed,
    InstanceState.FAILED: _failed,
    InstanceState.CANCELLED: _cancelled,
    InstanceState.TERMINATED: _terminated,
    InstanceState.COMPENSATED: _compensated,
    InstanceState.COMPENSATION_FAILED: _compensation_failed,
}


def _reason(facts: Facts) -> str:
    """Why it left the straight road, as a sentence."""
    cause = facts.instance.cause
    if facts.instance.error_code == UNDONE:
        return f"It had completed, and was {facts.instance.error_message}."
    if cause == "cancelled":
        return _act(facts, "instance.cancelled", "Cancelled")
    if cause == "operator" and facts.instance.state != InstanceState.TERMINATED:
        back = next((act.action for act in facts.acts if act.action in TAKEN_BACK), TAKEN_BACK[0])
        return _act(facts, back, "Taken back to a step")
    if cause == "operator":
        return _act(facts, "instance.terminated", "Ended by an operator")
    because = _because(facts.instance.error_code, facts.instance.error_message)
    if cause == "timed_out":
        return f"The instance took longer than it may{because}."
    culprits = [row for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT) if _is_of(row, facts)]
    # A block fails as the step inside it did.
    culprit = max(culprits, key=lambda row: row.path.count("["), default=None)
    return f"{facts.name(culprit.path)} failed{because}." if culprit else f"It failed{because}."


def _is_of(row: Any, facts: Facts) -> bool:
    mine = (row.error_code, row.error_message)
    return mine == (facts.instance.error_code, facts.instance.error_message)


def _act(facts: Facts, action: str, verb: str) -> str:
    act = next((act for act in facts.acts if act.action == action), None)
    if act is None:
        # Not by a person: by the instance that called it, which says why.
        said = facts.instance.error_message
        return f"{verb}: {said}." if said else f"{verb}."
    reason = act.data.get("reason") if isinstance(act.data, dict) else None
    return f"{verb} by {act.actor}: {str(reason)[:500]}." if reason else f"{verb} by {act.actor}."


def _waits(facts: Facts) -> str:
    """What it waits for at this moment, as lists and ``workflow why`` say it; empty if for nothing in particular."""
    repeating = _list([f"{facts.name(path)}, {progress}" for path, progress in facts.repeats.items()])
    # That a state machine waits in a state, and until when, is said of the machine.
    known = (Kind.SOON, Kind.TIME) if facts.machine is not None else (Kind.SOON,)
    said = obstacles.sentence([each for each in facts.why if each.kind not in known], most=TOLD)
    return f"Repeating: {repeating}. {said}".strip() if repeating else said


def _because(code: str | None, message: str | None) -> str:
    if not code:
        return ""
    return f" with {code}: {message.rstrip('.')}" if message else f" with {code}"


def _list(things: Sequence[str], whole: bool = True) -> str:
    """Name a few things and count the others, if these are all of them.

    >>> _list(["a"]), _list(["a", "b"]), _list(["a", "b", "c", "d", "e"]), _list(["a", "b", "c", "d"], whole=False)
    ('a', 'a and b', 'a; b; c and 2 more', 'a; b; c and others')
    """
    if len(things) <= 2:
        return " and ".join(things)
    more = len(things) - NAMED
    if more > 0:
        return f"{'; '.join(things[:NAMED])} and {f'{more} more' if whole else 'others'}"
    return f"{'; '.join(things[:-1])} and {things[-1]}"


def _number(number: int, thing: str) -> str:
    """Count a thing.

    >>> _number(1, "step"), _number(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
