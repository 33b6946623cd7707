"""``workflow template``: what is listed, shown and rendered, and how a refusal reads."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.integration.test_commands import Shell, shell  # noqa: F401

OWN = """
template: greeting
version: 1.0.0
title: Greeting
category: example
pattern: sequence
parameters:
  who: {type: string, required: true, description: who is greeted}
  times: {type: number, default: 1}
  loud: {type: boolean, default: false}
document:
  workflow: greet-{{ who }}
  version: 1.0.0
  steps:
    - {id: say, activity: core.echo, with: {text: "Hello {{ who }}", times: "{{ times }}", loud: "{{ loud }}"}}
"""


def refusal(shell: Shell, *arguments: str) -> tuple[str, list[str]]:  # noqa: F811
    assert shell.run("workflow", "template", *arguments, "--format", "json") == (1, "")
    error = json.loads(shell.errors)["error"]
    return error["code"], [problem["path"] for problem in error["problems"]]


def test_the_shipped_ones_are_listed(shell: Shell) -> None:  # noqa: F811
    code, text = shell.run("workflow", "template", "list")

    assert code == 0
    for name in ("approval-workflow", "data-processing", "distributed-transaction", "event-driven-integration"):
        assert name in text
    _, answer = shell.json("workflow", "template", "list")
    assert {"category": "integration", "pattern": "saga"}.items() <= answer["templates"][2].items()


def test_one_is_shown_with_its_parameters(shell: Shell) -> None:  # noqa: F811
    _, text = shell.run("workflow", "template", "show", "distributed-transaction")
    _, answer = shell.json("workflow", "template", "show", "distributed-transaction")

    assert "transaction_steps  (array, required)" in text
    assert 'compensation_strategy  (string, default "backward")' in text
    assert answer["parameters"]["compensation_strategy"]["default"] == "backward"


def test_what_is_rendered_may_be_published(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    steps = shell.file(json.dumps([{"id": "hotel", "activity": "core.echo"}]), "steps.json")
    out = str(tmp_path / "made.yaml")

    done = shell.run(
        "workflow", "template", "render", "distributed-transaction",
        "--set", f"transaction_steps=@{steps}", "--set", "workflow=journey", "--out", out,
    )  # fmt: skip

    assert done == (0, f"{out} is written\n")
    assert shell.json("workflow", "publish", out) == (0, {"workflow": "journey", "version": "1.0.0"})


def test_a_template_of_ones_own_takes_typed_parameters(shell: Shell) -> None:  # noqa: F811
    file = shell.file(OWN, "greeting.yaml")
    parameters = shell.file('{"who": "bob", "times": 2}', "p.json")

    _, answer = shell.json(
        "workflow", "template", "render", file, "--parameters", f"@{parameters}", "--set", "loud=true"
    )
    _, text = shell.run("workflow", "template", "render", file, "--set", "who=1", "--as", "json")

    assert answer["document"]["steps"][0]["with"] == {"text": "Hello bob", "times": 2, "loud": True}
    assert json.loads(text)["steps"][0]["with"] == {"text": "Hello 1", "times": 1, "loud": False}


def test_standard_input_may_hold_the_template(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(OWN.encode())))

    code, text = shell.run("workflow", "template", "render", "-", "--set", "who=ann")

    assert (code, "workflow: greet-ann" in text) == (0, True)


def test_a_refusal_names_the_parameter(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    file = shell.file(OWN, "greeting.yaml")
    out = tmp_path / "none.yaml"

    assert refusal(shell, "render", file, "--out", str(out)) == ("TEMPLATE_PARAMETER_MISSING", ["parameters.who"])
    assert not out.exists()
    assert refusal(shell, "render", file, "--set", "who=a", "--set", "times=no") == ("NOT_JSON", ["parameters.times"])
    assert refusal(shell, "render", file, "--set", "who=a", "--set", 'times="2"') == (
        "TEMPLATE_PARAMETER_TYPE",
        ["parameters.times"],
    )
    assert refusal(shell, "render", file, "--set", "hwo=a", "--set", "who=a")[0] == "TEMPLATE_PARAMETER_UNKNOWN"
    assert refusal(shell, "render", file, "--parameters", "[]")[0] == "TEMPLATE_PARAMETER_TYPE"
    assert refusal(shell, "render", file, "--parameters", '{"who": "a", "who": "b"}')[0] == "NOT_JSON"
    assert refusal(shell, "show", "nobody")[0] == "TEMPLATE_NOT_FOUND"
    assert refusal(shell, "show", str(tmp_path / "missing.yaml"))[0] == "FILE_UNREADABLE"
    assert refusal(shell, "show", shell.file(OWN.replace("{{ who }}", "{{ hwo }}")))[0] == "TEMPLATE_INVALID"
    assert refusal(shell, "render", file, "--set", "who=a", "--out", str(tmp_path / "no" / "x"))[0] == "FILE_UNWRITABLE"


def test_wrong_usage_exits_2(shell: Shell) -> None:  # noqa: F811
    for arguments in ([], ["show"], ["render"], ["list", "--colour"]):
        with pytest.raises(CommandError):
            call_command("workflow", "template", *arguments)
    file = shell.file(OWN, "greeting.yaml")
    for sets in (["who"], ["=a"], ["who=a", "who=b"]):
        flags = [part for each in sets for part in ("--set", each)]
        assert shell.run("workflow", "template", "render", file, *flags)[0] == 2
    assert shell.run("workflow", "template", "render", "-", "--parameters", "@-")[0] == 2
