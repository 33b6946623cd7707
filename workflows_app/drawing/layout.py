"""Layout: a box for every step and every block, blocks around what stands in them, and ways for the links between.

Links join boxes of one list only, so that every list is laid out by itself, inside first, and the block around it is a
box like any other to the list outside. Coordinates are pixels from the upper left corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workflows_app.drawing.ranking import Link, Place, rows
from workflows_app.drawing.spacing import centres

GAP = 22.0
"""Between two boxes of a row."""
STEP = 38.0
"""Between two rows: room for links to change their column."""
LINK = 8.0
"""Width of a link that passes a row."""
PADDING = 14.0
"""Between a block's frame and what stands in it."""
HEADING = 26.0
"""Height of a heading above the members of a group."""
INSET = 8.0
"""Between the frame of a group with a heading and its members."""
COLUMNS = 5
"""Boxes that nothing links stand in rows of so many; so do groups that are more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Boxes that stand in one list, and what follows what among them.

    Args:
        heading: what is written above them, if anything is.
        boxes: in the order of the document.
        links: pairs of keys of these boxes.
        members: ids of all that stands in it, also where a box is a frame around several.
    """

    boxes: tuple[Box, ...]
    links: tuple[Link, ...] = ()
    heading: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something with a place: ``width`` and ``height`` are those of its own words, without what stands in it."""

    key: str
    width: float
    height: float
    lists: tuple[List, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def half(self) -> float:
        """Where its middle is, from its left edge."""
        return self.width / 2

    def moved(self, x: float, y: float) -> Frame:
        return replace(self, x=self.x + x, y=self.y + y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way of a link: points from its source to its target."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]

    def moved(self, x: float, y: float) -> Route:
        return replace(self, points=tuple((px + x, py + y) for px, py in self.points))


@dataclass(slots=True, kw_only=True)
class Layout:
    """Where everything of a list stands: boxes by key, headings of groups with their words, routes."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Frame] = field(default_factory=dict)
    groups: list[tuple[List, Frame]] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)

    def take(self, other: Layout, x: float, y: float) -> None:
        """Put another layout into this one."""
        self.boxes |= {key: frame.moved(x, y) for key, frame in other.boxes.items()}
        self.groups += [(group, frame.moved(x, y)) for group, frame in other.groups]
        self.routes += [route.moved(x, y) for route in other.routes]


def lay_out(members: List) -> Layout:
    """Place the boxes of a list and all that stands in them."""
    inner = {box.key: _inside(box) for box in members.boxes}
    sizes = {
        box.key: (max(box.width, inner[box.key].width), box.height + inner[box.key].height) for box in members.boxes
    }
    found = Layout()
    if not members.links and len(members.boxes) > 1:
        frames = _grid([sizes[box.key] for box in members.boxes])
        placed = {box.key: frame for box, frame in zip(members.boxes, frames, strict=True)}
    else:
        placed = _layered(members, sizes, found)
    for box in members.boxes:
        frame = placed[box.key]
        found.boxes[box.key] = frame
        found.take(inner[box.key], frame.x, frame.y + box.height)
    found.width = max((frame.right for frame in placed.values()), default=0.0)
    found.height = max((frame.bottom for frame in placed.values()), default=0.0)
    return found


def _inside(box: Box) -> Layout:
    """Place what stands in a block, below its own words."""
    found = Layout()
    if not box.lists:
        return found
    parts = [lay_out(each) for each in box.lists]
    heads = [HEADING if each.heading else 0.0 for each in box.lists]
    insets = [INSET if each.heading else 0.0 for each in box.lists]
    sizes = [
        (part.width + 2 * inset, part.height + head + inset)
        for part, head, inset in zip(parts, heads, insets, strict=True)
    ]
    for each, part, head, frame in zip(box.lists, parts, heads, _grid(sizes), strict=True):
        x, y = frame.x + PADDING, frame.y
        found.take(part, x + (frame.width - part.width) / 2, y + head)
        found.groups.append((each, Frame(x=x, y=y, width=frame.width, height=frame.height)))
        found.width = max(found.width, x + frame.width + PADDING)
        found.height = max(found.height, y + frame.height + PADDING)
    return found


def _grid(sizes: Sequence[tuple[float, float]]) -> list[Frame]:
    """Place rectangles in rows of a few, each row as high as its highest, each column as wide as its widest."""
    columns = max(1, min(COLUMNS, len(sizes)))
    if len(sizes) > COLUMNS:
        columns = min(COLUMNS, math.ceil(math.sqrt(len(sizes) * 1.5)))
    wide = [max(width for width, _ in sizes[column::columns]) for column in range(columns)] if sizes else []
    found: list[Frame] = []
    y = 0.0
    for start in range(0, len(sizes), columns):
        x = 0.0
        row = sizes[start : start + columns]
        for (_, height), column in zip(row, wide, strict=False):
            found.append(Frame(x=x, y=y, width=column, height=height))
            x += column + GAP
        y += max(height for _, height in row) + GAP
    return found


def _layered(members: List, sizes: dict[str, tuple[float, float]], found: Layout) -> dict[str, Frame]:
    """Place boxes in rows, what follows below what it follows, and add the routes of the links."""
    ranked = rows([box.key for box in members.boxes], members.links)
    widths: dict[Place, float] = {
        place: sizes[place][0] if isinstance(place, str) else LINK for row in ranked.rows for place in row
    }
    middle = centres(ranked, widths, gap=GAP)
    tops: list[tuple[float, float]] = []
    y = 0.0
    placed: dict[str, Frame] = {}
    row_of: dict[Place, int] = {}
    for number, row in enumerate(ranked.rows):
        height = max((sizes[place][1] for place in row if isinstance(place, str)), default=0.0)
        for place in row:
            row_of[place] = number
            if isinstance(place, str):
                width, own = sizes[place]
                placed[place] = Frame(x=middle[place] - width / 2, y=y, width=width, height=own)
        tops.append((y, y + height))
        y += height + STEP
    for (source, target), way, turned in zip(members.links, ranked.ways, ranked.turned, strict=True):
        points: list[tuple[float, float]] = []
        for place in way:
            top, bottom = tops[row_of[place]]
            if place == way[0]:
                bottom_of = placed[str(place)].bottom
                points += [(middle[place], bottom_of), *([(middle[place], bottom)] if bottom_of < bottom else [])]
            elif place == way[-1]:
                points.append((middle[place], top))
            else:
                points += [(middle[place], top), (middle[place], bottom)]
        found.routes.append(Route(source=source, target=target, points=tuple(points[::-1] if turned else points)))
    return placed
