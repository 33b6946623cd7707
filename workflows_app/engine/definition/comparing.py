"""What differs in meaning between two definitions: steps by id, needs as resolved, policies as they work out.

Each definition becomes an outline, in which a step is found by its id wherever it is written, and the outlines are
compared key by key. The spelling of a duration, a default that is written out and an order of keys leave no trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workflows_app.engine.definition.dumping import Document, dump
from workflows_app.engine.definition.machine import Transition
from workflows_app.engine.definition.model import (
    AdhocBody,
    ChoiceBody,
    Definition,
    ForeachBody,
    LoopBody,
    ParallelBody,
    Step,
)
from workflows_app.engine.needs import Resolver
from workflows_app.engine.values import join_path

PLACE = "in"
"""Key of an outlined step that says which list it is written in."""


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between an old and a new definition.

    Args:
        kind: ``moved`` is a step that is written in another list.
        path: where, with steps by id: ``steps.charge.with.amount``, ``input.required``, ``steps.charge`` itself.
        old: the value before, ``None`` for what is added; of a moved step the list it was in.
        new: the value after, ``None`` for what is removed; of a moved step the list it is in.
    """

    kind: Change
    path: str
    old: Any
    new: Any

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind.value, "path": self.path, "old": self.old, "new": self.new}


def differences(old: Definition, new: Definition) -> tuple[Difference, ...]:
    """Return what differs in meaning, in the document first, then step by step; nothing when both say the same.

    The version is not compared: it tells definitions apart and changes nothing of what they do. What is kept for
    people (titles, notes) is compared. Lists other than those of steps are compared as one value. The
    transitions of a state machine are found by their ids, in which those for one event are numbered in their order.

    Args:
        old: a parsed definition; it need not have been verified.
        new: another one.

    >>> from workflows_app.engine.definition import parse
    >>> step = {"id": "a", "activity": "core.echo", "timeout": "90s"}
    >>> old = parse({"workflow": "w", "version": "1.0.0", "steps": [step]})
    >>> new = parse({"workflow": "w", "version": "2.0.0", "steps": [{**step, "timeout": "1m30s", "needs": []}]})
    >>> differences(old, new)
    ()
    >>> new = parse({"workflow": "w", "version": "2.0.0", "steps": [{**step, "timeout": "2m"}]})
    >>> [(found.kind.value, found.path, found.old, found.new) for found in differences(old, new)]
    [('changed', 'steps.a.timeout', '90s', '2m')]
    """
    found = _compared(_outline(old), _outline(new), ())
    return tuple(sorted(found, key=lambda each: each.path.startswith("steps.")))


def _compared(old: Mapping[Any, Any], new: Mapping[Any, Any], keys: tuple[str | int, ...]) -> Iterator[Difference]:
    for key in dict.fromkeys([*old, *new]):
        inner = (*keys, key)
        path = join_path("", *inner)
        if key not in old:
            yield Difference(Change.ADDED, path, None, new[key])
        elif key not in new:
            yield Difference(Change.REMOVED, path, old[key], None)
        elif isinstance(old[key], Mapping) and isinstance(new[key], Mapping):
            yield from _compared(old[key], new[key], inner)
        elif not _same(old[key], new[key]):
            if key == PLACE and keys[0] == "steps" and len(keys) == 2:
                yield Difference(Change.MOVED, join_path("", *keys), old[key], new[key])
            else:
                yield Difference(Change.CHANGED, path, old[key], new[key])


def _same(old: Any, new: Any) -> bool:
    """Whether two values are the same JSON; 1, 1.0 and true are not."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _outline(definition: Definition) -> Document:
    document = dump(definition)
    del document["version"]
    if definition.machine is not None:
        named = zip(definition.machine.transitions, document.pop("transitions"), strict=True)
        transitions = {each.id: {**written, **_actions(each, written)} for each, written in named}
        undoable = any(action.compensate for action in definition.machine.actions)
        return {**document, **_endings(document, undoable=undoable), "transitions": transitions}
    # How the needs of a step came about means nothing; what they are is compared step by step.
    document["defaults"] = {key: value for key, value in document.get("defaults", {}).items() if key != "needs"}
    if not document["defaults"]:
        del document["defaults"]
    steps = dict(_steps(definition.steps, document.pop("steps"), "steps", Resolver(definition)))
    undoable = any(isinstance(step.get("compensate"), Mapping) for step in steps.values())
    return {**document, **_endings(document, undoable=undoable), "steps": steps}


def _endings(document: Document, *, undoable: bool) -> Document:
    """Return what a failure, a cancellation and a time-out do, written or not."""
    policies = ("on_failure", "on_cancel", "on_timeout")
    return {policy: document.get(policy, "compensate" if undoable else "stop") for policy in policies}


def _actions(transition: Transition, written: Document) -> Document:
    """Return the actions of a transition by their ids: one that changed is compared key by key."""
    lists = (("do", transition.before), ("then", transition.after))
    return {
        key: {step.id: action for step, action in zip(steps, written[key], strict=True)}
        for key, steps in lists
        if steps
    }


def _steps(
    steps: Sequence[Step], documents: Sequence[Document], place: str, resolver: Resolver
) -> Iterator[tuple[str, Document]]:
    """Yield every step of a list, and of the lists inside it, by id.

    A list inside a step leaves one thing behind in the step: which step is its last, for that one's output is the
    output of the list.
    """
    needs = resolver.resolve(tuple(steps))
    for step, document in zip(steps, documents, strict=True):
        # What is waited for is a set: in which order it is written means nothing.
        resolved = {PLACE: place, "kind": step.kind.value, "needs": sorted(needs[step.id].all)}
        own = {**resolved, **{key: value for key, value in document.items() if key not in ("id", "needs")}}
        inside: list[tuple[Sequence[Step], Sequence[Document], str]] = []
        path = join_path("steps", step.id)
        match step.body:
            case ChoiceBody():
                own["choice"] = {}
                for index, (case, written) in enumerate(zip(step.body.cases, document["choice"], strict=True)):
                    condition = {} if case.when is None else {"when": case.when}
                    own["choice"][index] = {**condition, "last": case.steps[-1].id}
                    inside.append((case.steps, written["steps"], join_path(path, "choice", index)))
            case ParallelBody():
                branches = step.body.branches
                own["parallel"] = {
                    **document["parallel"],
                    "branches": {name: {"last": listed[-1].id} for name, listed in branches.items()},
                }
                for name, written in document["parallel"]["branches"].items():
                    inside.append((branches[name], written, join_path(path, "parallel", "branches", name)))
            case AdhocBody():
                written = document["adhoc"]
                own["adhoc"] = {key: value for key, value in written.items() if key != "steps"}
                inside.append((step.body.steps, written["steps"], join_path(path, "adhoc")))
            case ForeachBody() | LoopBody():
                written = document[step.kind.value]
                last = {"last": step.body.steps[-1].id}
                own[step.kind.value] = {key: value for key, value in written.items() if key != "steps"} | last
                inside.append((step.body.steps, written["steps"], join_path(path, step.kind.value)))
        yield step.id, own
        for listed, written, where in inside:
            yield from _steps(listed, written, where, resolver)
