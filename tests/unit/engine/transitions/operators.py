"""What people do to a simulated instance: choose in ad-hoc sections, skip, see to failed undos, go back to a step."""

from __future__ import annotations

from contextlib import suppress

from workflows_app.engine.errors import StateForbids
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.reopening import evidence
from workflows_app.engine.states import (
    STEP_OPEN,
    InstanceState,
    StepState,
)
from workflows_app.engine.transitions import (
    Act,
    ChildEnded,
    MemberChosen,
    RetryUndo,
    Rewind,
    RunNow,
    Skip,
    SkipUndo,
    UndoDone,
)


class Operators:
    """The people around a ``Simulator``: each act draws from its seed, and what is refused changes nothing."""

    def open_sections(self) -> list[str]:
        """Ad-hoc sections that wait for people, by path."""
        if self.state.instance.state is not InstanceState.RUNNING or self.state.instance.ending is not None:
            return []
        waiting = [path for path, step in self.state.steps.items() if step.state is StepState.WAITING]
        return sorted(path for path in waiting if self._takes_choices(self.graph[path]))

    def _takes_choices(self, node: Node) -> bool:
        if node.kind is not NodeKind.ADHOC:
            return False
        around = (node.path, *(container.path for container in self.graph.ancestors(node.path)))
        return not any(self.state.step(path).stopping for path in around)

    def _choose(self, path: str) -> None:
        """Let somebody pick, add or skip a member; what is under way already cannot be picked."""
        kept, members = self.state.step(path).input, [step.id for step in self.graph[path].adhoc.steps]
        act = self.random.choice([Act.PICK, Act.PICK, Act.PICK, Act.SKIP, Act.SKIP, Act.ADD])
        if act is Act.SKIP:
            members = kept["plan"]
        elif act is Act.PICK:
            last = {name: f"{path}-{name}[{kept['runs'].get(name, 0) - 1}]" for name in members}
            members = [
                name for name in members if self.state.step(last[name]).state not in STEP_OPEN - {StepState.PENDING}
            ]
        if members:
            member, data = self.random.choice(members), self.random.choice([None, 1, {"n": "x"}])
            self.take(
                MemberChosen(section=path, member=member, act=act, person="ada", groups=frozenset({"all"}), data=data),
                path,
            )

    def _meddle(self) -> None:
        """Try to skip any step, or to run it now; what is refused changes nothing."""
        self.meddles -= 1
        path = self.random.choice(sorted({*self.graph.nodes, *self.state.steps}))
        act = self.random.choice([Skip, Skip, RunNow])
        with suppress(StateForbids):
            self.take(act(step=path, actor="ada", reason="why not"), path)

    def failed_undos(self) -> list[str]:
        """The steps whose undo has failed, as far as somebody may see to it."""
        if self.state.instance.state not in (InstanceState.COMPENSATING, InstanceState.COMPENSATION_FAILED):
            return []
        return sorted(p for p, step in self.state.steps.items() if step.state is StepState.COMPENSATION_FAILED)

    def _mend(self) -> None:
        """See to an undo that failed, or let somebody do so in the instance below that it belongs to."""
        self.mends -= 1
        path = self.random.choice(self.failed_undos())
        child = self.left_below.get(path)
        if child is not None and self.random.random() < 0.5:
            del self.left_below[path]
            self.take(ChildEnded(step=path, child=child, state=InstanceState.COMPENSATED), path)
            return
        act = self.random.choice([RetryUndo, RetryUndo, RetryUndo, SkipUndo, UndoDone])
        with suppress(StateForbids):
            self.take(act(step=path, actor="ada", reason="seen to"), path)

    def _go_back(self) -> None:
        """Try to take the instance back to any step, or to run it again from there; what is refused changes nothing."""
        self.rewinds -= 1
        step = self.random.choice(sorted(self.graph.nodes))
        parameters = {"n": 1} if self.edits and self.random.random() < 0.2 else None
        occurrence = Rewind(
            step=step,
            including=parameters is not None or self.random.random() < 0.5,
            resume=self.random.random() < 0.5,
            actor="ada",
            evidence=evidence(self.events),
            parameters=parameters,
        )
        before = (self.state.instance, dict(self.state.steps))
        try:
            self.take(occurrence, None)
        except StateForbids:
            assert (self.state.instance, self.state.steps) == before
