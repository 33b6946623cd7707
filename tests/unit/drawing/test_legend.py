"""What the legend of a picture explains is in the picture."""

from __future__ import annotations

from tests.unit.drawing.test_pictures import charted, echo, pictured


def test_only_kinds_of_lines_that_are_there_are_explained() -> None:
    alone = pictured(charted([echo("a")]))
    asked = pictured(charted([echo("a"), echo("b", when="input.big")]))
    after = pictured(charted([echo("a"), echo("b")]))

    assert [(each.plain, each.conditional, each.inferred, each.jumps) for each in (alone, asked, after)] == [
        (False, False, False, False),
        (False, True, False, False),
        (True, False, False, False),
    ]
