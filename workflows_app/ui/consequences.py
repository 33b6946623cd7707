"""Consequences: what an operator's act will lead to, said from what is stored before it is confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows_app.engine.errors import Refused
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.paths import split
from workflows_app.engine.states import STEP_OPEN, AttemptState, StepState
from workflows_app.models import Attempt, Step
from workflows_app.selectors import step_names
from workflows_app.services import migrating, rewinds
from workflows_app.spans import moment

NAMED = 25
"""Of more steps so many are named, and the others counted."""
REDONE = (StepState.FAILED, StepState.TIMED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What follows.

    Args:
        says: sentences, one after the other.
        undone: what people call the steps that are undone, the last first; ``None`` where that is not the question.
    """

    says: Sequence[str]
    undone: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The first few paths of steps, and how many there are."""

    first: Sequence[str]
    number: int

    def __bool__(self) -> bool:
        return self.number > 0

    @classmethod
    def of(cls, rows: Any) -> Paths:
        """Read those of ordered rows; they are counted only where they are more than are named."""
        first = list(rows.values_list("path", flat=True)[: NAMED + 1])
        return cls(first=first[:NAMED], number=len(first) if len(first) <= NAMED else rows.count())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a consequence is told from.

    ``step`` is the path that the act is about, if it is about one; ``given`` what has been filled in so far.
    """

    instance: Any
    graph: Graph
    step: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    def node(self) -> Node | None:
        try:
            return self.graph[self.step]
        except (KeyError, ValueError):
            return None

    def name(self, path: str) -> str:
        node = self.graph.written.get(split(path)[1])
        return f"“{node.step.name}” ({path})" if node is not None and node.step.name else f"“{path}”"

    def names(self, paths: Paths) -> list[str]:
        """Name steps; of more than a few the rest is counted."""
        more = paths.number - len(paths.first)
        return [self.name(path) for path in paths.first] + ([f"and {more} more"] if more > 0 else [])

    def listed(self, paths: Paths) -> str:
        """The same as one phrase."""
        return ", ".join(self.names(paths))

    def running(self) -> Paths:
        rows = Attempt.objects.filter(instance_id=self.instance.pk, state=AttemptState.RUNNING)
        return Paths.of(rows.order_by("started_at"))

    def undoable(self) -> Paths:
        """Completed steps that have something to undo, the one that completed last first."""
        names = [split(path)[1] or path for path, node in self.graph.written.items() if node.has_undo]
        rows = step_names.steps(self.instance.pk).filter(name__in=names, state=StepState.COMPLETED)
        return Paths.of(rows.order_by("-settled", "-id"))

    def undone_if(self, paths: Paths) -> list[str]:
        """Name those of these steps whose undo has a condition."""
        nodes = ((path, self.graph.written[split(path)[1]]) for path in paths.first)
        return [self.name(path) for path, node in nodes if node.undo_when is not None]

    def steps(self, **conditions: Any) -> Paths:
        """Steps by their state, in the order in which they began; iterations are none."""
        rows = Step.objects.filter(instance_id=self.instance.pk, **conditions).exclude(path__endswith="]")
        return Paths.of(rows.order_by("id"))

    def row(self) -> Step | None:
        return Step.objects.filter(instance_id=self.instance.pk, path=self.step).first()


def pause(facts: Facts) -> Consequence:
    running = facts.running()
    says = ["Nothing new starts until somebody resumes it."]
    if running:
        says.append(f"What runs now may finish, and is recorded: {facts.listed(running)}.")
    says.append("Timers and events are recorded meanwhile; what follows from them waits. Its own time-out goes on.")
    return Consequence(says=says)


def resume(facts: Facts) -> Consequence:
    return Consequence(says=["Everything that was held back goes on: what is due begins at once."])


def cancel(facts: Facts) -> Consequence:
    running = facts.running()
    says = ["Nothing new starts, and it ends; that cannot be taken back."]
    if running:
        says.append(
            f"What runs now is told to stop and is awaited: {facts.listed(running)}. "
            "What completes all the same counts as completed."
        )
    undone = facts.undoable()
    if not undone:
        says.append("No step that has completed has anything to undo.")
    if asked := facts.undone_if(undone):
        says.append(f"These are undone only if their condition holds then: {', '.join(asked)}.")
    return Consequence(says=says, undone=facts.names(undone))


def terminate(facts: Facts) -> Consequence:
    running, left = facts.running(), facts.undoable()
    says = ["It ends at once; that cannot be taken back. Nothing is awaited and nothing is undone."]
    if running:
        says.append(f"What these do now is no longer recorded: {facts.listed(running)}.")
    if left:
        says.append(f"What these steps did stays as it is, though they could be undone: {facts.listed(left)}.")
    return Consequence(says=says)


def retry(facts: Facts) -> Consequence:
    failed = facts.steps(state__in=REDONE)
    says = ["It runs again. What had completed stays and is not done again."]
    if failed:
        says.append(f"What failed gets fresh attempts, unless its failure was tolerated: {facts.listed(failed)}.")
    says.append("What the failure cancelled waits for its turn again.")
    return Consequence(says=says)


def skip(facts: Facts) -> Consequence:
    node = facts.node()
    says = [f"{facts.name(facts.step)} is not done: it counts as skipped, and its output is null."]
    if node is not None and node.is_container:
        says.append("Everything inside it is skipped with it.")
    if node is not None and node.successors:
        after = Paths(first=node.successors[:NAMED], number=len(node.successors))
        says.append(f"What waits for it goes on as soon as it may: {facts.listed(after)}.")
    return Consequence(says=says)


def run_now(facts: Facts) -> Consequence:
    row = facts.row()
    due = f" instead of at {moment(row.due_at)} UTC" if row is not None and row.due_at is not None else ""
    return Consequence(says=[f"The next attempt of {facts.name(facts.step)} begins now{due}."])


def retry_undo(facts: Facts) -> Consequence:
    again = "with its parameters, its idempotency key and as many attempts as at first"
    return Consequence(says=[f"The undo of {facts.name(facts.step)} runs again, {again}."])


def rewind(facts: Facts) -> Consequence:
    goes = f"The instance stands paused at {facts.name(facts.step)} then; what depends on it is as if it had never run."
    return Consequence(says=[goes, *_foreseen(facts, including=False)])


def rerun(facts: Facts) -> Consequence:
    goes = f"{facts.name(facts.step)}, and what depends on it, is as if it had never run; then the instance goes on."
    return Consequence(says=[goes, *_foreseen(facts, including=True)])


def _foreseen(facts: Facts, *, including: bool) -> Iterator[str]:
    """Say what going back would do; the instance stands still, so that it may be asked."""
    try:
        found = rewinds.foresee(instance_id=facts.instance.pk, step=facts.step, including=including)
    except Refused as refused:
        yield f"That is not possible: {refused.message}."
        return
    turns = [facts.listed(_paths(turn)) for turn in found.undone[:NAMED]]
    more = f"; and {len(found.undone) - NAMED} more" if len(found.undone) > NAMED else ""
    if turns:
        told = "; ".join(f"{place}. {turn}" for place, turn in enumerate(turns, start=1))
        yield f"What these did is undone first, in this order: {told}{more}."
    elif not found.failing:
        yield "Nothing has to be undone for that."
    if found.unneeded:
        yield f"These need no undo, as their condition says: {facts.listed(_paths(found.unneeded))}."
    for path, error in list(found.failing.items())[:NAMED]:
        yield f"The undo of {facts.name(path)} would fail: {error['message']} ({error['code']})."
    if found.again:
        yield f"These wait for their turn again: {facts.listed(_paths(found.again))}."


def _paths(paths: Sequence[str]) -> Paths:
    return Paths(first=paths[:NAMED], number=len(paths))


def migrate(facts: Facts) -> Consequence:
    version = facts.given.get("to")
    if not version:
        return Consequence(says=["Choose a version; what would happen then is said here."])
    found = migrating.foresee(instance_id=facts.instance.pk, version=version, renames=facts.given.get("map") or None)
    if not found.is_possible:
        reasons = [f"{each.path}: {each.message}." for each in found.problems[:NAMED]]
        more = [f"And {len(found.problems) - NAMED} more."] if len(found.problems) > NAMED else []
        return Consequence(says=[f"It cannot go on by {version}:", *(reasons or [f"{found.message}."]), *more])
    says = [f"It goes on by {version}. What is done stays; what begins from then on is what that version says."]
    told = {
        "These steps are in the history only from then on": _paths(found.gone),
        f"These steps of {version} count as skipped, as what waits for them has begun": _paths(found.passed),
        "These begin at once": _paths(found.begins),
    }
    says += [f"{words}: {facts.listed(paths)}." for words, paths in told.items() if paths]
    says += [f"“{old}” is called “{new}” from then on." for old, new in list(found.moved.items())[:NAMED]]
    if found.added:
        says.append(f"These variables get their initial value: {', '.join(found.added)}.")
    if found.dropped:
        says.append(f"These variables go: {', '.join(found.dropped)}.")
    return Consequence(says=says)


def call_again(facts: Facts) -> Consequence:
    says = [f"{facts.name(facts.step)} calls its service again, under the same idempotency key."]
    row = facts.row()
    if row is not None and row.state in REDONE:
        says += retry(facts).says
    elif row is not None and row.state == StepState.COMPENSATION_FAILED:
        says += retry_undo(facts).says
    elif row is not None and row.due_at is not None:
        says += run_now(facts).says
    return Consequence(says=says)


def undo_done(facts: Facts) -> Consequence:
    return Consequence(
        says=[
            f"{facts.name(facts.step)} counts as undone, on your word: nothing is called.",
            "With the last undo that failed the instance counts as compensated.",
        ]
    )


def skip_undo(facts: Facts) -> Consequence:
    return Consequence(
        says=[
            f"What {facts.name(facts.step)} did stays as it is, and that is recorded.",
            "The instance stays a failed compensation.",
        ]
    )


def set_variables(facts: Facts) -> Consequence:
    says = ["Steps that begin after the resume read the new values; what has run is not done again."]
    prepared = facts.steps(state__in=STEP_OPEN, input__isnull=False)
    if prepared:
        says.append(f"The parameters of these are settled already and stay: {facts.listed(prepared)}.")
    return Consequence(says=says)


def tag(facts: Facts) -> Consequence:
    return Consequence(
        says=["Lists and commands find it by them. What it runs, and what it has called, stays as it is."]
    )


OF: Mapping[str, Callable[[Facts], Consequence]] = {
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "terminate": terminate,
    "retry": retry,
    "skip": skip,
    "run-now": run_now,
    "set-variables": set_variables,
    "rewind": rewind,
    "rerun": rerun,
    "tag": tag,
    "migrate": migrate,
    "retry-undo": retry_undo,
    "call-again": call_again,
    "undo-done": undo_done,
    "skip-undo": skip_undo,
}
"""By the name of the act."""
