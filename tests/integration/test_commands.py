"""The shell's contract: what is printed, where, and with which exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.driver import Driver
from workflows_app.models import AuditEntry, DefinitionVersion, Instance

SOUND = """
workflow: greet
version: 1.0.0
input: {type: object, required: [name], properties: {name: {type: string}}}
steps:
  - {id: hello, activity: core.echo, with: {text: "Hello ${ input.name }"}, compensate: {activity: core.echo}}
output: {said: "${ steps.hello.output.text }"}
"""


class Shell:
    """Runs commands and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.capsys = capsys
        self.folder = folder
        self.errors = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        self.capsys.readouterr()
        code = 0
        try:
            call_command(*arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except CommandError as refused:
            code = refused.returncode
        out, self.errors = self.capsys.readouterr()
        return code, out

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out = self.run(*arguments, "--format", "json")
        return code, json.loads(out) if out else None

    def file(self, text: str | bytes, name: str = "w.yaml") -> str:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, driver: Driver) -> Shell:
    return Shell(capsys, tmp_path)


@pytest.fixture
def published(shell: Shell) -> Shell:
    assert shell.run("workflow", "publish", shell.file(SOUND))[0] == 0
    return shell


def test_a_sound_definition_is_called_sound(shell: Shell) -> None:
    assert shell.run("workflow", "validate", shell.file(SOUND)) == (0, "sound\n")
    assert shell.json("workflow", "validate", shell.file(SOUND)) == (0, {"problems": []})


def test_standard_input_may_be_validated(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SOUND.encode())))

    assert shell.run("workflow", "validate", "-")[0] == 0


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)
DEEP = "input: " + "[" * 10_000 + "]" * 10_000


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("workflow: [", "", ""),
        ("workflow: !!python/object/apply:os.system [ls]", "", ""),
        (BOMB, "", ""),
        (DEEP, "", ""),
        (SOUND + "workflow: again\n", "", ""),
        (SOUND.replace("core.echo", "no.such"), "UNKNOWN_TASK_TYPE", "steps[0].activity"),
        (SOUND.replace("hello, ", "hello, needs: [hello], "), "", "steps[0].needs"),
        (SOUND.replace("steps:", "steps:\n  - {id: hello, activity: core.echo}"), "DUPLICATE_ID", "steps[1].id"),
        (SOUND.replace("input.name", "steps.nobody.output"), "", "steps[0].with.text"),
        (SOUND.replace("${ input.name }", "${ input.__class__ }"), "", "steps[0].with.text"),
        (SOUND + "triggers: [{event: {type: x}}]\n", "NOT_AVAILABLE", "triggers"),
        (SOUND + "colour: red\n", "", "colour"),
        ("x" * 1_000_001, "", ""),
        (b"\xff\xfe\x00", "", ""),
        ("", "", ""),
    ],
    ids=[
        "broken YAML", "object tag", "alias bomb", "depth", "double key", "unknown activity", "cycle", "double id",
        "unknown step", "attribute access", "not built", "unknown key", "too large", "not UTF-8", "empty",
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_with_place_and_reason_and_nothing_is_stored(
    shell: Shell, text: str | bytes, code: str, path: str
) -> None:
    file = shell.file(text)

    exit_code, answer = shell.json("workflow", "validate", file)
    published, _ = shell.run("workflow", "publish", file)

    assert (exit_code, published) == (1, 1)
    problem = answer["problems"][0]
    assert set(problem) == {"code", "severity", "path", "message"}
    assert problem["message"]
    found = [p for p in answer["problems"] if p["path"].startswith(path) and (not code or p["code"] == code)]
    assert found, answer
    assert not DefinitionVersion.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_missing_file_is_refused_without_a_traceback(shell: Shell) -> None:
    assert shell.run("workflow", "validate", "no-such-file.yaml") == (1, "")
    assert "no-such-file.yaml cannot be read" in shell.errors


def test_the_same_content_may_be_published_again_and_other_content_may_not(published: Shell) -> None:
    again = published.json("workflow", "publish", published.file(SOUND + "\n# a comment\n"))
    other = published.run("workflow", "publish", published.file(SOUND.replace("Hello", "Hi")))

    assert again == (0, {"workflow": "greet", "version": "1.0.0"})
    assert other == (1, "")
    assert "never changes" in published.errors
    assert DefinitionVersion.objects.count() == 1


def test_the_schema_is_one_json_document(shell: Shell) -> None:
    code, out = shell.run("workflow", "schema")

    assert code == 0
    assert json.loads(out)["$schema"].endswith("2020-12/schema")


def test_start_takes_the_highest_version_that_is_no_prerelease(published: Shell) -> None:
    for version in ("1.2.0", "1.10.0", "2.0.0-rc.1"):
        published.run("workflow", "publish", published.file(SOUND.replace("1.0.0", version)))

    code, answer = published.json("workflow", "start", "greet", "--input", '{"name": "Ada"}')

    assert (code, answer["version"], answer["state"]) == (0, "1.10.0", "running")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nobody"], "WORKFLOW_NOT_FOUND"),
        (["greet", "--version", "9.9.9"], "VERSION_NOT_FOUND"),
        (["greet", "--input", "{"], "NOT_JSON"),
        (["greet", "--input", '{"name": NaN}'], "NOT_JSON"),
        (["greet", "--input", '{"name": "a", "name": "b"}'], "twice"),
        (["greet", "--input", '{"name": 1}'], "input.name"),
        (["greet", "--input", '{"name": "\\u0000"}'], "input"),
        (["greet", "--input", '{"name": 18446744073709551616}'], "input"),
        (["greet", "--input", "{}"], "name"),
        (["greet", "--input", "@nowhere.json"], "nowhere.json cannot be read"),
        (["greet", "--input", '{"name": "A"}', "--idempotency-key", "x" * 300], "idempotency_key"),
    ],
)
def test_a_bad_start_is_refused_by_name_and_stores_nothing(published: Shell, arguments: list[str], reason: str) -> None:
    code, out = published.run("workflow", "start", *arguments)

    assert (code, out) == (1, "")
    assert reason in published.errors
    assert "Traceback" not in published.errors
    assert not Instance.objects.exists()


def test_an_input_over_the_limit_is_refused(published: Shell, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_INPUT_BYTES = 100

    code, _ = published.run("workflow", "start", "greet", "--input", json.dumps({"name": "x" * 200}))

    assert code == 1
    assert "TOO_LARGE" in published.errors
    assert not Instance.objects.exists()


def test_the_same_idempotency_key_starts_once(published: Shell) -> None:
    start = ["workflow", "start", "greet", "--idempotency-key", "k", "--input"]

    first, second = (published.json(*start, '{"name": "A"}')[1] for _ in range(2))
    conflict, _ = published.run(*start, '{"name": "B"}')

    assert first["id"] == second["id"]
    assert conflict == 1
    assert "IDEMPOTENCY_CONFLICT" in published.errors
    assert Instance.objects.count() == 1


def test_waiting_for_an_instance_that_does_not_end_exits_3(published: Shell) -> None:
    code, answer = published.json(
        "workflow", "start", "greet", "--input", '{"name": "Ada"}', "--wait", "--timeout", "0"
    )

    assert code == 3
    assert answer["state"] == "running"
    assert answer["steps"] == {"hello": "scheduled"}


def test_show_and_history_and_list_print_their_documents(published: Shell, driver: Driver) -> None:
    _, started = published.json(
        "workflow", "start", "greet", "--input", '{"name": "Ada"}', "--correlation-id", "order-7"
    )
    driver.drain()

    _, shown = published.json("workflow", "show", started["id"])
    _, history = published.json("workflow", "history", started["id"])
    _, listed = published.json("workflow", "list", "--state", "completed")

    assert {"id", "workflow", "version", "state", "cause", "output", "error", "steps"} <= shown.keys()
    assert shown["output"] == {"said": "Hello Ada"}
    assert shown["attempts"][0]["state"] == "succeeded"
    assert [e["type"] for e in history["events"]] == [
        "instance.started", "step.scheduled", "step.started", "step.completed", "instance.completed",
    ]  # fmt: skip
    assert set(history["events"][0]) == {"sequence", "type", "step", "at", "data", "actor"}
    assert [row["id"] for row in listed["instances"]] == [started["id"]]
    for verb in (["show", started["id"]], ["history", started["id"]], ["list"]):
        code, text = published.run("workflow", *verb)
        assert code == 0
        assert "completed" in text


def test_an_unknown_instance_is_refused(published: Shell) -> None:
    for verb in ("show", "history", "cancel", "terminate"):
        for key in ("nonsense", "00000000-0000-0000-0000-000000000000"):
            assert published.run("workflow", verb, key)[0] == 1
            assert "there is no instance" in published.errors


def test_cancel_and_terminate_say_what_happened_and_leave_an_audit_entry(published: Shell) -> None:
    ids = [published.json("workflow", "start", "greet", "--input", '{"name": "A"}')[1]["id"] for _ in range(2)]

    cancelled = published.json("workflow", "cancel", ids[0], "--no-compensate", "--reason", "changed my mind")
    terminated = published.json("workflow", "terminate", ids[1], "--reason", "fire")
    again, _ = published.run("workflow", "cancel", ids[0])

    assert cancelled == (0, {"id": ids[0], "state": "cancelled"})
    assert terminated == (0, {"id": ids[1], "state": "terminated"})
    assert again == 1
    assert "STATE_FORBIDS" in published.errors
    entries = list(AuditEntry.objects.values_list("sequence", "action", "target"))
    assert entries == [
        (1, "definition.published", "greet 1.0.0"),
        (2, "instance.cancelled", ids[0]),
        (3, "instance.terminated", ids[1]),
    ]


def test_wrong_usage_exits_2(shell: Shell) -> None:
    for arguments in (["workflow"], ["workflow", "start"], ["workflow", "nonsense"], ["replay"], ["audit"]):
        with pytest.raises(CommandError):
            call_command(*arguments)


def test_replay_and_audit_pass_on_what_the_product_wrote(published: Shell, driver: Driver) -> None:
    published.run("workflow", "start", "greet", "--input", '{"name": "A"}')
    driver.drain()

    assert published.json("replay", "--check") == (0, {"checked": 1, "different": {}})
    code, verified = published.json("audit", "verify")
    assert (code, verified["histories"], verified["faults"]) == (0, 1, [])
    assert published.run("audit", "verify", "--anchor", verified["anchor"])[0] == 0
    assert published.run("audit", "verify", "--anchor", f"1:{'0' * 64}")[0] == 1
    with pytest.raises(CommandError, match="not an anchor"):
        call_command("audit", "verify", "--anchor", "nonsense")


def test_one_pass_of_the_sweep_says_what_it_did(published: Shell) -> None:
    code, swept = published.json("sweep", "--once")

    assert code == 0
    assert swept["timers"] == 0
