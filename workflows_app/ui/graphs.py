"""Graphs on pages: the picture of a version, and over it how the steps of an instance stand and which way it took.

A picture depends on the version and on the blocks that are open, on nothing else: it is made once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from workflows_app.drawing import picture
from workflows_app.drawing.chart import Chart
from workflows_app.drawing.picture import Heading, Line, Picture, Piece
from workflows_app.drawing.ways import Passage, Ways
from workflows_app.drawing.ways import taken as was_taken
from workflows_app.engine.paths import iterations, split
from workflows_app.engine.states import STEP_OPEN, StepState
from workflows_app.services.graphs import chart
from workflows_app.ui import outline

MOST_OPENED = 20
ACTION = (
    (StepState.COMPENSATION_FAILED, StepState.FAILED, StepState.TIMED_OUT),
    (StepState.RUNNING, StepState.COMPENSATING, StepState.RETRYING),
    (StepState.SCHEDULED, StepState.WAITING),
)
"""States of what people look for first in a picture."""
HOT = (0.1, 0.5, 0.9)
"""Shares of the instances from which a way is drawn thicker."""
UNBEGUN = (StepState.PENDING, StepState.SKIPPED)
FAILED = (StepState.FAILED, StepState.TIMED_OUT)
UNDO_STATES = (StepState.COMPENSATING, StepState.COMPENSATED, StepState.COMPENSATION_FAILED)
NOT_NEEDED = "not needed"
CURRENT, VISITED = "running", "completed"
"""What the state that a machine is in, and those that it has come through, look like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How something in the picture stands: a state's name, what is written, and the place in the list of steps.

    Args:
        begun: whether something has been done, or was waited for: an instance that ends cancels what it has not begun.
    """

    state: str
    words: str = ""
    path: str = ""
    begun: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A piece of the picture and what is laid over it.

    Args:
        state: chooses icon and tone; empty: none.
        words: what is written of the state.
        href: where it leads; empty: nowhere.
        is_here: the picture opens where this piece is.
    """

    piece: Piece
    state: str = ""
    words: str = ""
    href: str = ""
    opens: bool = False
    is_here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A line of the picture, or the frame of a branch, and how it was taken.

    Args:
        heat: of statistics: from 1, by a few instances, to 4, by nearly all; 0: by none.
        words: of statistics: how many instances took it.
    """

    taken: bool = False
    heat: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the template writes down."""

    picture: Picture
    pieces: Sequence[Shown]
    undos: Sequence[Shown]
    lines: Sequence[tuple[Line, Way]]
    headings: Sequence[tuple[Heading, Way]]
    states: Sequence[str]
    is_machine: bool
    has_taken: bool
    has_heat: bool = False


@lru_cache(maxsize=64)
def _picture(version_id: int, opened: tuple[str, ...]) -> Picture | None:
    return picture.draw(chart(version_id), opened=opened)


def opened_blocks(version_id: int, wanted: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that are blocks of the version, a few at most, each once and in order."""
    known = chart(version_id).vertices
    return tuple(sorted({name for name in wanted if name in known and known[name].groups})[:MOST_OPENED])


def of_version(version_id: int, *, opened: Iterable[str] = ()) -> Drawing | None:
    """Return the drawing of a version; ``None`` where it is too large to be drawn."""
    return _drawing(version_id, opened_blocks(version_id, opened), {}, frozenset(), "step-{}")


def of_instance(
    version_id: int,
    *,
    lines: Iterable[outline.Line],
    machine: Mapping[str, Any] | None,
    passed: Iterable[str] = (),
    others: Mapping[str, str] | None = None,
    opened: Iterable[str] = (),
    needless: Collection[str] = (),
) -> Drawing | None:
    """Return the drawing of an instance; ``None`` where it is too large to be drawn.

    Args:
        lines: of the page's list of steps, with those of the iterations that are shown.
        machine: as ``machine_views.view`` returns it.
        passed: of a state machine the paths of steps that it has come to.
        others: states by path of steps that are not on the page.
        opened: blocks that are drawn with what stands in them.
        needless: paths of steps whose undo is not needed.
    """
    blocks = opened_blocks(version_id, opened)
    if machine is not None:
        taken = frozenset(path.partition("[")[0] for path in passed)
        return _drawing(version_id, blocks, machine_standings(chart(version_id), machine, taken), taken, "")
    unlisted = {
        path: replace(_standing(state, path), begun=state != StepState.CANCELLED)
        for path, state in (others or {}).items()
    }
    standings = {**unlisted, **step_standings(lines)}
    return _drawing(version_id, blocks, standings, frozenset(), "step-{}", needless)


def step_standings(lines: Iterable[outline.Line]) -> dict[str, Standing]:
    """Return how the steps of a flow stand, by id.

    Of a step inside a repetition that is how it stands in the iteration that matters most: the first one on the page.
    """
    found: dict[str, Standing] = {}
    entered: dict[str, str] = {}
    for line in lines:
        if not line.path or line.kind == "iteration" or not _is_entered(line.path, entered):
            continue
        name = split(line.path)[1]
        # Of what people picked in an ad-hoc section the last one counts.
        if name not in found or "-" in line.path:
            begun = line.row is not None and line.row.started_at is not None
            found[name] = replace(_standing(line.state, line.path, line.progress), begun=begun)
    return found


def _is_entered(path: str, entered: dict[str, str]) -> bool:
    """Tell whether a path stands in the iterations that are entered; of a block that has none it enters the first."""
    for iteration in reversed(list(iterations(path))):
        block = iteration.rpartition("[")[0]
        if "-" not in block.rpartition(".")[2] and entered.setdefault(block, iteration) != iteration:
            return False
    return True


def _standing(state: str, path: str, progress: str = "") -> Standing:
    return Standing(state=state, words=progress or state.replace("_", " "), path=path)


def machine_standings(chart: Chart, machine: Mapping[str, Any], taken: Collection[str]) -> dict[str, Standing]:
    """Return how the states of a machine stand: the one it is in, and those that it has come through."""
    through = {edge.target for edge in chart.edges if edge.transition in taken}
    through |= {name for name, vertex in chart.vertices.items() if vertex.initial}
    found = {name: Standing(state=VISITED, words="passed") for name in through}
    ended = chart.vertices[machine["state"]].terminal
    found[machine["state"]] = Standing(state=VISITED if ended else CURRENT, words="reached" if ended else "is here")
    return found


def _drawing(
    version_id: int,
    opened: tuple[str, ...],
    standings: Mapping[str, Standing],
    taken: Collection[str],
    anchor: str,
    needless: Collection[str] = (),
) -> Drawing | None:
    drawn = _picture(version_id, opened)
    if drawn is None:
        return None
    drawn_from = chart(version_id)
    of_machine = drawn_from.is_machine
    # A step that nothing has happened to is pending; a state that was not reached is nothing.
    unbegun = Standing(state=StepState.PENDING, words="pending") if standings and not of_machine else Standing(state="")
    pieces = [_shown(piece, standings, unbegun, opened, anchor) for piece in drawn.pieces]
    undos = [_undo(piece, standings, needless) for piece in drawn.undos]
    _mark_here(pieces)
    begun = {name for name, standing in standings.items() if standing.begun and standing.state not in UNBEGUN}
    settled = {name for name in begun if standings[name].state not in STEP_OPEN}
    failed = {name for name in begun if standings[name].state in FAILED}
    here = Passage(
        begun=frozenset(begun),
        settled=frozenset(settled),
        failed=frozenset(failed),
        transitions=frozenset(taken),
    )
    lines = [(line, Way(taken=any(was_taken(drawn_from, each, here) for each in line.edges))) for line in drawn.lines]
    return Drawing(
        picture=drawn,
        pieces=pieces,
        undos=undos,
        lines=lines,
        headings=[(each, Way(taken=not begun.isdisjoint(each.members))) for each in drawn.headings],
        states=[] if of_machine else _legend(pieces, undos),
        is_machine=of_machine,
        has_taken=any(way.taken for _, way in lines),
    )


def of_ways(version_id: int, ways: Ways, *, opened: Iterable[str], kept: Mapping[str, str]) -> Drawing | None:
    """Return the drawing of a version with how many instances came to each step and took each link and branch.

    Args:
        opened: blocks that are drawn with what stands in them.
        kept: what else stands in the address of the page.
    """
    blocks = opened_blocks(version_id, opened)
    drawn = _picture(version_id, blocks)
    if drawn is None:
        return None
    pieces = [_counted(piece, ways, blocks, kept) for piece in drawn.pieces]
    _mark_here(pieces)
    return Drawing(
        picture=drawn,
        pieces=pieces,
        undos=[Shown(piece=piece) for piece in drawn.undos],
        # Of the links that one line stands for the one that most went along.
        lines=[(line, _way(ways, max(ways.links.get(each, 0) for each in line.edges))) for line in drawn.lines],
        headings=[(each, _way(ways, ways.branches.get(each.members, 0))) for each in drawn.headings],
        states=[],
        is_machine=chart(version_id).is_machine,
        has_taken=False,
        has_heat=True,
    )


def _counted(piece: Piece, ways: Ways, opened: tuple[str, ...], kept: Mapping[str, str]) -> Shown:
    if piece.vertex is None:
        return Shown(piece=piece)
    words = _of_all(ways, ways.steps.get(piece.vertex.id, 0))
    if piece.role != "closed":
        return Shown(piece=piece, words=words)
    return Shown(piece=piece, words=words, href=_opening(piece.vertex.id, opened, kept), opens=True)


def _way(ways: Ways, number: int) -> Way:
    share = ways.share(number)
    heat = 0 if not number else 1 + sum(share >= bound for bound in HOT)
    return Way(heat=heat, words=_of_all(ways, number))


def _of_all(ways: Ways, number: int) -> str:
    return f"{number:,} of {ways.total:,} ({ways.share(number):.0%})"


def _shown(
    piece: Piece, standings: Mapping[str, Standing], unbegun: Standing, opened: tuple[str, ...], anchor: str
) -> Shown:
    if piece.vertex is None:
        return Shown(piece=piece)
    name = piece.vertex.id
    found = standings.get(name, unbegun)
    if piece.role == "closed":
        href = _opening(name, opened)
        return Shown(piece=piece, state=found.state, words=found.words, href=href, opens=True)
    href = f"#{anchor.format(found.path or name)}" if anchor else ""
    return Shown(piece=piece, state=found.state, words=found.words, href=href)


def _mark_here(pieces: list[Shown]) -> None:
    """Mark where the picture opens: at what failed, else at what is under way, else at its beginning."""
    drawn = [(index, shown) for index, shown in enumerate(pieces) if shown.piece.role != "block"]
    for states in ACTION:
        for index, shown in drawn:
            if shown.state in states:
                pieces[index] = replace(shown, is_here=True)
                return
    for index, shown in drawn:
        if shown.piece.vertex is not None and shown.piece.vertex.initial:
            pieces[index] = replace(shown, is_here=True)
            return


def _opening(name: str, opened: tuple[str, ...], kept: Mapping[str, str] | None = None) -> str:
    query = [*(kept or {}).items(), *(("open", each) for each in sorted({*opened, name}))]
    return f"?{urlencode(query)}#graph"


def _undo(piece: Piece, standings: Mapping[str, Standing], needless: Collection[str]) -> Shown:
    assert piece.vertex is not None
    found = standings.get(piece.vertex.id)
    if found is None:
        return Shown(piece=piece)
    if found.state in UNDO_STATES:
        return Shown(piece=piece, state=found.state, words=found.state.replace("_", " "))
    # It looks like a step that was skipped.
    return (
        Shown(piece=piece, state=StepState.SKIPPED, words=NOT_NEEDED) if found.path in needless else Shown(piece=piece)
    )


def _legend(pieces: Iterable[Shown], undos: Iterable[Shown]) -> list[str]:
    """Return the states in the picture; that an undo is not needed is no state of anything."""
    shown = (*pieces, *(each for each in undos if each.words != NOT_NEEDED))
    return list(dict.fromkeys(each.state for each in shown if each.state))
