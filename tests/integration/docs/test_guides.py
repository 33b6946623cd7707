"""The guides' definitions are as sound, or as refused, as they say, and their commands exist."""

from __future__ import annotations

import re
import textwrap
import types
from argparse import _SubParsersAction
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.integration.docs.pages import DOCS, GUIDES, Block, blocks, names, table
from tests.integration.driver import Driver
from workflows_app.activities import ActivityContext, registry
from workflows_app.activities.progress import Progress
from workflows_app.engine.definition import availability
from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.errors import Problem
from workflows_app.engine.transitions import Act
from workflows_app.services import definitions, sections

YAML = [block for block in blocks(*GUIDES) if block.info.partition(" ")[0] == "yaml"]
REFUSED = [block for block in YAML if block.info == "yaml refused"]
STEPS = [block for block in YAML if block.info == "yaml steps"]
TABLES = [block for block in YAML if block.info == "yaml table"]
SERVICES = [block for block in YAML if block.info == "yaml service"]
WHOLE = [block for block in YAML if block.info == "yaml" and block.text.startswith("workflow:")]
INPUT = {
    "order_id": "A-1",
    "name": "ada",
    "amount": 20,
    "gift": True,
    "pause": "1s",
    "day": "2026-12-24T00:00:00Z",
    "orders": [{"amount": 7}, {"amount": 8}],
    "customers": [{"id": 1, "email": "ada@example.com"}],
}
COMMAND = re.compile(r"manage\.py ([a-z]+)(?: ([a-z]+))?")


def as_document(block: Block) -> str:
    """Put entries of a list of steps into a document of their own."""
    if block in STEPS:
        return "workflow: shown\nversion: 1.0.0\nsteps:\n" + textwrap.indent(block.text, "  ")
    return block.text


def told(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


def test_the_guides_show_definitions_of_every_sort() -> None:
    assert len(WHOLE) >= 5
    assert len(STEPS) >= 15
    assert len(REFUSED) >= 5
    assert len(WHOLE) + len(STEPS) + len(REFUSED) + len(TABLES) + len(SERVICES) == len(YAML)


@pytest.mark.parametrize("block", WHOLE + STEPS, ids=str)
@pytest.mark.usefixtures("shown_tables", "shown_secrets", "shown_services")
def test_a_shown_definition_is_sound(shown_activities: types.ModuleType, block: Block) -> None:
    assert told(definitions.validate(text=as_document(block))) == []


@pytest.mark.parametrize("block", REFUSED, ids=str)
def test_a_definition_shown_as_refused_is_refused_for_that_reason(
    db: None, shown_activities: types.ModuleType, block: Block
) -> None:
    promised = re.match(r"# refused: ([A-Z_]+)\n", block.text)
    assert promised, "the first line is `# refused: CODE`"

    problems = definitions.validate(text=block.text)

    assert [p.code for p in problems if p.severity == "error"] == [promised[1]]


@pytest.mark.parametrize(("works_at", "state"), [(1, "completed"), (2, "completed"), (9, "compensated")])
def test_the_first_workflow_ends_as_the_guide_says(performing: Driver, works_at: int, state: str) -> None:
    (trip,) = [block for block in WHOLE if block.place.startswith("getting-started.md")]

    ended = performing.run(performing.start(trip.text, {"traveller": "ada", "nights": 3, "bank_works_at": works_at}))

    assert ended["state"] == state
    assert ended["output"] == ({"text": "ada, 3 nights, receipt R-3"} if state == "completed" else None)
    assert ended["steps"]["hotel"] == state


@pytest.mark.parametrize("block", [b for b in WHOLE + STEPS if b.place.startswith("language.md")], ids=str)
@pytest.mark.usefixtures("shown_tables")
def test_a_shown_example_of_the_language_comes_to_its_end(performing: Driver, block: Block) -> None:
    started = performing.start(as_document(block), INPUT)
    ended = performing.run(started)
    for section in ended["sections"]:
        for member in section["members"]:
            choice = {"section": section["step"], "member": member["step"], "act": Act.PICK}
            sections.choose(instance_id=started.pk, person="cleo", groups={"adjusters"}, **choice)
            ended = performing.run(started)

    assert ended["state"] == ("compensated" if "workflow: saga" in block.text else "completed")


def test_the_shown_activities_are_registered_as_the_guide_says(shown_activities: types.ModuleType) -> None:
    reserve = registry.get("warehouse.reserve@1.0.0")

    assert reserve.description == "Takes goods off the shelf."
    assert reserve.parameters["required"] == ["sku"]
    assert registry.get("warehouse.count").version == "1.0.0"


def test_the_shown_checkpoint_spares_what_was_done(
    shown_activities: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_activities.time, "sleep", lambda seconds: None)
    heard: list[Progress] = []
    facts = dict.fromkeys(("instance_id", "workflow", "version", "correlation_id", "step", "idempotency_key"), "x")
    context = ActivityContext(attempt=2, report=heard.append, **facts)
    context.checkpoint.save(3)

    counted = registry.get("warehouse.recount").perform({"shelves": 5}, context)

    assert counted == {"counted": 5}
    assert [progress.done for progress in heard] == [3, 4]


@pytest.mark.parametrize("page", [*GUIDES, DOCS / "history.md"], ids=lambda page: str(page.name))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = get_commands()
    for command, verb in COMMAND.findall(text):
        assert command in known, f"manage.py {command}"
        assert not verb or not verbs(command) or verb in verbs(command), f"manage.py {command} {verb}"


def verbs(command: str) -> set[str]:
    """The verbs of a command, none where it has none."""
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    actions = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    return {name for action in actions for name in action.choices}


def test_every_command_of_ours_is_described() -> None:
    shown = " ".join(row[0] for row in table(DOCS / "guides" / "commands.md", "Conventions", number=1))
    ours = [name for name, app in get_commands().items() if app == "workflows_app"]
    for command in ours:
        for verb in verbs(command) or {""}:
            assert f"`{command} {verb}".rstrip() in shown, f"{command} {verb}"


def test_what_is_not_built_is_listed_as_it_is_refused() -> None:
    rows = {row[0]: names(row[1]) for row in table(DOCS / "guides" / "language.md", "Not built yet")}
    assert rows["step kinds"] == set(STEP_KINDS) - availability.KINDS
    assert rows["common keys"] == set(availability.UNBUILT_KEYS)
    assert rows["steps other than `activity`"] == availability.ACTIVITY_KEYS | {"priority", "normal"}
