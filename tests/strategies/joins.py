"""Definitions that are about joins: races of steps and of branches, side by side and inside each other."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows_app.engine import definition
from workflows_app.engine.definition import Definition

Document = dict[str, Any]


def joining() -> st.SearchStrategy[Definition]:
    """Draw definitions in which steps and blocks wait for some of several, of which some fail."""
    return documents().map(definition.parse)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw the documents of ``joining``."""
    author = _Author(draw)
    steps = [*author.race(), *author.block(depth=0), {"id": "last", "activity": "core.echo"}]
    policy = draw(st.sampled_from(["compensate", "stop"]))
    return {"workflow": "joins", "version": "1.0.0", "on_failure": policy, "steps": steps}


class _Author:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.ids = 0

    def name(self) -> str:
        self.ids += 1
        return f"s{self.ids}"

    def step(self, **keys: Any) -> Document:
        """Write a step that succeeds, fails, waits, or is skipped."""
        kind = self.draw(st.sampled_from(["echo", "echo", "echo", "fail", "wait", "off"]))
        kinds: dict[str, Document] = {
            "echo": {"activity": "core.echo", "with": {"value": 1}, "compensate": {"activity": "core.echo"}},
            "fail": {"activity": "core.fail", "with": {"code": "NO"}},
            "wait": {"wait": {"for": "1m"}},
            "off": {"activity": "core.echo", "when": "1 > 2"},
        }
        policies = ["fail", "continue", {"fallback": {"activity": "core.echo", "with": {"why": "${ error }"}}}]
        policy = {"on_error": self.draw(st.sampled_from(policies))} if kind == "fail" else {}
        return {"id": self.name(), **kinds[kind], **policy, **keys}

    def race(self) -> list[Document]:
        """Write steps side by side, some with one before them, some read elsewhere too, and one that waits for them."""
        steps: list[Document] = []
        needs: list[str] = []
        for _ in range(self.draw(st.integers(2, 4))):
            first = self.step(needs=[])
            steps.append(first)
            needs.append(first["id"])
            if self.draw(st.booleans()):
                second = self.step(needs=[first["id"]])
                steps.append(second)
                needs[-1] = second["id"]
        if self.draw(st.booleans()):
            steps.append(self.step(needs=[self.draw(st.sampled_from(needs))]))
        return [*steps, self.step(needs=needs, **self.join(len(needs), deadline=True))]

    def block(self, depth: int) -> list[Document]:
        """Write a block whose branches race, with a race or a block in some of them."""
        branches: dict[str, list[Document]] = {}
        for _ in range(self.draw(st.integers(2, 3))):
            kinds = ["steps", "steps", "race", *(["block"] if depth == 0 else [])]
            name = self.name()
            match self.draw(st.sampled_from(kinds)):
                case "steps":
                    branches[name] = [self.step() for _ in range(self.draw(st.integers(1, 2)))]
                case "race":
                    branches[name] = self.race()
                case "block":
                    branches[name] = self.block(depth + 1)
        policy = self.draw(st.sampled_from([{}, {"on_error": "continue"}]))
        return [{"id": self.name(), "parallel": {"branches": branches, **self.join(len(branches))}, **policy}]

    def join(self, among: int, *, deadline: bool = False) -> Document:
        """Write what is waited for of so many steps, perhaps for a while only, or of so many branches."""
        if self.draw(st.integers(0, 3)) == 0:
            return {"tolerate": self.draw(st.integers(0, among))}
        if deadline and self.draw(st.integers(0, 3)) == 0:
            return {"join_deadline": "30s", "rest": self.draw(st.sampled_from(["let_finish", "cancel"]))}
        quorum = self.draw(st.integers(1, among))
        join = "any" if quorum == 1 else {"at_least": quorum}
        waits = {"join_deadline": "30s"} if deadline and self.draw(st.booleans()) else {}
        return {"join": join, "rest": self.draw(st.sampled_from(["let_finish", "cancel"])), **waits}
