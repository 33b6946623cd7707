"""docs/guides/templates.md and what commands.md says of templates and imports: as shown, so it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.docs.pages import DOCS, blocks, names, table
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.engine import definition
from workflows_app.services import definition_templates, definitions

PAGE = DOCS / "guides" / "templates.md"
SHOWN = dict(block.text.split("\n", 1) for block in blocks(DOCS / "guides" / "commands.md") if "$ " in block.text)


def test_the_shown_template_makes_a_sound_definition(db: None) -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.text.startswith("template:")]
    template = definition_templates.read(text=shown)

    people = [{"id": "ann", "name": "Ann"}, {"id": "bob", "name": "Bob", "title": "Dr"}]
    made = definition_templates.render(template=template, arguments={"team": "blue", "people": people})

    assert [str(problem) for problem in definitions.validate(text=json.dumps(made))] == []
    assert [step["id"] for step in made["steps"]] == ["greet_ann", "greet_bob", "goodbye"]
    assert made["steps"][1]["with"] == {"text": "Hello Bob", "person": people[1], "title": "Dr"}
    assert "title" not in made["steps"][0]["with"]


def test_the_shipped_templates_are_listed_with_their_parameters() -> None:
    rows = {row[0].strip("` "): (names(row[2]), names(row[3])) for row in table(PAGE, "What is shipped")}

    assert set(rows) == {each.name for each in definition_templates.shipped()}
    for each in definition_templates.shipped():
        required, others = rows[each.name]
        assert required == {name for name, parameter in each.parameters.items() if parameter.required}
        optional = {name for name, parameter in each.parameters.items() if not parameter.required}
        assert optional - {"workflow", "version"} <= others


def test_every_refusal_of_the_engine_is_described() -> None:
    folder = Path(definition.__file__).parent.parent / "templates"
    codes = {code for path in folder.glob("*.py") for code in re.findall(r'"(TEMPLATE_[A-Z_]+)"', path.read_text())}

    assert codes
    assert codes <= set(re.findall(r"TEMPLATE_[A-Z_]+", PAGE.read_text(encoding="utf-8")))


def test_the_shown_refusal_is_what_is_printed(shell: Shell) -> None:  # noqa: F811
    (command,) = [line for line in SHOWN if "template render" in line]

    assert shell.run(*command.removeprefix("$ python manage.py ").split()) == (1, "")
    assert shell.errors.strip() == SHOWN[command].strip()


def test_the_shown_import_is_what_is_printed(
    shell: Shell,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (command,) = [line for line in SHOWN if "workflow import" in line]
    folder = tmp_path / "flows"
    folder.mkdir()
    for name in ("stock", "trip"):
        text = f"workflow: {name}\nversion: 1.0.0\nsteps: [{{id: a, activity: core.echo}}]\n"
        (folder / f"{name}.yaml").write_text(text)
    assert shell.run("workflow", "publish", str(folder / "stock.yaml"))[0] == 0
    monkeypatch.chdir(tmp_path)

    assert shell.run(*command.removeprefix("$ python manage.py ").split()) == (0, SHOWN[command])
