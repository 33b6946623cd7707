"""Definitions that are about undoing: most steps have a compensation, and many instances do not come to a good end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.joins import joining
from workflows_app.engine import definition
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import (
    ActivityBody,
    ChoiceBody,
    Compensation,
    ForeachBody,
    LoopBody,
    ParallelBody,
    Step,
)

Document = dict[str, Any]
UNDO = Compensation(activity="core.echo", parameters={"undo": "${ output }"})


def sagas() -> st.SearchStrategy[Definition]:
    """Draw definitions of every kind that undo what they did, wholly or as far as they say how."""
    failing = definitions(activities=("core.echo", "core.echo", "core.echo", "core.fail"), max_steps=14, events=True)
    calling = definitions(activities=("core.echo", "core.fail"), max_steps=12, calls=True)
    return (failing | joining()).map(all_undoable) | meshes() | (failing | calling).map(undoing)


def undoing(drawn: Definition) -> Definition:
    """Let a definition undo whatever stops it."""
    return replace(drawn, on_failure="compensate", on_cancel=None, on_timeout="compensate")


def all_undoable(drawn: Definition) -> Definition:
    """Give every activity step of a definition a compensation, and let it undo whatever stops it."""

    def steps(written: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step(each) for each in written)

    def step(written: Step) -> Step:
        match written.body:
            case ActivityBody():
                return replace(written, compensate=UNDO, irreversible=False)
            case ChoiceBody(cases=cases):
                return replace(written, body=ChoiceBody(cases=tuple(replace(c, steps=steps(c.steps)) for c in cases)))
            case ParallelBody(branches=branches, join=join):
                inner = {name: steps(branch) for name, branch in branches.items()}
                return replace(written, body=ParallelBody(branches=inner, join=join))
            case ForeachBody() | LoopBody():
                return replace(written, body=replace(written.body, steps=steps(written.body.steps)))
            case _:
                return written

    return undoing(replace(drawn, steps=steps(drawn.steps)))


@st.composite
def meshes(draw: st.DrawFn) -> Definition:
    """Draw layers of steps that wait for several of the layer before; some in a block, many without a compensation."""
    undo = {"compensate": {"activity": "core.echo"}}
    steps: list[Document] = []
    before: list[str] = []
    for layer in range(draw(st.integers(2, 5))):
        names: list[str] = []
        for place in range(draw(st.integers(1, 4))):
            name = f"s{layer}_{place}"
            needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=4)) if before else []
            steps.append({"id": name, "needs": needs, **_work(draw, name, undo)})
            names.append(name)
        before += names
    steps.append({"id": "last", "fail": {"code": "NO", "message": "no"}, "needs": before[-4:]})
    return definition.parse({"workflow": "mesh", "version": "1.0.0", "on_failure": "compensate", "steps": steps})


def _work(draw: st.DrawFn, name: str, undo: Document) -> Document:
    def echo(**keys: Any) -> Document:
        return {"activity": "core.echo", **(undo if draw(st.booleans()) else {}), **keys}

    match draw(st.sampled_from(["step", "step", "step", "off", "block", "each", "again"])):
        case "off":
            return echo(when="1 > 2")
        case "block":
            branches = {f"{name}_{b}": [{"id": f"{name}_{b}_x", **echo()}] for b in ("left", "right")}
            return {"parallel": {"branches": branches}}
        case "each":
            most = draw(st.sampled_from([{}, {"max_concurrency": 1}, {"max_concurrency": 2}]))
            inner = [{"id": f"{name}_x", **echo()}, {"id": f"{name}_y", **echo(needs=[])}]
            return {"foreach": {"items": [1, 2, 3], "steps": inner, **most}}
        case "again":
            return {"loop": {"times": 2, "steps": [{"id": f"{name}_x", **echo()}, {"id": f"{name}_y", **echo()}]}}
        case _:
            return echo()
