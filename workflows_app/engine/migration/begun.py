"""What has begun: it has to have a place in the new version where it stands, and to mean the same there."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.definition.model import ReceiveBody
from workflows_app.engine.errors import Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.migration.standing import UNDER_WAY, Standing, problem
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import iteration_of
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import Role, StepState

NAMED = 5
"""Of more steps so many are named."""


def problems(standing: Standing) -> Iterator[Problem]:
    """Yield every reason why something that has begun cannot go on, or would be lost, in the new version."""
    for node in standing.begun():
        target = standing.target(node.path)
        if target is None:
            yield from _gone(standing, node)
        else:
            yield from _kept(standing, node, standing.new.nodes[target])
    yield from _inside(standing)


def _gone(standing: Standing, node: Node) -> Iterator[Problem]:
    """Look at a step that the new version does not have."""
    path, row, state = node.path, standing.row(node.path), standing.state(node.path)
    version = standing.new.definition.version
    if state in UNDER_WAY:
        if not node.is_part:
            ways = "let it end, skip it or map it"
            yield problem("STEP_GONE", path, f"is {state}, and {version} has no such step; {ways}")
        elif standing.old[node.parent or ""].path in standing.new.nodes:
            yield problem("STEP_GONE", path, f"is a branch that is under way, and {version} has no such branch")
    elif standing.is_held(path):
        yield problem("STEP_GONE", path, f"has failed, which the pause holds back, and {version} has no such step")
    elif _loses_undo(standing.old, node, row, None):
        message = f"has run, and {version} has nothing that would undo it; map it to a step that has"
        yield problem("UNDO_LOST", path, message)


def _kept(standing: Standing, node: Node, there: Node) -> Iterator[Problem]:
    """Look at a step that the new version has as well, under its own name or another."""
    path, row, state = node.path, standing.row(node.path), standing.state(node.path)
    version = standing.new.definition.version
    if not _same_kind(node, there, under_way=state in UNDER_WAY):
        yield problem("KIND_CHANGED", path, f"is a `{node.kind}` that has begun, in {version} it is a `{there.kind}`")
        return
    if (parent := node.parent and standing.target(node.parent)) != there.parent or (node.parent and parent is None):
        was, will = node.parent or "the outermost list", there.parent or "the outermost list"
        yield problem("STEP_MOVED", path, f"has begun in {was}, in {version} it stands in {will}")
        return
    if node.path in standing.renames and (reason := _why_not_renamed(node, state)):
        yield problem("CANNOT_BE_RENAMED", path, reason)
    if state in UNDER_WAY:
        yield from under_way(node, there, row, version=version)
    elif _loses_undo(standing.old, node, row, there):
        yield problem("UNDO_LOST", path, f"has run, and in {version} nothing undoes {there.path}")
    if row.stopping and state in UNDER_WAY:
        yield problem("BLOCK_STOPPING", path, "is being stopped; wait until that is over")
    elif state is StepState.COMPLETED and row.open_children:
        yield problem("BLOCK_STOPPING", path, "is decided, but some of its parts still run; wait until they have ended")
    if node.is_repeat and (row.opened or state in UNDER_WAY):
        yield from _repeated(standing, node, there, open_=state in UNDER_WAY)


def _same_kind(node: Node, there: Node, *, under_way: bool) -> bool:
    """Whether two nodes are of one kind; what has settled may have been any kind of plain step."""
    if node.kind is there.kind:
        return True
    plain = not (node.is_container or there.is_container)
    return plain and not under_way and NodeKind.CALL not in (node.kind, there.kind)


def _why_not_renamed(node: Node, state: StepState) -> str:
    """Say why a step that has begun has to keep its name; empty where it has not."""
    if node.is_container:
        return "is a block that has begun, and keeps its name"
    if node.kind is NodeKind.CALL:
        return "has called another instance, which knows it by its name"
    if state is StepState.RUNNING:
        return "is running, and its worker knows it by its name; wait for the end of its attempt"
    if isinstance(node.step.body, ReceiveBody) and node.step.body.callback is not None and state in UNDER_WAY:
        return "waits at an address that names it"
    return ""


def under_way(node: Node, there: Node, row: StepSnapshot, *, version: str) -> Iterator[Problem]:
    """Yield why what comes of a step under way would mean something else in the new version."""
    own = node.kind is NodeKind.ACTIVITY and row.role is Role.ACTION
    if own and _plain(node.activity) != _plain(there.activity):
        what = f"is {row.state} with {node.activity}, in {version} it is {there.activity}"
        yield problem("ACTIVITY_CHANGED", node.path, f"{what}; let it end, or skip it, first")
    if row.role is Role.FALLBACK and _fallback(node, row) != _fallback(there, row):
        message = f"its fallback is under way, and {version} has another one or none"
        yield problem("FALLBACK_CHANGED", node.path, message)
    if _awaited(node) != _awaited(there):
        yield problem("EVENT_CHANGED", node.path, f"waits for what {version} does not wait for there")
    if _called(node) != _called(there):
        yield problem("WORKFLOW_CHANGED", node.path, f"waits for another workflow than {version} waits for there")
    if not node.is_part and node.branch_join.quorum != there.branch_join.quorum:
        message = f"is open, and in {version} it is decided by another number of parts"
        yield problem("BLOCK_CHANGED", node.path, message)


def _awaited(node: Node) -> tuple[object, ...] | None:
    """Return the event that a step waits for."""
    body = node.step.body
    return (body.event, body.callback) if isinstance(body, ReceiveBody) else None


def _called(node: Node) -> tuple[str, bool] | None:
    """Return the workflow that a step calls, and whether it waits for its end."""
    return None if node.callee is None else (node.callee.workflow, node.awaits_child)


def _plain(activity: str) -> str:
    """Return an activity's name without its version: a later one of the same means the same."""
    return activity.partition("@")[0]


def _fallback(node: Node, row: StepSnapshot) -> str | None:
    if row.error_case is not None and row.error_case >= len(node.step.on_error.cases):
        return None
    instead = node.step.on_error.fallback(row.error_case)
    return _plain(instead.activity) if instead else None


def _loses_undo(old: Graph, node: Node, row: StepSnapshot, there: Node | None) -> bool:
    """Whether what a settled step did could be undone, and could not be any more."""
    if node.is_repeat:
        return there is None and row.opened > 0 and any(old.written[name].has_undo for name in inside(old, node.path))
    return not node.is_part and needs_undo(node, row) and (there is None or not there.has_undo)


# ---------------------------------------------------------------- iterations
def inside(graph: Graph, name: str) -> list[str]:
    """Return the names of the written nodes in a block that repeats, in document order."""
    found = {name}
    for path, node in graph.written.items():
        if node.parent in found:
            found.add(path)
    return [path for path in graph.written if path in found and path != name]


def _repeated(standing: Standing, node: Node, there: Node, *, open_: bool) -> Iterator[Problem]:
    """Look at a block of which iterations have begun: these stand in it by number, and its steps by name."""
    old, new, version = standing.old, standing.new, standing.new.definition.version
    here, later = inside(old, node.path), inside(new, there.path)
    if sorted(here) != sorted(later):
        differ = sorted({*here} ^ {*later})
        names = ", ".join(differ[:NAMED]) + (" …" if len(differ) > NAMED else "")
        yield problem("BLOCK_CHANGED", node.path, f"has begun to repeat, and {names} in it differ in {version}")
        return
    for name in here:
        one, other = old.written[name], new.written[name]
        if _place(one) != _place(other):
            message = f"stands in {node.path}, which has begun to repeat, and has another place or kind in {version}"
            yield problem("BLOCK_CHANGED", name, message)
        elif one.has_undo and not other.has_undo:
            yield problem("UNDO_LOST", name, f"may have run in {node.path}, and in {version} nothing undoes it")
        elif open_:
            yield from _batches(one, other, version)
    if open_:
        yield from _batches(node, there, version)


def _place(node: Node) -> tuple[object, ...]:
    """Return what the rows of a step in iterations depend on."""
    return node.kind, node.parent, frozenset(node.needs), node.lists, node.join.quorum, _called(node)


def _batches(node: Node, there: Node, version: str) -> Iterator[Problem]:
    """Look at how items come together: those of an iteration would be others under its number."""
    if node.kind is not NodeKind.FOREACH or there.kind is not NodeKind.FOREACH:
        return
    if node.foreach.batch_size != there.foreach.batch_size:
        message = f"has begun to repeat, and has another `batch_size` in {version}: its items would be others"
        yield problem("BLOCK_CHANGED", node.path, message)


def _inside(standing: Standing) -> Iterator[Problem]:
    """Look at what is under way in iterations, where the new version has the same block."""
    for path, row in sorted(standing.steps.items()):
        if iteration_of(path) is None or row.state not in UNDER_WAY:
            continue
        try:
            node, there = standing.old[path], standing.new[path]
        except KeyError:
            continue  # its block has been refused
        if row.stopping:
            yield problem("BLOCK_STOPPING", path, "is being stopped; wait until that is over")
        elif node.kind is there.kind:
            yield from under_way(node, there, row, version=standing.new.definition.version)
