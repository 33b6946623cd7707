"""``workflow export`` and ``workflow diff``: a version comes out as it went in, and two are compared in meaning."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.integration.docs.pages import DOCS, blocks
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app import builder
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions

TRIP = """
# from here to there
workflow: trip
version: 1.0.0
input: {type: object, required: [name], properties: {name: {type: string}}}
variables: {note: "yes", code: "1e3"}
steps:
  - id: hotel
    activity: core.echo
    with:
      text: "Hello ${ input.name }: a text that is long enough to go on in the next line, and it does so"
      lines: "one\\ntwo\\n"
    timeout: PT90S
  - {id: train, activity: core.echo, with: {seat: 1.0}}
  - {id: tell, activity: core.echo}
output: {said: "${ steps.hotel.output.text }"}
"""
LATER = (
    TRIP.replace("version: 1.0.0", "version: 1.1.0")
    .replace("PT90S", "2m")
    .replace("seat: 1.0", "seat: 2")
    .replace("  - {id: tell", "  - {id: pay, needs: [hotel], activity: core.echo}\n  - {id: tell, needs: [pay, train]")
)


@pytest.fixture
def published(shell: Shell) -> Shell:  # noqa: F811
    for text in (TRIP, LATER):
        assert shell.run("workflow", "publish", shell.file(text))[0] == 0
    return shell


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_what_is_exported_may_be_published_again_as_the_same(published: Shell, language: str) -> None:
    code, text = published.run("workflow", "export", "trip", "--version", "1.0.0", "--as", language)

    assert code == 0
    again = published.json("workflow", "publish", published.file(text, f"again.{language}"))
    assert again == (0, {"workflow": "trip", "version": "1.0.0"})
    assert DefinitionVersion.objects.count() == 2


def test_yaml_is_the_default_and_reads_as_people_write_it(published: Shell) -> None:
    _, text = published.run("workflow", "export", "trip", "--version", "1.0.0")

    assert (
        text
        == """\
workflow: trip
version: 1.0.0
input:
  type: object
  required:
    - name
  properties:
    name:
      type: string
variables:
  note: 'yes'
  code: '1e3'
steps:
  - id: hotel
    activity: core.echo
    with:
      text: 'Hello ${ input.name }: a text that is long enough to go on in the next line, and it does
        so'
      lines: |
        one
        two
    timeout: 90s
  - id: train
    activity: core.echo
    with:
      seat: 1.0
  - id: tell
    activity: core.echo
output:
  said: ${ steps.hotel.output.text }
"""
    )


def test_the_highest_version_is_exported_unless_one_is_named(published: Shell) -> None:
    stored = {row.version: row.document for row in DefinitionVersion.objects.all()}

    for arguments, version in ((["--version", "1.0.0"], "1.0.0"), ([], "1.1.0")):
        answer = published.json("workflow", "export", "trip", *arguments)
        assert answer == (0, {"name": "trip", "version": version, "changes": None, "document": stored[version]})
        assert json.loads(published.run("workflow", "export", "trip", *arguments, "--as", "json")[1]) == stored[version]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["export", "nobody"], "WORKFLOW_NOT_FOUND"),
        (["export", "trip", "--version", "9.9.9"], "VERSION_NOT_FOUND"),
        (["diff", "nobody", "1.0.0", "1.1.0"], "WORKFLOW_NOT_FOUND"),
        (["diff", "trip", "1.0.0", "9.9.9"], "VERSION_NOT_FOUND"),
        (["diff", "trip", "9.9.9", "1.0.0"], "VERSION_NOT_FOUND"),
        (["diff", "trip", "1.0", "1.1.0"], "FILE_UNREADABLE"),
        (["diff", "trip", "1.0.0", "x" * 5000], "FILE_UNREADABLE"),
        (["diff", "trip", "1.0.0", "."], "FILE_UNREADABLE"),
    ],
)
def test_what_is_not_there_is_refused(published: Shell, arguments: list[str], code: str) -> None:
    assert published.run("workflow", *arguments) == (1, "")
    assert f"({code})" in published.errors
    assert published.run("workflow", *arguments, "--format", "json") == (1, "")
    assert json.loads(published.errors)["error"]["code"] == code


def test_wrong_usage_exits_2(published: Shell) -> None:
    for arguments in (["export"], ["export", "trip", "--as", "xml"], ["diff", "trip", "1.0.0"]):
        with pytest.raises(CommandError):
            call_command("workflow", *arguments)
    assert published.run("workflow", "diff", "trip", "-", "-") == (2, "")


def test_a_difference_is_shown_where_it_is(published: Shell) -> None:
    assert published.run("workflow", "diff", "trip", "1.0.0", "1.1.0") == (
        0,
        """\
trip 1.0.0 -> 1.1.0: 4 differences

step hotel
  changed  timeout: "90s" -> "2m"

step train
  changed  with.seat: 1.0 -> 2

step tell
  changed  needs: ["train"] -> ["pay", "train"]

step pay
  added    {"in": "steps", "kind": "activity", "needs": ["hotel"], "activity": "core.echo"}
""",
    )


def test_the_differences_are_one_document(published: Shell) -> None:
    pay = {"in": "steps", "kind": "activity", "needs": ["hotel"], "activity": "core.echo"}

    assert published.json("workflow", "diff", "trip", "1.0.0", "1.1.0") == (
        0,
        {
            "name": "trip",
            "old": "1.0.0",
            "new": "1.1.0",
            "changes": None,
            "differences": [
                {"kind": "changed", "path": "steps.hotel.timeout", "old": "90s", "new": "2m"},
                {"kind": "changed", "path": "steps.train.with.seat", "old": 1.0, "new": 2},
                {"kind": "changed", "path": "steps.tell.needs", "old": ["train"], "new": ["pay", "train"]},
                {"kind": "added", "path": "steps.pay", "old": None, "new": pay},
            ],
        },
    )


def test_the_same_meaning_is_said_to_be_the_same(published: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    file = published.file(TRIP.replace("PT90S", "1m30s").replace("1.0.0", "2.0.0"), "draft.yaml")

    code, text = published.run("workflow", "diff", "trip", "1.0.0", file)
    _, answer = published.json("workflow", "diff", "trip", file, "1.0.0")

    assert (code, text) == (0, f"trip 1.0.0 -> {file}: no difference in meaning\n")
    assert answer == {"name": "trip", "old": file, "new": "1.0.0", "changes": None, "differences": []}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TRIP.encode())))
    assert published.run("workflow", "diff", "trip", "-", file) == (
        0,
        f"trip standard input -> {file}: no difference in meaning\n",
    )


def test_a_file_that_is_no_definition_is_refused_with_its_problems(published: Shell) -> None:
    file = published.file(TRIP + "colour: red\n", "draft.yaml")

    assert published.run("workflow", "diff", "trip", "1.0.0", file) == (1, "")
    assert "colour" in published.errors


def test_a_file_may_have_problems_that_publish_would_refuse(published: Shell) -> None:
    file = published.file(TRIP.replace("id: train, activity: core.echo", "id: train, activity: core.ecko"))

    code, text = published.run("workflow", "diff", "trip", "1.0.0", file)

    assert code == 0
    assert 'changed  activity: "core.echo" -> "core.ecko"' in text


def test_what_a_difference_quotes_cannot_move_the_cursor(published: Shell) -> None:
    file = published.file(TRIP.replace('lines: "one', 'lines: "\\x1b[2J\\u009bone'))

    _, text = published.run("workflow", "diff", "trip", "1.0.0", file)

    assert "one" in text
    assert "\x1b" not in text
    assert "\x9b" not in text


def test_what_the_builder_makes_is_published(published: Shell) -> None:
    built = builder.workflow("built", "1.0.0", builder.activity("a", "core.echo", x=1), output="${ steps.a.output }")

    version = definitions.publish(text=json.dumps(built), actor="ada")

    assert version.document == built


def test_the_guide_shows_what_is_printed(shell: Shell) -> None:  # noqa: F811
    shown = dict(block.text.split("\n", 1) for block in blocks(DOCS / "guides" / "commands.md") if "$ " in block.text)
    exported = shown["$ python manage.py workflow export trip --version 1.0.0"]
    later = (
        exported.replace("version: 1.0.0", "version: 1.1.0\non_failure: compensate")
        .replace("seat: 1", "seat: 2")
        .replace("  - id: train", "  - {id: pay, needs: [hotel], activity: core.echo}\n  - id: train")
        + 'output: {seat: "${ steps.train.output.seat }"}\n'
    )
    for text in (exported, later):
        assert shell.run("workflow", "publish", shell.file(text))[0] == 0

    assert shell.run("workflow", "export", "trip", "--version", "1.0.0") == (0, exported)
    compared = "$ python manage.py workflow diff trip 1.0.0 1.1.0"
    assert shell.run("workflow", "diff", "trip", "1.0.0", "1.1.0") == (0, shown[compared])
    (sample,) = json.loads(shown[f"{compared} --format json"])["differences"]
    assert sample in shell.json("workflow", "diff", "trip", "1.0.0", "1.1.0")[1]["differences"]


def test_why_a_version_was_published_is_kept_with_it(shell: Shell) -> None:  # noqa: F811
    shell.run("workflow", "publish", shell.file(TRIP))
    why = "The train is full.\nWe wait longer."
    assert shell.json("workflow", "publish", shell.file(LATER), "--changes", f" {why}\n")[0] == 0

    _, listed = shell.json("workflow", "versions", "trip")
    _, text = shell.run("workflow", "versions", "trip", "--limit", "1")
    _, compared = shell.run("workflow", "diff", "trip", "1.0.0", "1.1.0")
    _, exported = shell.json("workflow", "export", "trip")

    assert [(row["version"], row["changes"], row["differences"]) for row in listed["versions"]] == [
        ("1.1.0", why, "1 added, 3 changed"),
        ("1.0.0", None, "the first one"),
    ]
    assert "The train is full.\\nWe wait longer." in text.splitlines()[1]
    assert compared.splitlines()[1] == "its publisher says: The train is full.\\nWe wait longer."
    assert exported["changes"] == why


def test_what_is_said_of_a_version_never_changes_either(shell: Shell) -> None:  # noqa: F811
    file = shell.file(TRIP)
    shell.run("workflow", "publish", file, "--changes", "the first")

    again = shell.run("workflow", "publish", file, "--changes", "the first")[0]
    without = shell.run("workflow", "publish", file)[0]
    other = shell.run("workflow", "publish", file, "--changes", "the second")[0]

    assert (again, without, other) == (0, 0, 1)
    assert "CHANGES_EXIST" in shell.errors
    assert DefinitionVersion.objects.get().changes == "the first"


@pytest.mark.parametrize(
    ("text", "said"), [("x" * 2001, "at most 2,000 characters"), ("red \x1b[31m", "x1b")], ids=ascii
)
def test_a_text_that_cannot_be_kept_publishes_nothing(shell: Shell, text: str, said: str) -> None:  # noqa: F811
    code, _ = shell.run("workflow", "publish", shell.file(TRIP), "--changes", text)

    assert code == 1
    assert "INVALID_CHANGES" in shell.errors
    assert said in shell.errors
    assert not DefinitionVersion.objects.exists()
