"""The outline of a page: steps in the order of the document, and how far those that repeat are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workflows_app.models import Step
from workflows_app.ui import outline

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(state: str = "waiting", **counts: Any) -> Step:
    return Step(path="each", state=state, started_at=AT, **{"opened": 0, **counts})


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (row(planned=100, opened=43, open_children=4, failures=2), "37 of 100 done, 4 under way, 2 failed"),
        (row(planned=100_000, opened=12_345, open_children=345), "12,000 of 100,000 done, 345 under way"),
        (row("completed", planned=3, opened=3), "3 of 3 done"),
        (row("completed", planned=3, opened=3, failures=1), "2 of 3 done, 1 failed"),
        (row("completed", planned=0), "0 of 0 done"),
        (row("failed", planned=9, opened=5, failures=1), "5 of 9 begun, 1 failed"),
        (row("cancelled", planned=9, opened=5), "5 of 9 begun"),
        (row(planned=9, opened=5, open_children=2, stopping=True), "5 of 9 begun, 2 under way"),
    ],
)
def test_a_foreach_says_how_far_it_is_and_counts_as_done_only_what_must_be(stored: Step, said: str) -> None:
    assert outline.of_items(stored, {"items": []}) == said


def test_of_a_decided_race_nobody_says_what_is_done() -> None:
    decided = row("completed", planned=9, opened=5, open_children=2)

    assert outline.of_items(decided, {"items": [], "join": "any"}) == "5 of 9 begun, 2 under way"
    assert outline.of_items(decided, {"items": [], "join": {"at_least": 3}}) == "5 of 9 begun, 2 under way"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (row(opened=3), "iteration 3"),
        (row(opened=3, planned=1_000), "iteration 3 of 1,000"),
        (row("completed", opened=1), "1 iteration"),
        (row("failed", opened=1_000), "1,000 iterations"),
        (row("completed"), "0 iterations"),
    ],
)
def test_a_loop_says_in_which_iteration_it_is_or_how_many_there_were(stored: Step, said: str) -> None:
    assert outline.of_rounds(stored) == said


def test_what_repeats_is_one_line_whose_steps_are_listed_for_each_iteration() -> None:
    inner = [
        {"id": "square", "activity": "core.echo"},
        {"id": "both", "parallel": {"branches": {"left": [{"id": "one", "name": "One", "wait": {"for": 1}}]}}},
    ]
    (line,) = outline.lines([{"id": "each", "foreach": {"items": [], "steps": inner}}], limit=10)

    found = outline.lines(inner, limit=10, around="each[3].")

    assert (line.path, line.kind, line.progress, line.left_out) == ("each", "foreach", "", 0)
    assert [(each.path, each.depth, each.is_named) for each in found] == [
        ("each[3].square", 0, False),
        ("each[3].both", 0, False),
        ("each[3].left", 1, False),
        ("each[3].one", 2, True),
    ]
