"""What the guide shows of ``workflow plan`` is what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from tests.integration.docs.pages import DOCS, Block, blocks

GUIDE = blocks(DOCS / "guides" / "canvas.md")
SHOWN = [(GUIDE[index - 1], block) for index, block in enumerate(GUIDE) if block.text.startswith("$ ")]


@pytest.mark.parametrize(("written", "shown"), SHOWN, ids=[str(shown) for _, shown in SHOWN])
def test_a_shown_canvas_is_that_of_the_definition_above_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, written: Block, shown: Block
) -> None:
    command, _, output = shown.text.partition("\n")
    file = tmp_path / "definition.yaml"
    file.write_text(written.text)

    call_command("workflow", "plan", str(file), *command.split()[6:])

    assert capsys.readouterr().out == output


def test_the_guide_shows_canvases() -> None:
    assert len(SHOWN) == 3
