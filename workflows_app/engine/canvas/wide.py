"""Wide groups: more members than a chain may carry go out at their own frontier, light ones in chunks.

A chunk is one message that names several steps: the worker claims and runs them one after the other. Nobody knows how
long they take before one has run, so a chunk is large, and the worker that finds them slow sends what it has no time
for in smaller ones. Quick members of one instance are best left to one worker: each commit locks the instance's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workflows_app.engine.canvas import static
from workflows_app.engine.canvas.plans import Chord, Group, Task
from workflows_app.engine.canvas.regions import Notes, Region, coming, may_be_undo, sent
from workflows_app.engine.canvas.sizes import MATE
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph

WIDE = 16
"""More members side by side than this are a wide group."""
CHUNK = 100
"""How many members a chunk has as long as nobody knows how long they take."""
CHUNK_BYTES = 16_000
"""What the members of a chunk take in a message at most; less than a message may."""


def dispatched(graph: Graph, frontier: Sequence[Dispatch], *, fusing: bool, chunk: int = CHUNK) -> Region:
    """Return the region of a frontier that is a wide group.

    Args:
        fusing: whether light members go out in chunks.
        chunk: how many members a chunk has at most.
    """
    tasks = chunked(graph, frontier, chunk) if fusing else [sent(dispatch) for dispatch in frontier]
    notes = Notes()
    found = static.of(graph)
    follows = {dispatch.step: found.follow(dispatch.step) for dispatch in frontier}
    certain = not any(may_be_undo(graph, dispatch) for dispatch in frontier)
    if len(tasks) < len(frontier):
        messages = f"{len(tasks)} messages" if len(tasks) > 1 else "one message"
        why = f"follows {len(frontier)} steps in {messages}: its join is counted in the database"
    else:
        body = _join(graph, follows) if certain else None
        if body is not None:
            _note_after_join(found, body, notes)
            return Region(plan=Chord(header=tuple(tasks), body=body), hand_overs=notes.hand_overs())
        why = f"follows a wide group of {len(frontier)}: it is dispatched at its own frontier"
    for path, follow in follows.items():
        if isinstance(follow, static.Go):
            notes.add(path, follow.joins[0], f"`{follow.joins[0]}` {why}")
        elif isinstance(follow, static.Stop):
            notes.add(path, follow.step, follow.why)
    plan = Group(members=tuple(tasks)) if len(tasks) > 1 else tasks[0]
    return Region(plan=plan, hand_overs=notes.hand_overs())


def _join(graph: Graph, follows: dict[str, static.Follow]) -> Task | None:
    """Return the one step for which all members wait and nothing else does."""
    follow = next(iter(follows.values()))
    if isinstance(follow, static.Go) and follow.gate == follows.keys() and len(follow.then) == 1:
        return coming(graph, follow.then[0])
    return None


def _note_after_join(found: static.Static, body: Task, notes: Notes) -> None:
    follow = found.follow(body.step)
    if isinstance(follow, static.Go):
        notes.add(body.step, follow.joins[0], f"`{body.step}` joins a wide group: what follows is a region of its own")
    elif isinstance(follow, static.Stop):
        notes.add(body.step, follow.step, follow.why)


def chunked(graph: Graph, frontier: Sequence[Dispatch], chunk: int) -> list[Task]:
    """Put the light steps of each queue into chunks of about the same size; the others keep messages of their own."""
    light: dict[str, list[Task]] = {}
    messages: list[Task] = []
    for dispatch in frontier:
        task = sent(dispatch)
        if task.long or graph[dispatch.step].alone:
            messages.append(task)
        else:
            light.setdefault(task.queue, []).append(task)
    for members in light.values():
        messages += [
            replace(part[0], mates=tuple((mate.step, mate.generation) for mate in part[1:]))
            for part in _shares(members, chunk)
        ]
    return messages


def _shares(members: list[Task], chunk: int) -> list[list[Task]]:
    """Divide members evenly into as few parts as hold them.

    >>> tasks = [Task(step=f"s{n}", generation=1, queue="default") for n in range(100)]
    >>> [len(part) for part in _shares(tasks, 30)]
    [25, 25, 25, 25]
    """
    taken = sum(MATE + len(str(task.generation)) + len(task.step) for task in members)
    count = min(len(members), max(-(-len(members) // chunk), -(-taken // CHUNK_BYTES)))
    size, larger = divmod(len(members), count)
    parts, start = [], 0
    for index in range(count):
        end = start + size + (index < larger)
        parts.append(members[start:end])
        start = end
    return parts
