"""Ad-hoc sections: people choose which of its steps is done next, until a condition holds.

A section keeps a plan: at first each member once. To pick a member is to begin it; if it is on the plan it is taken
off, otherwise it is repeated. To add puts a member on the plan once more, to skip takes it off. The section is done,
once nothing in it is under way, when its condition holds; without one, when nothing is planned any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workflows_app.engine.errors import ExpressionError, OrchestratorError, Refused, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import chosen
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import settling, stopping
from workflows_app.engine.transitions.draft import Draft, Look, holds, names_of
from workflows_app.engine.transitions.occurrences import Act, MemberChosen
from workflows_app.engine.transitions.problems import error_of

MOST_CHOICES = 1_000
"""How often the members of one section may be picked in all, and how many may be planned at once."""


class NotAssigned(Refused):
    """A choice by somebody whom the section is not assigned to."""

    code = "NOT_ASSIGNED"


def open_(draft: Draft, node: Node) -> None:
    """Open a section with each member on its plan.

    Raises:
        OrchestratorError: whom it is assigned to cannot be evaluated.
    """
    assigned = _checked(draft.evaluate(node.value, node))
    plan = [member.id for member in node.adhoc.steps]
    draft.emit(EventType.STEP_WAITING, node.path, input={"assign": assigned, "plan": plan, "runs": {}})
    draft.look_later(Look.REPEAT, node.path)


def _checked(assigned: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return whom a section is assigned to, if these are names."""
    if assigned is not None:
        ((how, whom),) = assigned.items()
        names = [whom] if isinstance(whom, str) else whom
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise ExpressionError(f"adhoc.assign.{how} names nobody: {whom!r}"[:200])
    return assigned


def is_assigned(assign: Mapping[str, Any], person: str, groups: Collection[str]) -> bool:
    """Say whether a section that is assigned like this is for a person in these groups to choose in.

    >>> is_assigned({"group": "adjusters"}, "ann", ["adjusters"]), is_assigned({"users": ["bob"]}, "ann", ["bob"])
    (True, False)
    """
    ((how, whom),) = assign.items()
    named = {whom} if isinstance(whom, str) else set(whom)
    return not named.isdisjoint(groups if how == "group" else {person})


def go_on(draft: Draft, node: Node) -> None:
    """End the section if nothing in it is under way and it is done; otherwise it waits for people."""
    step = draft.step(node.path)
    if step.state is not StepState.WAITING or step.stopping or step.open_children or draft.stopped(node):
        return
    section = draft.values_of(node.path)
    try:
        if _is_done(draft, node, section):
            settling.complete(draft, node, output=_output(draft, node, section))
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))


def chosen_by(draft: Draft, occurrence: MemberChosen) -> None:
    """Do what a person chose.

    Raises:
        StateForbids: the section, or the whole instance, does not wait for people; or the member is under way.
        NotAssigned: it is not for this person to choose.
        Refused: there is no such section or member, or a member to skip is not planned.
    """
    node = _section(draft, occurrence.section)
    section = draft.values_of(node.path)
    _require_open(draft, node, section)
    _require_assigned(node, section.input["assign"], occurrence)
    _require_member(node, occurrence.member)
    draft.actor = occurrence.person
    plan = list(section.input["plan"])
    match occurrence.act:
        case Act.PICK:
            _pick(draft, node, section, plan, occurrence)
        case Act.ADD:
            _require_room(node, len(plan))
            _plan(draft, node, EventType.SECTION_ADDED, [*plan, occurrence.member], occurrence)
        case Act.SKIP:
            if occurrence.member not in plan:
                raise Refused(f"{occurrence.member} is not on the plan of {node.path}", code="NOT_PLANNED")
            plan.remove(occurrence.member)
            _plan(draft, node, EventType.SECTION_SKIPPED, plan, occurrence)


# ---------------------------------------------------------------- acts
def _pick(draft: Draft, node: Node, section: StepSnapshot, plan: list[str], occurrence: MemberChosen) -> None:
    member = occurrence.member
    runs = dict(section.input["runs"])
    _require_room(node, sum(runs.values()))
    number = runs.get(member, 0)
    if number and draft.step(_path(node, member, number - 1)).settled is None:
        raise StateForbids(f"{member} is under way already; it can be repeated when it has ended")
    if member in plan:
        plan.remove(member)
    path = _path(node, member, number)
    draft.begun.add(path)
    item = {"by": occurrence.person, "data": occurrence.data, "reason": occurrence.reason}
    draft.emit(EventType.STEP_WAITING, path, input={"item": item}, plan=plan)
    draft.actor = "engine"
    draft.look_later(Look.ENTER, draft.graph[path].children[0])


def _plan(draft: Draft, node: Node, kind: EventType, plan: list[str], occurrence: MemberChosen) -> None:
    draft.emit(kind, node.path, member=occurrence.member, plan=plan, reason=occurrence.reason)
    draft.actor = "engine"
    draft.look_later(Look.REPEAT, node.path)


def _section(draft: Draft, path: str) -> Node:
    try:
        node = draft.graph[path]
    except KeyError:
        raise Refused(f"there is no step {path}", code="UNKNOWN_STEP") from None
    if node.kind is not NodeKind.ADHOC:
        raise Refused(f"{path} is no ad-hoc section", code="UNKNOWN_STEP")
    return node


def _require_open(draft: Draft, node: Node, section: StepSnapshot) -> None:
    if draft.instance.state is not InstanceState.RUNNING:
        raise StateForbids(f"the instance is {draft.instance.state}; nothing in it can be chosen")
    if section.state is not StepState.WAITING:
        raise StateForbids(f"{node.path} is {section.state}; nothing in it can be chosen")
    if section.stopping or draft.stopped(node):
        raise StateForbids(f"{node.path} is stopping; nothing in it can be chosen any more")


def _require_assigned(node: Node, assign: Mapping[str, Any] | None, occurrence: MemberChosen) -> None:
    """Hold a person against whom the section is assigned to; without ``assign`` the shells say who may."""
    if assign is None:
        return
    if not is_assigned(assign, occurrence.person, occurrence.groups):
        ((how, whom),) = assign.items()
        whose = f"the group {whom}" if how == "group" else ", ".join([whom] if isinstance(whom, str) else whom)
        raise NotAssigned(f"{node.path} is assigned to {whose}, not to {occurrence.person}")


def _require_member(node: Node, member: str) -> None:
    known = [step.id for step in node.adhoc.steps]
    if member not in known:
        raise Refused(f"{member} is no step of {node.path}, which has {', '.join(known)}", code="UNKNOWN_STEP")


def _require_room(node: Node, number: int) -> None:
    if number >= MOST_CHOICES:
        raise StateForbids(f"{node.path} has had {number:,} choices, more than which it may not", code="LOOP_LIMIT")


# ---------------------------------------------------------------- what it came to
def _is_done(draft: Draft, node: Node, section: StepSnapshot) -> bool:
    if node.completes_when is None:
        return not section.input["plan"]
    names = {r.name for r in node.completes_when.reads if r.root == "steps" and r.name}
    inside = [name for name in names if draft.graph.written[name].depth == node.depth + 1]
    return holds(draft.evaluate(node.completes_when, node, steps=_latest(draft, node, section, inside)))


def _output(draft: Draft, node: Node, section: StepSnapshot) -> dict[str, Any]:
    """Return what each member came to when it was chosen last, null for one that was not."""
    members = [step.id for step in node.adhoc.steps]
    return {name: found["output"] for name, found in _latest(draft, node, section, members).items()}


def _latest(draft: Draft, node: Node, section: StepSnapshot, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return what expressions read of steps in the section, each as its member was chosen last."""
    runs: Mapping[str, int] = section.input["runs"]
    paths: dict[str, str | None] = {}
    for name in names:
        member = draft.graph.member(name)
        times = runs.get(member, 0)
        paths[name] = f"{_path(node, member, times - 1)}.{name}" if times else None
    draft.need_values(path for path in paths.values() if path is not None)
    return {
        name: names_of(draft.values_of(path) if path else _untouched(section, name)) for name, path in paths.items()
    }


def _untouched(section: StepSnapshot, name: str) -> StepSnapshot:
    """A member that was never chosen: it is still planned, or was skipped."""
    skipped = name not in section.input["plan"]
    return StepSnapshot(path=name, state=StepState.SKIPPED if skipped else StepState.PENDING)


def _path(node: Node, member: str, index: int) -> str:
    return f"{chosen(node.path, member)}[{index}]"
