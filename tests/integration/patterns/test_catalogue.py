"""docs/patterns.md says of each pattern what the definitions and their tests show."""

from __future__ import annotations

import re
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.integration.patterns import (  # noqa: F401 - they fill TESTED
    test_branching_patterns,
    test_calling_patterns,
    test_cancelling_patterns,
    test_counting_patterns,
    test_interleaving_patterns,
    test_repeating_patterns,
    test_trigger_patterns,
)
from tests.integration.patterns.scenes import (
    CALLED,
    FILES,
    FOLDER,
    PAGE,
    ROWS,
    TESTED,
    publish_called,
)
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions


def test_every_definition_has_a_test() -> None:
    assert len(FILES) == len(list(FOLDER.glob("*.yaml"))), "one definition for each number"
    assert set(FILES) == TESTED


@pytest.mark.parametrize("file", FILES.values(), ids=lambda file: str(file.stem))
def test_every_definition_is_sound_and_names_its_pattern_first(db: None, file: Any) -> None:
    text = file.read_text(encoding="utf-8")
    (row,) = [row for row in ROWS if int(row[0]) == int(file.name[:2])]

    publish_called()
    assert [str(problem) for problem in definitions.validate(text=text)] == []
    assert text.startswith(f"# WCP-{row[0]}, {row[1]}. ")
    assert file.stem == f"{int(row[0]):02}-{row[1].lower().replace(' ', '-')}"


def test_what_is_called_is_called_by_some_definition_and_nothing_else_lies_there(db: None) -> None:
    called = {file.stem for file in CALLED}
    texts = [file.read_text(encoding="utf-8") for file in FILES.values()]
    assert {name for text in texts for name in re.findall(r"workflow: ([a-z-]+),", text) if name in called} == called
    assert {file.name for file in FOLDER.iterdir()} == {file.name for file in FILES.values()} | {"called"}


def test_the_folder_can_be_imported_as_it_is(db: None) -> None:
    call_command("workflow", "import", str(FOLDER), stdout=StringIO())

    assert DefinitionVersion.objects.count() == len(FILES) + len(CALLED)


def test_the_table_has_the_43_patterns_in_order() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 44))


def test_the_table_links_the_definitions_of_what_runs_and_of_nothing_else() -> None:
    linked = {int(row[0]): re.findall(r"\]\(([^)]+)\)", row[3]) for row in ROWS if row[2].startswith("runs")}
    assert linked == {number: [f"../examples/patterns/{file.name}"] for number, file in FILES.items()}
    assert not any("](" in cell for row in ROWS if not row[2].startswith("runs") for cell in row)


def test_the_text_counts_as_the_table_does() -> None:
    counted = Counter(next(word for word in ("runs", "refused") if row[2].startswith(word)) for row in ROWS)
    runs, refused = map(int, re.findall(r"\*\*(\d+)\*\*", PAGE.read_text(encoding="utf-8")))

    assert (runs, refused) == (counted["runs"], counted["refused"])
    assert runs == len(FILES)
    assert runs + refused == 43


def test_every_refusal_has_its_reason_below_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    refused = [row for row in ROWS if row[2].startswith("refused")]
    assert refused
    for row in refused:
        assert f"**{row[1]} ({row[0]})**" in text


def test_a_cycle_is_refused_at_publish(db: None) -> None:
    document = """
workflow: draft-and-review
version: 1.0.0
steps:
  - {id: draft, needs: [review], activity: core.echo}
  - {id: review, needs: [draft], activity: core.echo}
"""
    assert "CYCLIC_DEPENDENCY" in [problem.code for problem in definitions.validate(text=document)]
