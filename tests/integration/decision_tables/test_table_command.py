"""``workflow table``: what is printed, where, and with which exit code."""

from __future__ import annotations

import json

import pytest

from tests.integration.decision_tables.documents import discounts
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.models import DecisionTable

OVERLAP = discounts().replace("< 100", "<= 100")
GOLD = '{"customer": "gold", "amount": 20}'


@pytest.fixture
def published(shell: Shell) -> Shell:  # noqa: F811
    for version, large in (("1.0.0", 10), ("1.1.0", 15), ("2.0.0-rc.1", 99)):
        assert shell.run("workflow", "table", "publish", shell.file(discounts(version, large=large)))[0] == 0
    return shell


def test_a_sound_table_is_called_sound(shell: Shell) -> None:  # noqa: F811
    assert shell.run("workflow", "table", "validate", shell.file(discounts())) == (0, "sound\n")
    assert shell.json("workflow", "table", "validate", shell.file(discounts())) == (0, {"problems": []})


def test_an_unsound_table_is_refused_with_every_problem(shell: Shell) -> None:  # noqa: F811
    code, text = shell.run("workflow", "table", "validate", shell.file(OVERLAP))
    _, answer = shell.json("workflow", "table", "validate", shell.file(OVERLAP))
    refused, printed = shell.run("workflow", "table", "publish", shell.file(OVERLAP), "--format", "json")

    assert code == refused == 1
    assert "rules large and loyal both take" in text
    assert "2 error(s)" in text
    assert {problem["code"] for problem in answer["problems"]} == {"TABLE_OVERLAP"}
    assert printed == ""
    assert json.loads(shell.errors)["error"]["code"] == "TABLE_INVALID"
    assert not DecisionTable.objects.exists()


def test_warnings_are_printed_and_the_table_is_published(shell: Shell) -> None:  # noqa: F811
    gap = discounts().replace("customer: plain, ", "customer: gold, ").replace("hit: unique", "hit: first")

    code, answer = shell.json("workflow", "table", "publish", shell.file(gap))

    assert code == 0
    assert (answer["table"], answer["version"]) == ("discounts", "1.0.0")
    assert {problem["code"] for problem in answer["warnings"]} == {"TABLE_GAP", "TABLE_RULE_UNREACHED"}


def test_tables_and_their_versions_are_listed(published: Shell) -> None:
    _, tables = published.json("workflow", "table", "list")
    _, versions = published.json("workflow", "table", "list", "discounts")

    assert [(row["table"], row["version"]) for row in tables["tables"]] == [("discounts", "1.1.0")]
    assert [row["version"] for row in versions["tables"]] == ["2.0.0-rc.1", "1.1.0", "1.0.0"]
    assert "discounts" in published.run("workflow", "table", "list")[1]
    assert published.run("workflow", "table", "list", "gone") == (1, "")
    assert "TABLE_NOT_FOUND" in published.errors


def test_a_shown_table_may_be_published_again(published: Shell) -> None:
    _, text = published.run("workflow", "table", "show", "discounts", "--version", "1.0.0")
    _, answer = published.json("workflow", "table", "show", "discounts")

    assert published.run("workflow", "table", "publish", published.file(text))[0] == 0
    assert answer["version"] == "1.1.0"
    assert answer["document"]["rules"][0]["id"] == "large"


def test_a_table_says_what_it_decides_and_which_rule_hit(published: Shell) -> None:
    ask = ("workflow", "table", "evaluate", "discounts", "--input")

    assert published.run(*ask, GOLD) == (0, 'discounts 1.1.0, rule loyal: {"percent": 5}\n')
    assert published.json(*ask, GOLD.replace("20", "200"), "--version", "1.0.0") == (
        0,
        {"table": "discounts", "version": "1.0.0", "rules": ["large"], "outputs": {"percent": 10}},
    )


def test_a_file_is_asked_before_it_is_published(shell: Shell) -> None:  # noqa: F811
    code, answer = shell.json("workflow", "table", "evaluate", shell.file(discounts()), "--input", GOLD)

    assert (code, answer["rules"]) == (0, ["loyal"])
    assert not DecisionTable.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("evaluate", "discounts", "--input", "{"), 1, "NOT_JSON"),
        (("evaluate", "discounts", "--input", "[1]"), 1, "TABLE_INPUT_INVALID"),
        (("evaluate", "discounts", "--input", "{}"), 1, "TABLE_INPUT_INVALID"),
        (("evaluate", "gone", "--input", "{}"), 1, "TABLE_NOT_FOUND"),
        (("evaluate", "discounts", "--input", GOLD, "--version", "9.0.0"), 1, "VERSION_NOT_FOUND"),
        (("evaluate", "no.yaml", "--input", GOLD), 1, "FILE_UNREADABLE"),
        (("evaluate", "no.yaml", "--input", GOLD, "--version", "1.0.0"), 2, ""),
        (("evaluate", "-", "--input", "@-"), 2, ""),
    ],
)
def test_what_cannot_be_answered_is_refused_without_a_traceback(
    published: Shell, arguments: tuple[str, ...], code: int, word: str
) -> None:
    assert published.run("workflow", "table", *arguments)[0] == code
    assert word in published.errors
    assert "Traceback" not in published.errors


def test_a_plan_says_that_the_engine_asks_the_table(published: Shell) -> None:
    text = (
        "workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo}\n"
        "  - {id: rule, decide: {table: discounts, input: {customer: gold, amount: 1}}}\n"
        "  - {id: b, activity: core.echo}"
    )

    code, printed = published.run("workflow", "plan", published.file(text))

    assert code == 0
    assert "`rule` asks a decision table: the engine does that itself" in printed
