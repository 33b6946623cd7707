"""Definitions that are about undoing: most steps have a compensation, and many instances do not come to a good end."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.joins import joining
from workflows_app.engine import definition
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    ChoiceBody,
    Compensation,
    ForeachBody,
    LoopBody,
    ParallelBody,
    Step,
)

Document = dict[str, Any]
UNDO = Compensation(activity="core.echo", parameters={"undo": "${ output }"})
CONDITIONS = (None, None, None, "2 > 1", "1 > 2", "error.code == 'CANCELLED'", "error.code != 'CANCELLED'", "1 / 0 > 0")
"""Conditions of compensations; the last one cannot be evaluated."""


def sagas() -> st.SearchStrategy[Definition]:
    """Draw definitions of every kind that undo what they did, wholly or as far as they say how."""
    failing = definitions(activities=("core.echo", "core.echo", "core.echo", "core.fail"), max_steps=14, events=True)
    calling = definitions(activities=("core.echo", "core.fail"), max_steps=12, calls=True)
    people = definitions(activities=("core.echo", "core.echo", "core.fail"), max_steps=12, people=True)
    undoable = st.builds(all_undoable, failing | joining() | people, st.integers(0, 2**32 - 1))
    return undoable | (failing | calling).map(undoing)


def undoing(drawn: Definition) -> Definition:
    """Let a definition undo whatever stops it."""
    return replace(drawn, on_failure="compensate", on_cancel=None, on_timeout="compensate")


def all_undoable(drawn: Definition, seed: int = 0) -> Definition:
    """Give every activity step of a definition a compensation, and let it undo whatever stops it.

    Args:
        seed: of the choice which of them have a condition; with 0 none has.
    """
    chance = random.Random(seed)

    def steps(written: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step(each) for each in written)

    def step(written: Step) -> Step:
        match written.body:
            case ActivityBody():
                condition = chance.choice(CONDITIONS) if seed else None
                return replace(written, compensate=replace(UNDO, when=condition), irreversible=False)
            case ChoiceBody(cases=cases):
                return replace(written, body=ChoiceBody(cases=tuple(replace(c, steps=steps(c.steps)) for c in cases)))
            case ParallelBody(branches=branches, join=join):
                inner = {name: steps(branch) for name, branch in branches.items()}
                return replace(written, body=ParallelBody(branches=inner, join=join))
            case ForeachBody() | LoopBody() | AdhocBody():
                return replace(written, body=replace(written.body, steps=steps(written.body.steps)))
            case _:
                return written

    return undoing(replace(drawn, steps=steps(drawn.steps)))


def meshes() -> st.SearchStrategy[Definition]:
    """Draw layers of steps that wait for several of the layers before, with blocks and calls among them.

    Many have no compensation, and the last step fails. They come from a seed, not from single draws: small examples,
    which Hypothesis prefers, have nothing to get out of order.
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: definition.parse(_Mesh(random.Random(seed)).document()))


class _Mesh:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ids = 0

    def document(self) -> Document:
        steps = self.layers(depth=0)
        needs = [step["id"] for step in steps[-4:]]
        steps.append({"id": "last", "fail": {"code": "NO", "message": "no"}, "needs": needs})
        return {"workflow": "mesh", "version": "1.0.0", "on_failure": "compensate", "steps": steps}

    def layers(self, depth: int) -> list[Document]:
        steps: list[Document] = []
        before: list[str] = []
        for _ in range(self.chance.randint(1, 2 if depth else 4)):
            layer: list[str] = []
            for _ in range(self.chance.randint(1, 2 if depth else 4)):
                needs = self.chance.sample(before, min(len(before), self.chance.randint(0, 4)))
                step = self.step(depth)
                steps.append({**step, "needs": needs})
                layer.append(step["id"])
            before += layer
        return steps

    def step(self, depth: int) -> Document:
        self.ids += 1
        name = f"s{self.ids}"
        kinds = ["echo", "echo", "echo", "plain", "plain", "off", "call"]
        kinds += ["parallel", "choice", "foreach", "loop"] if depth < 2 else []
        undo: Document = {"compensate": {"activity": "core.echo", "with": {"of": "${ output }"}}}
        if (condition := self.chance.choice(CONDITIONS)) is not None:
            undo["compensate"]["when"] = condition
        match self.chance.choice(kinds):
            case "plain":
                return {"id": name, "activity": "core.echo"}
            case "off":
                return {"id": name, "activity": "core.echo", "when": "1 > 2", **undo}
            case "call":
                return {"id": name, "call": {"workflow": "other", "input": {}}}
            case "parallel":
                branches = {f"{name}_{side}": self.layers(depth + 1) for side in ("left", "right")}
                return {"id": name, "parallel": {"branches": branches}}
            case "choice":
                taken = self.chance.choice(["true", "false"])
                cases = [{"when": taken, "steps": self.layers(depth + 1)}, {"steps": self.layers(depth + 1)}]
                return {"id": name, "choice": cases}
            case "foreach":
                most = self.chance.choice([{}, {}, {"max_concurrency": 1}, {"max_concurrency": 2}])
                return {"id": name, "foreach": {"items": [1, 2, 3], "steps": self.layers(depth + 1), **most}}
            case "loop":
                return {"id": name, "loop": {"times": self.chance.randint(0, 3), "steps": self.layers(depth + 1)}}
            case _:
                return {"id": name, "activity": "core.echo", **undo}
