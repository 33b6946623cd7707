"""The outline: a definition's steps in the order of the document, nested by their blocks, with what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from workflows_app.engine.states import StepState
from workflows_app.models import Step

KINDS = ("set", "choice", "parallel", "wait", "return", "fail")


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
    """

    path: str
    name: str
    kind: str
    depth: int
    heading: bool = False
    row: Step | None = None
    children: list[Line] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.row.state if self.row else StepState.PENDING.value


def lines(steps: Sequence[Mapping[str, Any]], *, limit: int) -> list[Line]:
    """Return the first ``limit`` lines of a document's steps, flat.

    >>> [(line.depth, line.path or line.name) for line in lines([{"id": "pick", "choice": [
    ...     {"when": "input.big", "steps": [{"id": "lorry", "activity": "core.echo"}]}]}], limit=10)]
    [(0, 'pick'), (1, 'when input.big'), (2, 'lorry')]
    """
    return list(islice(_walk(steps, 0), limit))


def _walk(steps: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Line]:
    for step in steps:
        yield Line(path=step["id"], name=step.get("name") or step["id"], kind=_kind(step), depth=depth)
        for case in step.get("choice", ()):
            name = f"when {case['when']}" if "when" in case else "otherwise"
            yield Line(path="", name=name, kind="case", depth=depth + 1, heading=True)
            yield from _walk(case["steps"], depth + 2)
        for branch, inner in step.get("parallel", {}).get("branches", {}).items():
            yield Line(path=branch, name=branch, kind="branch", depth=depth + 1, heading=True)
            yield from _walk(inner, depth + 2)


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
