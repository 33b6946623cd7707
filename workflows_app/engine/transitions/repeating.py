"""Repeating: a ``foreach`` or ``loop`` is open; its next iterations begin, or it ends with what they came to.

The iterations of a ``foreach`` begin in portions, so that no decision grows with the number of items: the next portion
when most of those before have ended, or a moment later all the same, as items may wait for days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workflows_app.engine import values
from workflows_app.engine.commands import SetTimer, TimerKind
from workflows_app.engine.definition.model import MOST_ITERATIONS
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import settling, stopping
from workflows_app.engine.transitions.draft import Draft, Look, holds
from workflows_app.engine.transitions.problems import error, error_of

PORTION = 128
"""How many iterations of a ``foreach`` begin in one decision."""
REFILL = PORTION // 2
"""With so many open the next portion begins: several at a time, as each decision has its price."""
PATIENCE = timedelta(seconds=1)
"""After that time the next portion begins, however many are open."""
ITERATIONS = 1_000
"""How many iterations a loop without ``max_iterations`` may have."""
EVENTS_AT_ONCE = 1_000
"""After so many events in one decision what comes next waits for the next one: blocks of steps that run in place would
otherwise make it as long as they like."""


def go_on(draft: Draft, node: Node, *, waited: bool = False) -> None:
    """Begin the iterations whose turn has come, or end the block when there are none any more.

    Args:
        waited: whether a ``foreach`` has waited long enough for the portion before.
    """
    block = draft.step(node.path)
    if block.state is not StepState.WAITING or block.stopping or draft.stopped(node):
        return
    try:
        if node.kind is NodeKind.LOOP:
            _repeat(draft, node, block)
        else:
            _open_more(draft, node, block, waited)
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))


def lowest(node: Node) -> int:
    """Return with how many open iterations a ``foreach`` that has more to come begins the next ones."""
    most = node.foreach.max_concurrency
    return REFILL if most is None else most - 1 - min(most // 8, REFILL)


# ---------------------------------------------------------------- loop
def _repeat(draft: Draft, node: Node, block: StepSnapshot) -> None:
    if block.open_children:
        return
    index = block.opened
    if _is_over(draft, node, block, index):
        output = draft.values_of(_path(node, index - 1)).output if index else None
        settling.complete(draft, node, output=output)
    elif index >= min(node.loop.max_iterations or _allowed(block), MOST_ITERATIONS):
        stopping.failed(draft, node, error("LOOP_LIMIT", f"the loop has not ended after {index:,} iterations"))
    elif not _postponed(draft, node):
        _begin(draft, node, index)


def _allowed(block: StepSnapshot) -> int:
    return ITERATIONS if block.planned is None else MOST_ITERATIONS


def _is_over(draft: Draft, node: Node, block: StepSnapshot, index: int) -> bool:
    if block.planned is not None:
        return index >= block.planned
    if node.repeats_while is not None:
        return not holds(draft.evaluate(node.repeats_while, node, {"iteration": index}))
    if index == 0 or node.repeats_until is None:
        return False
    return holds(draft.evaluate(node.repeats_until, draft.graph[_path(node, index - 1)]))


# ---------------------------------------------------------------- foreach
def _open_more(draft: Draft, node: Node, block: StepSnapshot, waited: bool) -> None:
    planned = block.planned or 0
    quorum = node.branch_join.quorum
    if quorum is not None and _completed(block) >= quorum:
        return settling.decided(draft, node, **_outcome(draft, node))
    if quorum is not None and planned - block.failures < quorum:
        return _give_up(draft, node, block, quorum)
    if block.opened >= planned:
        if block.open_children == 0:
            settling.complete(draft, node, **_outcome(draft, node))
        return
    most = node.foreach.max_concurrency
    if not (waited and most is None) and block.open_children > lowest(node):
        return
    if _postponed(draft, node):
        return
    room = PORTION if most is None else min(PORTION, most - block.open_children)
    first, last = block.opened, min(planned, block.opened + room)
    size = node.foreach.batch_size
    found = draft.items(node.path, first * (size or 1), (last - first) * (size or 1))
    for place, index in enumerate(range(first, last)):
        item = found[place] if size is None else list(found[place * size : (place + 1) * size])
        _begin(draft, node, index, input={"item": item})
    if last < planned and (most is None or block.open_children + room < most):
        due = draft.now + (PATIENCE if most is None else timedelta())
        draft.command(SetTimer(step=node.path, kind=TimerKind.REPEAT, due_at=due))


def _completed(block: StepSnapshot) -> int:
    """Count by what is counted anyway: reading a row for each would cost more with every item."""
    return block.opened - block.open_children - block.failures


def _outcome(draft: Draft, node: Node) -> dict[str, Any]:
    """Return the output of a ``foreach`` in the order of its items, null for one that did not complete, and its error.

    Raises:
        OrchestratorError: all outputs together are too large.
    """
    found = draft.gathered(node.path)
    planned = draft.step(node.path).planned or 0
    output = [found.outputs.get(index) for index in range(planned)]
    values.encode(output, limit_bytes=draft.before.limit_bytes, what="the outputs of all items together")
    if not found.errors:
        return {"output": output}
    failures = [
        {"index": index, "code": problem["code"], "message": problem["message"]}
        for index, problem in sorted(found.errors.items())
    ]
    message = f"{len(failures):,} of {planned:,} failed, which is tolerated"
    return {"output": output, "error": error("TOLERATED_FAILURES", message, failures=failures)}


def _give_up(draft: Draft, node: Node, block: StepSnapshot, quorum: int) -> None:
    """Fail, as too few items are left to complete."""
    problem = error("JOIN_UNREACHABLE", f"fewer than {quorum:,} of {block.planned or 0:,} items can complete")
    if block.open_children:
        stopping.stop_block(draft, node, problem)
    else:
        stopping.failed(draft, node, problem)


# ---------------------------------------------------------------- both
def _begin(draft: Draft, node: Node, index: int, **data: Any) -> None:
    path = _path(node, index)
    draft.begun.add(path)
    draft.emit(EventType.STEP_WAITING, path, **data)
    for inner in draft.graph[path].children:
        if not draft.graph[inner].needs:
            draft.look_later(Look.ENTER, inner)


def _path(node: Node, index: int) -> str:
    return f"{node.path}[{index}]"


def _postponed(draft: Draft, node: Node) -> bool:
    """Leave what comes next to a decision of its own if this one is long already."""
    if len(draft.events) < EVENTS_AT_ONCE:
        return False
    draft.command(SetTimer(step=node.path, kind=TimerKind.REPEAT, due_at=draft.now))
    return True
