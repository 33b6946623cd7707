"""Needs: what each step of a list waits for, as the document says it or as what the step reads implies.

A step that says nothing waits for the one written just before it. A list names steps of the same list. ``inferred``
stands for those steps of the same list whose results are read in the step, or in anything written inside it; a result
of a step that stands inside another one of the list comes from that one. The graph, the verifier, the comparison and
the documentation ask here, so that all have the same edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import (
    AdhocBody,
    ChoiceBody,
    Definition,
    ForeachBody,
    LoopBody,
    ParallelBody,
    Step,
)
from workflows_app.engine.definition.places import Keys, Place, of_step
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions import Reference


@dataclass(frozen=True, slots=True)
class Needs:
    """The direct dependencies of one step.

    Args:
        written: those that the document says, in its order: a list, or by silence the step before.
        inferred: those that only what the step reads says, in the order of the list.
    """

    written: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both together, without a step twice."""
        return (*self.written, *self.inferred)


class Resolver:
    """Resolves the lists of one definition; what a step reads is found out once, whatever lists it stands in."""

    def __init__(self, definition: Definition) -> None:
        self._by_default = definition.infers_needs
        self._read: dict[str, frozenset[str]] = {}
        self._inside: dict[str, frozenset[str]] = {}

    def resolve(self, steps: tuple[Step, ...]) -> dict[str, Needs]:
        """Return the dependencies of each step of one list; those that are written need not exist."""
        resolved: dict[str, Needs] = {}
        homes: Mapping[str, str] | None = None
        previous: str | None = None
        for step in steps:
            written = tuple(dict.fromkeys(step.needs or ()))
            inferred: tuple[str, ...] = ()
            if self._is_inferred(step):
                if homes is None:
                    homes = {name: home.id for home in steps for name in self._names(home)}
                read = {homes[name] for name in self._reads(step) if name in homes}
                inferred = tuple(s.id for s in steps if s.id in read and s.id != step.id and s.id not in written)
            elif step.needs is None and previous is not None:
                written = (previous,)
            resolved[step.id] = Needs(written, inferred)
            previous = step.id
        return resolved

    def _is_inferred(self, step: Step) -> bool:
        return step.infers_needs or (self._by_default and step.needs is None)

    def _names(self, step: Step) -> frozenset[str]:
        """Return the ids of a step and of all that are written inside it."""
        if step.id not in self._inside:
            inner = (self._names(each) for _, steps in lists_in(step) for each in steps)
            self._inside[step.id] = frozenset({step.id}).union(*inner)
        return self._inside[step.id]

    def _reads(self, step: Step) -> frozenset[str]:
        """Return the ids of the steps that are read in a step, or in anything written inside it."""
        if step.id not in self._read:
            own = {r.name for place in of_step(step) for r in _references(place) if r.root == "steps" and r.name}
            inner = (self._reads(each) for _, steps in lists_in(step) for each in steps)
            self._read[step.id] = frozenset(own).union(*inner)
        return self._read[step.id]


def of_definition(definition: Definition) -> dict[str, Needs]:
    """Return the dependencies of every step of a definition, by id.

    >>> from workflows_app.engine.definition import parse
    >>> steps = [{"id": "a", "set": {"v": 1}}, {"id": "b", "needs": [], "set": {"w": 2}},
    ...          {"id": "c", "needs": {"inferred": True, "also": ["b"]}, "set": {"x": "${ steps.a.output.v }"}}]
    >>> of_definition(parse({"workflow": "w", "version": "1.0.0", "steps": steps}))["c"]
    Needs(written=('b',), inferred=('a',))
    """
    resolver = Resolver(definition)
    found: dict[str, Needs] = {}
    lists = [definition.steps]
    while lists:
        steps = lists.pop()
        found |= resolver.resolve(steps)
        lists.extend(inner for step in steps for _, inner in lists_in(step))
    return found


def lists_in(step: Step) -> list[tuple[Keys, tuple[Step, ...]]]:
    """Return the lists of steps written inside a step, with the keys that lead there."""
    match step.body:
        case ChoiceBody(cases=cases):
            return [(("choice", index, "steps"), case.steps) for index, case in enumerate(cases)]
        case ParallelBody(branches=named):
            return [(("parallel", "branches", name), entries) for name, entries in named.items()]
        case ForeachBody(steps=steps) | LoopBody(steps=steps) | AdhocBody(steps=steps):
            return [((step.kind.value, "steps"), steps)]
        case _:
            return []


def _references(place: Place) -> Iterator[Reference]:
    """Yield what a place reads. An expression that does not compile reads nothing; the verifier says why."""
    for text in _texts(place.value) if place.is_template else (place.value,):
        try:
            compiled = expressions.compile_value(text) if place.is_template else expressions.compile_expression(text)
        except ExpressionError:
            continue
        yield from compiled.reads


def _texts(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value that may hold an expression."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            if "${" in node:
                yield node
        elif isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, list | tuple):
            stack.extend(node)
