"""Pictures: a scene that has been laid out, as rectangles, lines and words that a template writes down.

Undos stand in a lane of their own at the right, each at the height of the step that it undoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workflows_app.drawing.chart import Chart, Edge, Vertex
from workflows_app.drawing.layout import Frame, Layout, Route, lay_out
from workflows_app.drawing.scene import BLOCK_HEIGHT, MOVE, SIDE, WIDTH, Scene, scene
from workflows_app.drawing.words import fitting

MARGIN = 34.0
"""Around everything: the marks of beginning and end stand in it."""
LANE = 60.0
"""Between the steps and the lane of undos."""
UNDO_HEIGHT = 50.0
NAME, DETAIL = 13.0, 11.5
"""Sizes of the two lines in a box."""
ICON = 24.0
"""Room for an icon before the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A rectangle of the picture.

    Args:
        role: ``step``, ``block``, ``closed`` (a block that hides what stands in it), ``side`` (a frame around equal
            steps), ``transition`` or ``undo``.
        frame: where.
        vertex: of a transition and a frame around equal steps ``None``.
        name: as much of what people call it as fits.
        full: the whole.
        detail: as much of what it does as fits.
        inside: the number of steps in a closed block.
        transition: the id of a transition.
    """

    role: str
    frame: Frame
    vertex: Vertex | None
    name: str
    full: str
    detail: str = ""
    inside: int = 0
    transition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A link between two pieces: a path in the notation of SVG, and the edges that it stands for."""

    path: str
    edges: tuple[Edge, ...]
    source: str
    target: str

    @property
    def conditional(self) -> bool:
        return any(edge.condition is not None for edge in self.edges)

    @property
    def inferred(self) -> bool:
        return all(edge.inferred for edge in self.edges)

    @property
    def jumps(self) -> bool:
        """Whether only a failure leads along it."""
        return all(edge.failure is not None for edge in self.edges)

    @property
    def words(self) -> str:
        """When it is taken, for each edge that does not say: always."""
        told = [f"when {edge.condition}" for edge in self.edges if edge.condition is not None]
        told += [f"on {edge.failure}" for edge in self.edges if edge.failure is not None]
        return "; ".join(dict.fromkeys(told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The frame of a group in a block, with as much of its words as fits, and all of them."""

    frame: Frame
    words: str
    full: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of it; blocks come before what stands in them."""

    width: float
    height: float
    pieces: tuple[Piece, ...]
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    undos: tuple[Piece, ...]
    leaders: tuple[str, ...]
    lane: Frame | None

    @property
    def plain(self) -> bool:
        """Whether there is a line that is always gone along."""
        return any(not (line.conditional or line.inferred or line.jumps) for line in self.lines)

    @property
    def conditional(self) -> bool:
        """Whether there is a line with a condition."""
        return any(line.conditional for line in self.lines)

    @property
    def inferred(self) -> bool:
        """Whether there is a line that only follows from what a step reads."""
        return any(line.inferred for line in self.lines)

    @property
    def jumps(self) -> bool:
        """Whether there is a line that only a failure leads along."""
        return any(line.jumps for line in self.lines)


def draw(chart: Chart, *, opened: Iterable[str] = ()) -> Picture | None:
    """Return the picture of a chart; ``None`` where it would be too large to help.

    Args:
        opened: blocks that are drawn with what stands in them whatever else there is.
    """
    chosen = scene(chart, opened=opened)
    if chosen is None:
        return None
    layout = Layout()
    layout.take(placed := lay_out(chosen.outermost), MARGIN, MARGIN)
    layout.width, layout.height = placed.width + 2 * MARGIN, placed.height + 2 * MARGIN
    pieces = tuple(_piece(chart, chosen, layout, key, frame) for key, frame in layout.boxes.items())
    undos = tuple(_undos(pieces, layout.width - MARGIN + LANE))
    lane = None
    if undos:
        left = undos[0].frame.x - 16
        bottom = max(layout.height - MARGIN, max(undo.frame.bottom for undo in undos) + 16)
        lane = Frame(x=left, y=8, width=WIDTH + 32, height=bottom - 8)
    return Picture(
        width=lane.right + 8 if lane else layout.width,
        height=max(layout.height, lane.bottom + 8 if lane else 0),
        pieces=pieces,
        headings=tuple(_headings(layout)),
        lines=tuple(_line(route, chosen.links[route.source, route.target]) for route in layout.routes),
        undos=undos,
        leaders=tuple(_leaders(pieces, undos)),
        lane=lane,
    )


def _piece(chart: Chart, chosen: Scene, layout: Layout, key: str, frame: Frame) -> Piece:
    room = frame.width - ICON - 16
    if key.startswith(MOVE):
        edge = next(each for (source, _), edges in chosen.links.items() if source == key for each in edges)
        full = f"{edge.event} [{edge.condition}]" if edge.condition else edge.event
        name = fitting(full, width=frame.width - 24, size=DETAIL)
        return Piece(role="transition", frame=frame, vertex=None, name=name, full=full, transition=edge.transition)
    if key.startswith(SIDE):
        inside = sum(1 for each in layout.boxes.values() if _within(each, frame)) - 1
        return Piece(role="side", frame=frame, vertex=None, name=f"{inside} side by side", full="side by side")
    vertex = chart.vertices[key]
    closed = chosen.closed.get(key, 0)
    role = "closed" if closed else "block" if vertex.groups else "step"
    # A block says what it does behind its name, everything else below it.
    return Piece(
        role=role,
        frame=frame,
        vertex=vertex,
        name=fitting(vertex.name, width=room, size=NAME),
        full=vertex.name,
        detail=fitting(vertex.detail, width=room, size=DETAIL),
        inside=closed,
    )


def _within(inner: Frame, outer: Frame) -> bool:
    return outer.x <= inner.x and outer.y <= inner.y and inner.right <= outer.right and inner.bottom <= outer.bottom


def _headings(layout: Layout) -> Iterable[Heading]:
    for group, frame in layout.groups:
        if group.heading:
            words = fitting(group.heading, width=frame.width - 12, size=DETAIL)
            yield Heading(frame=frame, words=words, full=group.heading, members=group.members)


def _undos(pieces: Sequence[Piece], left: float) -> Iterable[Piece]:
    """Yield the boxes of the lane from the top; those of steps beside each other stand one below the other."""
    free = MARGIN
    undoable = [piece for piece in pieces if piece.vertex is not None and piece.vertex.undo]
    for piece in sorted(undoable, key=lambda each: (each.frame.y, each.frame.x)):
        assert piece.vertex is not None
        y = max(free, piece.frame.y)
        free = y + UNDO_HEIGHT + 10
        yield Piece(
            role="undo",
            frame=Frame(x=left, y=y, width=WIDTH, height=UNDO_HEIGHT),
            vertex=piece.vertex,
            name=fitting(f"undo {piece.full}", width=WIDTH - ICON - 16, size=NAME),
            full=f"undo of {piece.full}",
            detail=fitting(piece.vertex.undo, width=WIDTH - ICON - 16, size=DETAIL),
        )


def _leaders(pieces: Sequence[Piece], undos: Sequence[Piece]) -> Iterable[str]:
    """Yield a line from each undo to its step; it passes below whatever stands between."""
    steps = {piece.vertex.id: piece.frame for piece in pieces if piece.vertex is not None}
    for undo in undos:
        assert undo.vertex is not None
        step = steps[undo.vertex.id]
        height = min(step.height, BLOCK_HEIGHT) / 2
        yield (
            f"M{step.right:.0f} {step.y + height:.0f}H{undo.frame.x - 24:.0f}"
            f"L{undo.frame.x:.0f} {undo.frame.y + UNDO_HEIGHT / 2:.0f}"
        )


def _line(route: Route, edges: Sequence[Edge]) -> Line:
    return Line(path=path_of(route.points), edges=tuple(edges), source=route.source, target=route.target)


def path_of(points: Sequence[tuple[float, float]]) -> str:
    """Return a way as SVG's path: straight down a column, in a curve from one column to another.

    >>> path_of([(10, 0), (10, 20), (30, 60)])
    'M10 0V20C10 40 30 40 30 60'
    """
    (x, y), *rest = points
    parts = [f"M{x:.0f} {y:.0f}"]
    for to_x, to_y in rest:
        if abs(to_x - x) < 0.5:
            parts.append(f"V{to_y:.0f}")
        else:
            middle = (y + to_y) / 2
            parts.append(f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return "".join(parts)
