"""Scenes: which part of a chart is drawn, as lists of boxes for the layout.

Where a chart has more than a picture can show, blocks stay closed, the inner ones first; whoever looks opens them by
name. Many steps that wait for the same and that the same waits for stand together in one frame, with one link in and
one out: a hundred parallel lines say no more than one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workflows_app.drawing.chart import Chart, Edge, Vertex
from workflows_app.drawing.layout import Box, List

MOST_BOXES = 150
"""So many steps are drawn before blocks stay closed."""
MOST_AT_ALL = 1_000
"""A picture of more steps helps nobody, and is not made, whatever is to be opened."""
MOST_LINKS = 4_000
"""The same of links."""
MANY_ALIKE = 7
"""From so many on, equal steps side by side stand in one frame."""
WIDTH, HEIGHT = 214.0, 50.0
BLOCK_HEIGHT = 58.0
TRANSITION_HEIGHT = 30.0
SIDE = "side:"
"""Begins the key of a frame around equal steps."""
MOVE = "move:"
"""Begins the key of a transition's box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn.

    Args:
        outermost: the outermost boxes with all that stands in them.
        closed: blocks that are drawn without what stands in them, with the number of steps in them.
        links: the edges behind each link of the drawing.
    """

    outermost: List
    closed: dict[str, int]
    links: dict[tuple[str, str], list[Edge]]


def scene(chart: Chart, *, opened: Iterable[str] = ()) -> Scene | None:
    """Choose what is drawn of a chart.

    Args:
        opened: blocks that are drawn with what stands in them, however much it is.

    Returns:
        ``None`` where even the outermost list is too long to be drawn, or too densely linked.
    """
    if len(chart.roots) > MOST_AT_ALL:
        return None
    shown = _open(chart, opened)
    made = _Making(chart, shown)
    outermost = made.machine() if chart.is_machine else made.steps(chart.roots)
    if len(made.links) > MOST_LINKS:
        return None
    closed = {each.id: _inside(chart, each) for each in chart.vertices.values() if each.groups and each.id not in shown}
    return Scene(outermost=outermost, closed=closed, links=made.links)


def _open(chart: Chart, opened: Iterable[str]) -> set[str]:
    """Return the blocks that are drawn with what stands in them: those that are wanted, then the outer ones first."""
    shown: set[str] = set()
    boxes = len(chart.roots)
    for name in opened:
        wanted = [block for block in _around(chart, name) if block.id not in shown]
        more = sum(len(block.children) for block in wanted)
        if boxes + more <= MOST_AT_ALL:
            boxes += more
            shown.update(block.id for block in wanted)
    queue = deque(chart.roots)
    while queue:
        vertex = chart.vertices[queue.popleft()]
        if vertex.id not in shown and vertex.groups and boxes + len(vertex.children) <= MOST_BOXES:
            boxes += len(vertex.children)
            shown.add(vertex.id)
        if vertex.id in shown:
            queue.extend(vertex.children)
    return {name for name in shown if chart.vertices[name].groups}


def _around(chart: Chart, name: str) -> Iterator[Vertex]:
    """Yield the step of this id, if there is one, and the blocks around it, inner before outer."""
    vertex = chart.vertices.get(name)
    while vertex is not None:
        yield vertex
        vertex = chart.vertices.get(vertex.parent or "")


def _inside(chart: Chart, block: Vertex) -> int:
    """Count the steps in a block, at every level."""
    return sum(1 + _inside(chart, chart.vertices[child]) for child in block.children)


class _Making:
    """Makes the boxes of a chart."""

    def __init__(self, chart: Chart, shown: set[str]) -> None:
        self.chart = chart
        self.shown = shown
        self.links: dict[tuple[str, str], list[Edge]] = {}
        self._into: dict[str, list[Edge]] = {}
        self._out_of: dict[str, list[Edge]] = {}
        for edge in chart.edges:
            self._into.setdefault(edge.target, []).append(edge)
            self._out_of.setdefault(edge.source, []).append(edge)

    def steps(self, names: Sequence[str], *, heading: str = "") -> List:
        """Make the boxes of a list of steps, equal ones in one frame."""
        alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
        for name in names:
            before = frozenset(edge.source for edge in self._into.get(name, ()))
            after = frozenset(edge.target for edge in self._out_of.get(name, ()))
            alike.setdefault((before, after), []).append(name)
        stands_in: dict[str, str] = {}
        if len(alike) > 1:
            for members in alike.values():
                if len(members) >= MANY_ALIKE:
                    stands_in |= dict.fromkeys(members, SIDE + members[0])
        boxes: dict[str, Box] = {}
        for name in names:
            frame = stands_in.get(name)
            if frame is None:
                boxes[name] = self._box(self.chart.vertices[name])
            elif frame not in boxes:
                members = [each for each in names if stands_in.get(each) == frame]
                inner = List(boxes=tuple(self._box(self.chart.vertices[each]) for each in members))
                boxes[frame] = Box(key=frame, width=WIDTH, height=HEIGHT, lists=(inner,))
        for name in names:
            for edge in self._into.get(name, ()):
                pair = stands_in.get(edge.source, edge.source), stands_in.get(name, name)
                self.links.setdefault(pair, []).append(edge)
        links = tuple(pair for pair in self.links if pair[0] in boxes and pair[1] in boxes)
        return List(boxes=tuple(boxes.values()), links=links, heading=heading, members=tuple(names))

    def _box(self, vertex: Vertex) -> Box:
        if vertex.id not in self.shown:
            return Box(key=vertex.id, width=WIDTH, height=HEIGHT)
        lists = tuple(self.steps(group.members, heading=group.heading) for group in vertex.groups)
        return Box(key=vertex.id, width=WIDTH, height=BLOCK_HEIGHT, lists=lists)

    def machine(self) -> List:
        """Make the boxes of a state machine: its states, and its transitions between them."""
        states = sorted(self.chart.roots, key=lambda name: not self.chart.vertices[name].initial)
        boxes = {name: self._box(self.chart.vertices[name]) for name in states}
        for edge in self.chart.edges:
            key = MOVE + edge.transition
            boxes.setdefault(key, Box(key=key, width=WIDTH, height=TRANSITION_HEIGHT))
            self.links.setdefault((edge.source, key), []).append(edge)
            self.links.setdefault((key, edge.target), []).append(edge)
        return List(boxes=tuple(boxes.values()), links=tuple(self.links))
