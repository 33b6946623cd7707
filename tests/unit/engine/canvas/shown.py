"""Plans and their order, short enough to be compared in a test."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.engine import canvas
from workflows_app.engine.canvas import Chain, Chord, Group, Plan, Region, Task
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.definition import Definition
from workflows_app.engine.graph import Graph


def shape(plan: Plan) -> str:
    """Write a plan in one line: chains with ``>``, groups in brackets, chords as ``{header} => body``.

    A message that runs several steps is ``a+b``; one that names further steps ``a&b``.
    """
    match plan:
        case Task():
            return "+".join((plan.step, *plan.fused)) + "".join(f"&{path}" for path, _ in plan.mates)
        case Chain():
            return " > ".join(f"({shape(link)})" if isinstance(link, Chain) else shape(link) for link in plan.links)
        case Group():
            return f"[{' | '.join(map(shape, plan.members))}]"
        case Chord():
            return f"{{{' | '.join(map(shape, plan.header))}}} => {shape(plan.body)}"


def region(definition: Definition, *paths: str, generation: int = 1, **options: object) -> Region:
    """Return the region of a frontier."""
    return canvas.region(Graph(definition), frontier(Graph(definition), *paths, generation=generation), **options)


def whys(found: Region) -> list[str]:
    """Return the reasons for which a region ends."""
    return [hand_over.why for hand_over in found.hand_overs]


def frontier(graph: Graph, *paths: str, generation: int = 1) -> list[Dispatch]:
    """Return dispatches of these steps."""
    return [
        Dispatch(step=path, generation=generation, queue=graph[path].queue, timeout=graph[path].timeout)
        for path in paths
    ]


def order(plan: Plan) -> set[tuple[str, str]]:
    """Return every pair of steps of which a plan sends the second only after the first."""
    return set(_order(plan))


def _order(plan: Plan) -> Iterator[tuple[str, str]]:
    match plan:
        case Task():
            row = (plan.step, *plan.fused)
            yield from ((row[i], later) for i in range(len(row)) for later in row[i + 1 :])
        case Chain():
            for index, link in enumerate(plan.links):
                yield from _order(link)
                for later in plan.links[index + 1 :]:
                    yield from ((x, y) for x in steps(link) for y in steps(later))
        case Group():
            for member in plan.members:
                yield from _order(member)
        case Chord():
            yield from _order(plan.body)
            for member in plan.header:
                yield from _order(member)
                yield from ((x, y) for x in steps(member) for y in steps(plan.body))


def steps(plan: Plan) -> list[str]:
    """Return every step of a plan."""
    return [path for task in canvas.tasks(plan) for path in task.steps]


def meant(definition: Definition) -> set[tuple[str, str]]:
    """Return every pair of activity steps of which a definition lets the second begin only after the first."""
    graph = Graph(definition)
    after: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for node in graph.nodes.values():
        enter, leave = (node.path, "in"), (node.path, "out")
        after.setdefault(enter, []).append(leave)
        for need in node.needs:
            after.setdefault((need, "out"), []).append(enter)
        for child in node.children:
            after[enter].append((child, "in"))
            after.setdefault((child, "out"), []).append(leave)
    found: set[tuple[str, str]] = set()
    for path in graph.nodes:
        reached: set[tuple[str, str]] = set()
        stack = [(path, "out")]
        while stack:
            at = stack.pop()
            for each in after.get(at, ()):
                if each not in reached:
                    reached.add(each)
                    stack.append(each)
        found |= {(path, other) for other, end in reached if end == "in"}
    return found
