"""Definitions whose end does not depend on the order in which things happen, as documents and drawn at random."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from workflows_app.engine import definition
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import (
    ActivityBody,
    ChoiceBody,
    DecideBody,
    ForeachBody,
    Join,
    LoopBody,
    ParallelBody,
    SetBody,
    Step,
)
from workflows_app.engine.definition.reactions import OnError, Reaction, Reactions

TOLERANT = Reactions(plain=Reaction(kind=OnError.CONTINUE))
KEYS: list[dict[str, Any]] = [
    *({} for _ in range(5)),
    {"queue": "gpu"},
    {"batch": False},
    {"timeout": "2h"},
    {"when": "true"},
    {"when": "false"},
]


def activity(path: str, *needs: str, **keys: Any) -> dict[str, Any]:
    """Write an activity step with its needs."""
    return {"id": path, "activity": "core.echo", "needs": list(needs), **keys}


def flow(*steps: dict[str, Any], **keys: Any) -> Definition:
    """Parse a definition of these steps."""
    return definition.parse({"workflow": "drawn", "version": "1.0.0", "steps": list(steps), **keys})


@st.composite
def flat(draw: st.DrawFn, most: int = 24) -> Definition:
    """Draw activities with needs: any directed graph without cycles, some of them on other queues, long, or alone."""
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, most))):
        before = [step["id"] for step in steps]
        needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        keys = draw(st.sampled_from(KEYS))
        steps.append(activity(f"s{number}", *needs, **keys))
    return flow(*steps)


@st.composite
def nested(draw: st.DrawFn, wide: bool = True) -> Definition:
    """Draw series-parallel definitions: blocks in blocks, some of them ``wide``."""
    names = (f"s{number}" for number in range(10**6))
    most = 4 if wide else 2

    def block(depth: int) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = []
        for _ in range(draw(st.integers(1, 3))):
            name, keys = next(names), {"queue": "gpu"} if draw(st.integers(0, 5)) == 0 else {}
            if depth < 3 and draw(st.integers(0, 2)) == 0:
                branches = {next(names): block(depth + 1) for _ in range(draw(st.integers(1, most)))}
                steps.append({"id": name, "parallel": {"branches": branches}})
            elif wide and draw(st.integers(0, 12)) == 0:
                members = {next(names): [{"id": next(names), "activity": "core.echo"}] for _ in range(20)}
                steps.append({"id": name, "parallel": {"branches": members}})
            else:
                steps.append({"id": name, "activity": "core.echo", **keys})
        return steps

    return flow(*block(0))


def any_order(drawn: Definition) -> Definition:
    """Take from a drawn definition whatever makes its end depend on the order: races, deadlines, variables read."""

    def steps(written: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step(each) for each in written)

    def step(written: Step) -> Step:
        body = written.body
        match body:
            case SetBody():
                body = SetBody(assignments={"unread": next(iter(body.assignments.values()))})
            case ParallelBody():
                branches = {name: steps(inner) for name, inner in body.branches.items()}
                body = ParallelBody(branches=branches)
            case ChoiceBody():
                body = ChoiceBody(cases=tuple(replace(case, steps=steps(case.steps)) for case in body.cases))
            case ForeachBody():
                body = replace(body, steps=steps(body.steps), join=Join())
            case LoopBody():
                body = replace(body, steps=steps(body.steps))
        # A loop fails at its limit, a decision where its table has no answer.
        fails = isinstance(body, LoopBody | DecideBody)
        fails = fails or (isinstance(body, ActivityBody) and body.activity == "core.fail")
        policy = TOLERANT if fails and written.on_error.plain.kind is OnError.FAIL else written.on_error
        timeout = written.timeout if isinstance(body, ActivityBody) else None
        return replace(written, body=body, join=Join(), deadline=None, timeout=timeout, on_error=policy)

    variables = {**drawn.variables, "unread": None}
    return replace(drawn, steps=steps(drawn.steps), variables=variables, timeout=None)


def whole_language(max_steps: int = 14) -> st.SearchStrategy[Definition]:
    """Draw definitions of every kind of step that runs, with an end that is the same in every order."""
    return definitions(max_steps=max_steps, endings=False).map(any_order)
