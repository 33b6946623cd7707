"""The outline: where each step stands in the document, and which list of steps it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from workflows_app.engine.definition.model import AdhocBody, Definition, ForeachBody, LoopBody, Step
from workflows_app.engine.needs import Resolver, lists_in
from workflows_app.engine.values import join_path

Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class StepList:
    """One list of steps: of the document, of a case of a choice, or of a branch.

    Args:
        keys: where the list stands in the document.
        steps: the steps by id, in order.
        owner: id of the step that the list is written in; ``None`` for the outermost one.
        needs: direct dependencies within the list by step, unknown ones left out.
        inferred: those of them that only what the step reads says.
    """

    keys: Keys
    steps: dict[str, Step]
    owner: str | None
    needs: dict[str, tuple[str, ...]]
    inferred: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Placed:
    """One step with its keys in the document and the list it stands in."""

    step: Step
    keys: Keys
    inside: StepList

    def path(self, *keys: str | int) -> str:
        """Spell the place of the step, or of something in it."""
        return join_path("", *self.keys, *keys)


@dataclass(slots=True)
class Outline:
    """All steps of a definition in the order of the document, outer before inner."""

    definition: Definition
    lists: list[StepList] = field(init=False, default_factory=list)
    steps: dict[str, Placed] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        resolver = Resolver(self.definition)
        stack: list[tuple[Keys, tuple[Step, ...], str | None]] = [(("steps",), self.definition.steps, None)]
        while stack:
            keys, steps, owner = stack.pop()
            known = {step.id for step in steps}
            resolved = resolver.resolve(steps)
            needs = {name: tuple(n for n in each.all if n in known) for name, each in resolved.items()}
            inferred = {name: each.inferred for name, each in resolved.items()}
            inside = StepList(keys, {step.id: step for step in steps}, owner, needs, inferred)
            self.lists.append(inside)
            inner: list[tuple[Keys, tuple[Step, ...], str | None]] = []
            for index, step in enumerate(steps):
                place = (*keys, index)
                self.steps[step.id] = Placed(step, place, inside)
                inner.extend(((*place, *rest), entries, step.id) for rest, entries in lists_in(step))
            stack.extend(reversed(inner))

    def lineage(self, name: str) -> Iterator[tuple[StepList, str]]:
        """Yield the step's list with the step, then each enclosing list with the block that leads to the step."""
        current: str | None = name
        while current is not None:
            inside = self.steps[current].inside
            yield inside, current
            current = inside.owner

    def repeats(self, name: str) -> Iterator[Step]:
        """Yield the ``foreach``, ``loop`` and ``adhoc`` steps that a step stands in, inner before outer."""
        for inside, _ in self.lineage(name):
            owner = self.steps[inside.owner].step if inside.owner else None
            if owner is not None and isinstance(owner.body, ForeachBody | LoopBody | AdhocBody):
                yield owner
