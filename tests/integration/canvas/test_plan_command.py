"""``workflow plan``: the canvas of a file or a published workflow, as people and as programs read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from workflows_app.services import definitions

TRIP = """
workflow: trip
version: 1.2.0
input: {type: object, properties: {abroad: {type: boolean}}}
steps:
  - {id: search, activity: core.echo}
  - {id: offer, activity: core.echo}
  - id: book
    parallel:
      branches:
        by_rail: [{id: train, activity: core.echo}]
        to_sleep: [{id: hotel, activity: core.echo, queue: partners}]
  - {id: confirm, activity: core.echo}
  - {id: visa, activity: core.echo, when: input.abroad}
"""
SHOWN = """\
trip 1.2.0: 6 steps for workers, 5 messages in 2 canvases; the largest message has 1.8 kB

1  at the start
   chain
     search + offer                 default      1.8 kB
     chord, 2 wide
       train                        default      1.5 kB
       hotel                        partners     1.5 kB
       when all are done: confirm   default       970 B
   then the engine:
     `visa` has a condition: the engine decides when it is reached -> 2

2  after `confirm`
   visa (if input.abroad)           default       964 B

a + b  one message runs both, one after the other, each with a commit of its own
"""

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run ``workflow plan`` and return its exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            call_command("workflow", "plan", *arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except CommandError as refused:
            code = refused.returncode
        return code, *capsys.readouterr()

    return run


def file(folder: Path, document: str | dict[str, Any], name: str = "w.yaml") -> str:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def row(length: int) -> dict[str, Any]:
    steps = [{"id": f"s{n}", "activity": "core.echo"} for n in range(length)]
    return {"workflow": "row", "version": "1.0.0", "steps": steps}


def star(width: int) -> dict[str, Any]:
    members = [{"id": f"s{n}", "activity": "core.echo", "needs": ["first"]} for n in range(width)]
    join = {"id": "join", "activity": "core.echo", "needs": [member["id"] for member in members]}
    return {**row(0), "steps": [{"id": "first", "activity": "core.echo"}, *members, join]}


def test_a_file_is_shown_as_a_tree_with_sizes_and_where_the_engine_decides(shell: Shell, tmp_path: Path) -> None:
    assert shell(file(tmp_path, TRIP)) == (0, SHOWN, "")


def test_step_by_step_shows_a_message_for_each_step(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell(file(tmp_path, TRIP), "--step-by-step")

    assert code == 0
    assert "6 messages in 2 canvases" in out
    assert "step by step: a message for each step" in out
    assert " + " not in out


def test_where_fusion_is_switched_off_it_is_not_shown(shell: Shell, tmp_path: Path, settings: LazySettings) -> None:
    settings.ORCHESTRATOR_FUSION = False

    assert "6 messages in 2 canvases" in shell(file(tmp_path, TRIP))[1]


def test_a_published_workflow_is_shown_by_its_name_in_its_highest_or_the_named_version(shell: Shell, db: None) -> None:
    definitions.publish(text=TRIP, actor="ada")
    definitions.publish(text=TRIP.replace("1.2.0", "1.10.0"), actor="ada")

    assert shell("trip")[1].startswith("trip 1.10.0: ")
    assert shell("trip", "--version", "1.2.0") == (0, SHOWN, "")


def test_a_wide_group_is_shown_in_chunks_and_a_long_chain_by_its_ends(shell: Shell, tmp_path: Path) -> None:
    wide = shell(file(tmp_path, star(150)))[1]
    long = shell(file(tmp_path, row(1000)), "--step-by-step")[1]

    assert "group, 2 wide" in wide
    assert "s0 & s1 & s2 & ... & s74 (75 steps)" in wide
    assert "a & b  one message names both" in wide
    assert "`s140` does not fit any more: the region would exceed 32 kB -> 2" in long
    assert len(long.splitlines()) < 100


def test_json_says_the_same_for_programs(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell(file(tmp_path, TRIP), "--format", "json")

    found = json.loads(out)
    first, second = found["canvases"]
    assert code == 0
    assert (found["workflow"], found["version"], found["fusion"]) == ("trip", "1.2.0", True)
    assert [link["type"] for link in first["plan"]["links"]] == ["task", "chord"]
    assert first["plan"]["links"][0]["fused"] == ["offer"]
    assert first["plan"]["links"][0]["bytes"] == first["largest_message_bytes"] == found["largest_message_bytes"]
    assert first["width"] == 2
    assert first["hand_overs"] == [
        {
            "after": ["confirm"],
            "step": "visa",
            "why": "`visa` has a condition: the engine decides when it is reached",
            "canvases": [2],
        }
    ]
    assert second["plan"]["step"] == "visa"


def test_what_repeats_is_named_by_any_iteration_for_people_and_for_programs(shell: Shell, tmp_path: Path) -> None:
    steps = [{"id": "a", "activity": "core.echo"}, {"id": "b", "activity": "core.echo", "when": "iteration > 0"}]
    document = {**row(1), "steps": [{"id": "again", "loop": {"times": 3, "steps": steps}}]}

    _, text, _ = shell(file(tmp_path, document))
    first, second = json.loads(shell(file(tmp_path, document), "--format", "json")[1])["canvases"]

    assert text.startswith("row 1.0.0: 2 steps for workers, 2 messages in 2 canvases;")
    assert "1  in each iteration of `again`\n   again[...].a " in text
    assert "again[...].b (if iteration > 0)" in text
    assert "[...]  any iteration" in text
    assert "99999" not in text
    assert (first["plan"]["step"], second["plan"]["step"]) == ("again[...].a", "again[...].b")
    assert first["hand_overs"] == [
        {
            "after": ["again[...].a"],
            "step": "again[...].b",
            "why": "`again[...].b` has a condition: the engine decides when it is reached",
            "canvases": [2],
        }
    ]
    assert second["hand_overs"][0]["canvases"] == [1]


def test_a_workflow_that_the_engine_does_itself_has_no_canvas(shell: Shell, tmp_path: Path) -> None:
    document = {**row(0), "variables": {"n": 0}, "steps": [{"id": "s", "set": {"n": 1}}]}

    assert shell(file(tmp_path, document)) == (
        0,
        "row 1.0.0: the engine does all of it itself; no message is sent\n",
        "",
    )


def test_a_definition_with_problems_is_refused_with_all_of_them(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell(file(tmp_path, TRIP.replace("core.echo, when", "no.such, when")))

    assert (code, out) == (1, "")
    assert "DEFINITION_INVALID" in err
    assert "no.such" in err


def test_what_does_not_exist_is_refused(shell: Shell, db: None, tmp_path: Path) -> None:
    definitions.publish(text=TRIP, actor="ada")

    assert shell(str(tmp_path / "none.yaml"))[0] == 1
    assert shell("nothing")[0] == 1
    assert "VERSION_NOT_FOUND" in shell("trip", "--version", "9.0.0")[2]


def test_text_of_strangers_moves_no_cursor(shell: Shell, tmp_path: Path) -> None:
    hostile = TRIP.replace("when: input.abroad", r'when: "input.abroad || ' "\x1b[2J" " == " "\n" '"')

    _, out, _ = shell(file(tmp_path, hostile))

    assert "\x1b" not in out
