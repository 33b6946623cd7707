"""Iterations: which of those of ``foreach`` and ``loop`` a page shows, and their steps.

How many there are never decides what a page costs. A block's own row counts them; which are under way is found from
the work in flight, which have failed only where a block says that some have. Everything else is read by its path: one
query for each level of blocks inside one another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from workflows_app.engine.paths import iterations
from workflows_app.models import Step
from workflows_app.selectors import portions
from workflows_app.ui import outline
from workflows_app.ui.outline import Line

SHOWN = 20
"""How many iterations of a block are shown."""
SHOWN_INSIDE = 5
"""How many of a block that stands in an iteration itself."""
LINES = 1_000
"""How many lines all iterations of a page may have together."""
NOTABLE = 500
"""How many steps that failed, and that are under way, are looked at to find their iterations."""

Indexes = Mapping[str, Collection[int]]
"""Indexes of iterations by the path of their block, in the order in which they were found."""


class Unfolding:
    """Gives the lines of steps that repeat the iterations that matter.

    Args:
        instance_id: whose steps they are.
        rows: what is stored of the steps by path; those inside iterations are added.
        is_open: whether anything may be under way.
        undo_failed: whether an undo has failed, be it inside an iteration.
    """

    def __init__(self, instance_id: UUID, rows: dict[str, Step], *, is_open: bool, undo_failed: bool) -> None:
        self.instance_id = instance_id
        self.rows = rows
        self.is_open = is_open
        self.inside: list[Line] = []
        self._failed: Indexes | None = None
        self._undo_failed = undo_failed
        self._open: Indexes | None = None
        self._room = LINES
        self._cut = False

    def unfold(self, lines: Iterable[Line]) -> None:
        """Fill in the iterations of these lines, level by level."""
        level, most = _begun(lines), SHOWN
        while level:
            parts = [part for line in level for part in self._parts(line, most)]
            new = [each for part, inner in parts for each in (part, *inner)]
            self.rows |= portions.step_rows(self.instance_id, (line.path for line in new if line.path))
            for part, inner in parts:
                part.row = self.rows.get(part.path)
                part.children = outline.tree(inner, self.rows)
                self.inside += inner
            level, most = _begun(line for _, inner in parts for line in inner), SHOWN_INSIDE

    def _parts(self, block: Line, most: int) -> list[tuple[Line, list[Line]]]:
        """Add the iterations of a block that are shown, and return each with the lines of its steps."""
        assert block.row is not None
        assert block.repeat is not None
        if block.kind == "adhoc":
            return self._picks(block, most)
        failed = self._failures().get(block.path, ()) if block.row.failures or self._undo_failed else ()
        found: list[tuple[Line, list[Line]]] = []
        for index in chosen(block.row.opened, failed, self._under_way().get(block.path, ()), most=most):
            path = f"{block.path}[{index}]"
            inner = outline.lines(block.repeat["steps"], limit=LINES, around=f"{path}.")
            if len(inner) >= self._room:
                break
            self._room -= len(inner) + 1
            found.append((Line(path=path, name=f"{index}", kind="iteration", depth=0), inner))
        block.iterations = [part for part, _ in found]
        self._cut = self._cut or block.left_out > 0
        return found

    def _picks(self, section: Line, most: int) -> list[tuple[Line, list[Line]]]:
        """The same of an ad-hoc section: what was picked last, in the order in which it was."""
        assert section.repeat is not None
        members = {step["id"]: step for step in section.repeat["steps"]}
        found: list[tuple[Line, list[Line]]] = []
        for path in portions.last_picks(self.instance_id, section.path, number=min(most, self._room)):
            name = path[len(section.path) + 1 :]
            inner = outline.lines([members[name.partition("[")[0]]], limit=LINES, around=f"{path}.")
            self._room -= len(inner) + 1
            found.append((Line(path=path, name=name, kind="iteration", depth=0), inner))
        section.iterations = [part for part, _ in found]
        self._cut = self._cut or section.left_out > 0
        return found

    @property
    def whole(self) -> bool:
        """Whether every iteration of every block is shown."""
        return not self._cut

    def _failures(self) -> Indexes:
        if self._failed is None:
            self._failed = _by_block(portions.failed_inside(self.instance_id, number=NOTABLE))
        return self._failed

    def _under_way(self) -> Indexes:
        if self._open is None:
            self._open = _by_block(portions.under_way_inside(self.instance_id, number=NOTABLE)) if self.is_open else {}
        return self._open


def chosen(opened: int, failed: Iterable[int], under_way: Iterable[int], *, most: int) -> list[int]:
    """Return the indexes of the iterations that are shown: failed ones, those under way, then the latest.

    Args:
        opened: how many have begun.
        under_way: the more important ones first, where they are more than can be shown.

    >>> chosen(100, {3}, {97, 50}, most=5), chosen(100, range(9), range(20, 30), most=4), chosen(2, (), (), most=4)
    ([3, 50, 97, 99, 98], [0, 1, 20, 21], [1, 0])
    >>> chosen(100, (), (50, 3, 2, 1), most=3)
    [2, 3, 50]
    """
    broken = sorted(index for index in failed if index < opened)
    ended = set(broken)
    running = [index for index in dict.fromkeys(under_way) if index < opened and index not in ended]
    first = broken[: most - min(len(running), most // 2)]
    first += sorted(running[: most - len(first)])
    known = set(first)
    latest = (index for index in range(opened - 1, -1, -1) if index not in known)
    return first + [index for index, _ in zip(latest, range(most - len(first)), strict=False)]


def _begun(lines: Iterable[Line]) -> Sequence[Line]:
    return [line for line in lines if line.repeat and line.row and line.row.opened]


def _by_block(paths: Iterable[str]) -> Indexes:
    """Sort paths by the blocks that they stand in, at every level."""
    found: dict[str, dict[int, None]] = defaultdict(dict)
    for path in paths:
        for iteration in iterations(path):
            block, _, index = iteration[:-1].rpartition("[")
            found[block][int(index)] = None
    return found
