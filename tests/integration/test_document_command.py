"""``workflow document``: a published version as a page of Markdown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_commands import SOUND, Shell, shell  # noqa: F401
from workflows_app.activities import registry


@pytest.fixture
def published(shell: Shell) -> Shell:  # noqa: F811
    for text in (SOUND, SOUND.replace("version: 1.0.0", "version: 1.1.0\ntitle: Greet <b>loudly</b>")):
        assert shell.run("workflow", "publish", shell.file(text))[0] == 0
    return shell


def test_the_page_is_printed(published: Shell) -> None:
    code, text = published.run("workflow", "document", "greet", "--version", "1.0.0")

    assert code == 0
    assert text.startswith("# greet\n\n- **Workflow:** `greet`\n- **Version:** `1.0.0`\n")
    registry.discover()
    assert f"Performs `core.echo`: {registry.get('core.echo').description}" in text
    assert "- **Undone by:** performs `core.echo`" in text
    assert "| `name` | string | yes |" in text
    assert "```mermaid\nflowchart TD\n" in text


def test_the_highest_version_is_described_unless_one_is_named(published: Shell, tmp_path: Path) -> None:
    out = tmp_path / "page.md"

    _, answer = published.json("workflow", "document", "greet")
    done = published.run("workflow", "document", "greet", "--out", str(out))

    assert (answer["name"], answer["version"]) == ("greet", "1.1.0")
    assert answer["markdown"].startswith("# Greet &lt;b&gt;loudly&lt;/b&gt;\n")
    assert done == (0, f"{out} is written\n")
    assert out.read_text() == answer["markdown"]


def test_what_is_not_there_or_cannot_be_written_is_refused(published: Shell, tmp_path: Path) -> None:
    for arguments, code in (
        (["nobody"], "WORKFLOW_NOT_FOUND"),
        (["greet", "--version", "9.9.9"], "VERSION_NOT_FOUND"),
        (["greet", "--out", str(tmp_path / "no" / "page.md")], "FILE_UNWRITABLE"),
        (["greet", "--out", str(tmp_path)], "FILE_UNWRITABLE"),
    ):
        assert published.run("workflow", "document", *arguments, "--format", "json") == (1, "")
        assert json.loads(published.errors)["error"]["code"] == code
    assert published.run("workflow", "document", "greet", "--out", "\x00")[0] == 1
