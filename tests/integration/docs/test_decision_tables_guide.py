"""docs/guides/decision-tables.md and what commands.md says of tables: as shown, so it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.docs.pages import DOCS, blocks, code, names, table
from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.engine import decision_tables
from workflows_app.engine.transitions import tables as steps
from workflows_app.models import Event

PAGE = DOCS / "guides" / "decision-tables.md"
SHOWN = dict(
    block.text.split("\n", 1)
    for page in (PAGE, DOCS / "guides" / "commands.md")
    for block in blocks(page)
    if block.text.startswith("$ python manage.py workflow table ")
)
(DISCOUNTS,) = [block.text for block in blocks(PAGE) if block.info == "yaml table"]
(PRICED,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
(KEPT,) = [block.text for block in blocks(PAGE) if block.text.startswith('{"output"')]


def test_the_shown_commands_print_what_is_shown(
    shell: Shell,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell.file(DISCOUNTS, "discounts.yaml")
    monkeypatch.chdir(tmp_path)

    assert len(SHOWN) == 3
    for command, printed in SHOWN.items():
        before, _, given = command.removeprefix("$ python manage.py ").partition(" --input '")
        given, _, after = given.partition("'")
        arguments = [*before.split(), *(["--input", given] if given else []), *after.split()]
        assert shell.run(*arguments) == (0, printed), command


def test_the_shown_workflow_follows_the_table_and_keeps_its_promise(driver: Driver, shown_tables: None) -> None:
    instance = driver.start(PRICED, {"customer": "gold", "amount": 1200, "birthday": True})

    ended = driver.run(instance)

    assert ended["output"] == {"now": {"percent": 15, "reason": "more than 1200"}, "promised": 10}
    event = Event.objects.get(instance=instance, step="promised", type="step.completed")
    assert event.data == json.loads(KEPT)


@pytest.mark.parametrize("row", table(PAGE, "Conditions"), ids=lambda row: f"{row[0]} {row[1]}")
def test_a_condition_takes_what_the_page_says(row: list[str]) -> None:
    kind, condition, taken, left = row
    made = decision_tables.parse(
        {
            "table": "t",
            "version": "1.0.0",
            "hit": "collect",
            "inputs": [{"name": "n", "type": code(kind)}],
            "outputs": [{"name": "o"}],
            "rules": [{"when": {"n": yaml.safe_load(code(condition))}, "then": {"o": 1}}],
        }
    )

    def hits(cell: str) -> list[bool]:
        values: list[Any] = [json.loads(value) for value in names(cell)]
        return [bool(decision_tables.decide(made, {"n": value}).rules) for value in values]

    assert taken
    assert all(hits(taken))
    assert not any(hits(left))


def test_every_code_of_tables_and_their_steps_is_described() -> None:
    engine = Path(decision_tables.__file__).parent
    sources = [*engine.glob("*.py"), Path(steps.__file__)]
    found = {
        name
        for path in sources
        for name in re.findall(r'"((?:TABLE|NO_RULE|SEVERAL_RULES)_[A-Z_]+)"', path.read_text())
    }

    assert len(found) > 8
    assert found <= set(re.findall(r"`([A-Z_]+)`", PAGE.read_text(encoding="utf-8")))


def test_the_limits_are_the_real_ones() -> None:
    text = PAGE.read_text(encoding="utf-8")
    parsing = decision_tables.parsing

    assert f"1 to {parsing.MOST_INPUTS}:" in text
    assert f"1 to {parsing.MOST_OUTPUTS};" in text
    assert f"1 to {parsing.MOST_RULES:,}, in order" in text
    assert f"{parsing.MOST_EXPRESSIONS:,} of them, of {parsing.MOST_CHARACTERS:,} characters" in text
