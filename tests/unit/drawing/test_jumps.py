"""Jumps: where ``on_error`` goes on is drawn, says for which failure, and is the way taken where it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.drawing.test_pictures import charted, echo, pictured
from workflows_app.drawing.chart import Chart, Edge
from workflows_app.drawing.ways import Passage, taken

CASES = [
    {"codes": ["CARD_DECLINED", "NO_ANSWER"], "then": {"goto": "ask"}},
    {"attempts": {"at_least": 3, "within": "1h"}, "then": {"goto": "ask"}},
    {"when": "error.details.status == 503", "then": {"goto": "last"}},
    {"then": {"goto": "last"}},
]


def jumps(chart: Chart) -> Mapping[tuple[str, str], Edge]:
    return {(each.source, each.target): each for each in chart.edges if each.failure is not None}


def passage(**states: str) -> Passage:
    """How far an instance came whose steps stand like this."""
    begun = frozenset(name for name, state in states.items() if state != "skipped")
    return Passage(begun=begun, settled=begun, failed=frozenset(n for n in begun if states[n] == "failed"))


def test_a_jump_is_a_line_of_its_own_that_says_what_leads_along_it() -> None:
    chart = charted([echo("pay", on_error={"goto": "ask"}), echo("ship"), echo("ask")])

    picture = pictured(chart)

    lines = {(line.source, line.target): line for line in picture.lines}
    assert {pair: (line.jumps, line.words) for pair, line in lines.items()} == {
        ("pay", "ship"): (False, ""),
        ("ship", "ask"): (False, ""),
        ("pay", "ask"): (True, "on any failure"),
    }
    assert picture.jumps
    assert not pictured(charted([echo("pay"), echo("ship")])).jumps


def test_cases_that_lead_to_the_same_step_are_one_line_with_the_words_of_each() -> None:
    chart = charted([echo("pay", on_error=CASES), echo("ship"), echo("ask"), echo("last")])

    words = {pair: edge.failure for pair, edge in jumps(chart).items()}

    assert words == {
        ("pay", "ask"): "CARD_DECLINED or NO_ANSWER; 3 failed attempts within 1h",
        ("pay", "last"): "where error.details.status == 503; any other failure",
    }


def test_a_jump_to_the_next_step_shares_its_line() -> None:
    chart = charted([echo("pay", on_error={"goto": "ask"}), echo("ask", when="input.big")])

    (line,) = pictured(chart).lines

    assert (line.jumps, line.conditional, line.words) == (False, True, "when input.big; on any failure")


def test_a_jump_inside_a_repetition_is_drawn_there() -> None:
    body: list[dict[str, Any]] = [echo("pay", on_error={"goto": "ask"}), echo("ship"), echo("ask")]

    chart = charted([{"id": "each", "foreach": {"items": "input.items", "steps": body}}])

    assert jumps(chart)["pay", "ask"].passes == ("ship",)


def test_a_jump_was_taken_where_what_it_passes_was_not_begun() -> None:
    chart = charted([echo("pay", on_error=CASES), echo("ship"), echo("ask"), echo("last")])
    near, far = jumps(chart)["pay", "ask"], jumps(chart)["pay", "last"]

    ways = {
        "went well": passage(pay="completed", ship="completed", ask="completed", last="completed"),
        "asked": passage(pay="failed", ship="skipped", ask="completed", last="completed"),
        "gave up": passage(pay="failed", ship="skipped", ask="skipped", last="completed"),
    }

    found = {name: [taken(chart, edge, way) for edge in (near, far)] for name, way in ways.items()}
    assert found == {"went well": [False, False], "asked": [True, False], "gave up": [False, True]}


def test_a_step_that_may_have_begun_before_the_failure_says_nothing_of_the_jump() -> None:
    race = {"needs": ["pay", "other"], "join": "any"}
    chart = charted(
        [echo("pay", on_error={"goto": "last"}), echo("other", needs=[]), echo("first", **race), echo("last")]
    )

    assert jumps(chart)["pay", "last"].passes == ()


def test_the_data_says_which_failure_leads_along_an_edge() -> None:
    chart = charted([echo("pay", on_error={"goto": "ask"}), echo("ship"), echo("ask")])

    edges = {(each["source"], each["target"]): each["onFailure"] for each in chart.as_dict()["edges"]}

    assert edges == {("pay", "ship"): None, ("ship", "ask"): None, ("pay", "ask"): "any failure"}
