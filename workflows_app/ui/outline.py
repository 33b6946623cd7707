"""The outline: a definition's steps in the order of the document, nested by their blocks, with what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from workflows_app.engine.states import StepState
from workflows_app.models import Step

KINDS = (
    "set", "choice", "parallel", "foreach", "loop", "adhoc", "wait", "receive", "emit", "call", "decide", "return",
    "fail",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Line:
    """A step, or a heading inside a block: a choice's case or a parallel's branch.

    Args:
        path: the step's path; a case has none.
        name: what people call it.
        kind: what it does: the activity's name, or the kind.
        depth: 0 for the outermost list.
        row: what is stored of it; ``None`` while nothing has happened.
        children: what is nested in it.
        repeat: what stands under ``foreach``, ``loop`` or ``adhoc`` in the document.
        iterations: those of a step that repeats which are shown, each with the steps in it as its children.
        acts: what an operator may do to it, as names and words.
        undo_is_needless: whether the condition of its undo said that it needs none.
    """

    path: str
    name: str
    kind: str
    depth: int
    heading: bool = False
    row: Step | None = None
    children: list[Line] = field(default_factory=list)
    repeat: Mapping[str, Any] | None = None
    iterations: list[Line] = field(default_factory=list)
    acts: list[tuple[str, str]] = field(default_factory=list)
    undo_is_needless: bool = False

    @property
    def state(self) -> str:
        return self.row.state if self.row else StepState.PENDING.value

    @property
    def is_named(self) -> bool:
        """Whether people call it something that its path does not end with."""
        return self.path.rpartition(".")[2] != self.name

    @property
    def is_open(self) -> bool:
        return self.row is not None and self.row.state == StepState.WAITING

    @property
    def repeats_by_itself(self) -> bool:
        """Whether it repeats steps, and not because people choose them."""
        return self.repeat is not None and self.kind != "adhoc"

    @property
    def progress(self) -> str:
        """How far a step that repeats is; empty for others, and before it has begun."""
        if self.repeat is None or self.row is None or self.row.started_at is None:
            return ""
        if self.kind == "adhoc":
            return of_choices(self.row)
        if self.kind == "loop":
            return of_rounds(self.row)
        return of_items(self.row, self.repeat) if self.row.planned is not None else ""

    @property
    def left_out(self) -> int:
        """How many iterations are not shown."""
        return self.row.opened - len(self.iterations) if self.repeat and self.row else 0


def of_items(row: Step, foreach: Mapping[str, Any]) -> str:
    """Say how far a ``foreach`` is, from its own row.

    What was cancelled is counted nowhere: only where nothing can have been is the rest what is done.
    """
    race, ended = foreach.get("join", "all") != "all", row.state == StepState.COMPLETED
    open_, failed, planned = row.open_children, row.failures, row.planned or 0
    certain = not row.stopping and (row.state == StepState.WAITING or (ended and not race))
    first = (
        f"{row.opened - open_ - failed:,} of {planned:,} done" if certain else f"{row.opened:,} of {planned:,} begun"
    )
    return ", ".join([first, *[f"{open_:,} under way"] * bool(open_), *[f"{failed:,} failed"] * bool(failed)])


def of_rounds(row: Step) -> str:
    """Say how far a ``loop`` is, from its own row."""
    if row.state == StepState.WAITING:
        return f"iteration {row.opened:,}" + (f" of {row.planned:,}" if row.planned is not None else "")
    return f"{row.opened:,} iteration{'' if row.opened == 1 else 's'}"


def of_choices(row: Step) -> str:
    """Say how far an ad-hoc section is, from its own row."""
    picked = f"{row.opened:,} picked" if row.opened else "nothing picked yet"
    return f"{picked}, {row.open_children:,} under way" if row.open_children else picked


def lines(steps: Sequence[Mapping[str, Any]], *, limit: int, around: str = "") -> list[Line]:
    """Return the first ``limit`` lines of a document's steps, flat.

    Args:
        around: what stands before their paths: of steps inside an iteration ``each[3].``

    >>> [(line.depth, line.path or line.name) for line in lines([{"id": "pick", "choice": [
    ...     {"when": "input.big", "steps": [{"id": "lorry", "activity": "core.echo"}]}]}], limit=10)]
    [(0, 'pick'), (1, 'when input.big'), (2, 'lorry')]
    """
    return list(islice(_walk(steps, 0, around), limit))


def _walk(steps: Sequence[Mapping[str, Any]], depth: int, around: str) -> Iterator[Line]:
    for step in steps:
        yield Line(
            path=around + step["id"],
            name=step.get("name") or step["id"],
            kind=_kind(step),
            depth=depth,
            repeat=step.get("foreach") or step.get("loop") or step.get("adhoc"),
        )
        for case in step.get("choice", ()):
            name = f"when {case['when']}" if "when" in case else "otherwise"
            yield Line(path="", name=name, kind="case", depth=depth + 1, heading=True)
            yield from _walk(case["steps"], depth + 2, around)
        for branch, inner in step.get("parallel", {}).get("branches", {}).items():
            yield Line(path=around + branch, name=branch, kind="branch", depth=depth + 1, heading=True)
            yield from _walk(inner, depth + 2, around)


def _kind(step: Mapping[str, Any]) -> str:
    if "activity" in step:
        return str(step["activity"])
    return next((kind for kind in KINDS if kind in step), "step")


def tree(flat: Sequence[Line], rows: Mapping[str, Step]) -> list[Line]:
    """Give the lines their rows, nest them, and return the outermost ones."""
    outermost: list[Line] = []
    around: list[Line] = []
    for line in flat:
        line.row = rows.get(line.path)
        del around[line.depth :]
        (around[-1].children if around else outermost).append(line)
        around.append(line)
    return outermost
