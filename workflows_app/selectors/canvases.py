"""Canvases as text and as one document: what ``workflow plan`` prints and the page of a canvas shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from workflows_app.engine.canvas import Canvas, Chain, Chord, Group, Plan, Task, tasks
from workflows_app.engine.canvas.naming import ANY, named, shown
from workflows_app.engine.definition.retention import dump_retention, retention_words
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.taming import tame

FEW = 8
"""Of more steps in a message, links in a chain or members in a group, the first ones and the last are shown."""
SHOWN = 3
CONDITION_LENGTH = 40
LINE_LENGTH = 100
FUSED = "a + b  one message runs both, one after the other, each with a commit of its own"
CHUNK = "a & b  one message names both: members of a wide group that share a worker"
REPEAT = f"{ANY}  any iteration: the plan is made anew for each; many items at once go out like a wide group"


def document(graph: Graph, canvases: Sequence[Canvas], *, fusing: bool) -> dict[str, Any]:
    """Return a survey as one document; sizes in bytes, estimated from above."""
    return {
        "workflow": graph.definition.name,
        "version": graph.definition.version,
        "retention": dump_retention(graph.definition.retention),
        "fusion": fusing,
        "largest_message_bytes": largest(canvases),
        "canvases": [
            {
                "number": each.number,
                "begins": each.begins,
                "steps": each.steps,
                "messages": each.messages,
                "width": each.width,
                "bytes_at_once": each.weight.together,
                "largest_message_bytes": each.weight.largest,
                "plan": _tree(each.plan, each),
                "hand_overs": [
                    {
                        "after": list(map(shown, over.after)),
                        "step": shown(over.step),
                        "why": over.why,
                        "canvases": list(leads),
                    }
                    for over, leads in each.ends
                ],
            }
            for each in canvases
        ],
        "needs": [
            {"step": node.path, "written": _written(node), "inferred": list(node.inferred)}
            for node in graph.written.values()
            if not node.is_part
        ],
    }


def _written(node: Node) -> list[str]:
    """Return what a step waits for because the document says so, by a list or by silence."""
    return [need for need in node.needs if need not in node.inferred]


def _tree(plan: Plan, canvas: Canvas) -> dict[str, Any]:
    match plan:
        case Task():
            return {
                "type": "task",
                "step": shown(plan.step),
                "queue": plan.queue,
                "long": plan.long,
                "fused": list(map(shown, plan.fused)),
                "mates": [shown(path) for path, _ in plan.mates],
                "bytes": canvas.weight.messages[plan.step],
            }
        case Chain():
            return {"type": "chain", "links": [_tree(link, canvas) for link in plan.links]}
        case Group():
            return {"type": "group", "members": [_tree(member, canvas) for member in plan.members]}
        case Chord():
            header = [_tree(member, canvas) for member in plan.header]
            return {"type": "chord", "header": header, "body": _tree(plan.body, canvas)}


def largest(canvases: Sequence[Canvas]) -> int:
    """Return the bytes of the largest message."""
    return max((each.weight.largest for each in canvases), default=0)


def text(graph: Graph, canvases: Sequence[Canvas], *, fusing: bool) -> str:
    """Return a survey as people read it in a terminal."""
    name = f"{graph.definition.name} {graph.definition.version}"
    kept = graph.definition.retention
    order = [*([f"finished instances are {retention_words(kept)}"] if kept else []), *_inferred(graph)]
    if not canvases:
        return "\n".join([f"{name}: the engine does all of it itself; no message is sent", *order])
    steps = sum(node.kind is NodeKind.ACTIVITY for node in graph.written.values())
    messages = sum(each.messages for each in canvases)
    lines = [
        f"{name}: {_count(steps, 'step')} for workers, {_count(messages, 'message')} in "
        f"{_count(len(canvases), 'canvas', 'canvases')}; the largest message has {_size(largest(canvases))}",
        *([] if fusing else ["step by step: a message for each step"]),
    ]
    rows = {each.number: list(_rows(each.plan, graph, each, "   ")) for each in canvases}
    columns = [max(len(row[column]) for its in rows.values() for row in its) for column in (0, 1)]
    for each in canvases:
        lines += [
            "",
            f"{each.number:<3}{_shortened(each.begins, LINE_LENGTH)}",
            *(_line(row, *columns) for row in rows[each.number]),
        ]
        lines += ["   then the engine:"] if each.ends else []
        for over, leads in each.ends:
            where = f"after {named(over.after)}: " if len(each.ends) > 1 else ""
            lines.append(f"     {where}{over.why}" + (f" -> {', '.join(map(str, leads))}" if leads else ""))
    sent = [task for each in canvases for task in tasks(each.plan)]
    legend = [FUSED] * any(task.fused for task in sent) + [CHUNK] * any(task.mates for task in sent)
    legend += [REPEAT] * any(graph[task.step].depth for task in sent)
    return "\n".join([*lines, *([""] if kept else []), *order, *([""] if legend else []), *legend])


def _inferred(graph: Graph) -> Iterator[str]:
    """Yield lines about the steps whose dependencies follow from what they read, apart from those that are written."""
    nodes = [node for node in graph.written.values() if node.inferred]
    if nodes:
        yield from ("", "inferred from what steps read:")
    width = max((len(node.path) for node in nodes), default=0)
    for node in nodes:
        written = _written(node)
        also = f" (and, as written, {', '.join(written)})" if written else ""
        yield f"   {node.path:<{width}}   after {_shortened(', '.join(node.inferred) + also, LINE_LENGTH)}"


Row = tuple[str, str, str]
"""What is sent, on which queue, and its size."""


def _rows(plan: Plan, graph: Graph, canvas: Canvas, indent: str, before: str = "") -> Iterator[Row]:
    deeper = f"{indent}  "
    match plan:
        case Task():
            yield f"{indent}{before}{_label(plan, graph)}", plan.queue, _size(canvas.weight.messages[plan.step])
        case Chain():
            yield f"{indent}{before}chain", "", ""
            yield from _some(plan.links, graph, canvas, deeper)
        case Group():
            yield f"{indent}{before}group, {len(plan.members)} wide", "", ""
            yield from _some(plan.members, graph, canvas, deeper)
        case Chord():
            yield f"{indent}{before}chord, {len(plan.header)} wide", "", ""
            yield from _some(plan.header, graph, canvas, deeper)
            yield from _rows(plan.body, graph, canvas, deeper, "when all are done: ")


def _some(members: Sequence[Plan], graph: Graph, canvas: Canvas, indent: str) -> Iterator[Row]:
    few = members if len(members) <= FEW else members[:SHOWN]
    for member in few:
        yield from _rows(member, graph, canvas, indent)
    if len(few) < len(members):
        yield f"{indent}... {len(members) - SHOWN - 1} more ...", "", ""
        yield from _rows(members[-1], graph, canvas, indent)


def _label(task: Task, graph: Graph) -> str:
    sign, paths = (" & ", [task.step, *(path for path, _ in task.mates)]) if task.mates else (" + ", list(task.steps))
    condition = graph[task.step].step.when
    paths = list(map(shown, paths))
    if len(paths) > FEW:
        paths = [*paths[:SHOWN], "...", f"{paths[-1]} ({len(paths)} steps)"]
    return sign.join(paths) + (f" (if {_shortened(condition, CONDITION_LENGTH)})" if condition else "")


def _shortened(written: str, length: int) -> str:
    plain = tame(" ".join(written.split()))
    return plain if len(plain) <= length else f"{plain[: length - 3]}..."


def _line(row: Row, first: int, second: int) -> str:
    what, queue, size = row
    return f"{what:<{first}}   {queue:<{second}}   {size:>8}".rstrip()


def _size(count: int) -> str:
    """Write bytes for people.

    >>> _size(412), _size(1234)
    ('412 B', '1.2 kB')
    """
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"


def _count(number: int, one: str, many: str = "") -> str:
    """Write a number of things.

    >>> _count(1, "step"), _count(2, "canvas", "canvases")
    ('1 step', '2 canvases')
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
