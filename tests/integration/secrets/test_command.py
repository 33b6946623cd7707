"""``manage.py secret``: values come from standard input, a file or a prompt, and never go out again."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.secrets.conftest import CANARY
from workflows_app.management.commands import secret as command
from workflows_app.services import keyring, secrets

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Pipe:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


@pytest.fixture
def run(capsys, monkeypatch):
    def perform(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", Pipe(stdin))
        capsys.readouterr()
        code = 0
        try:
            call_command("secret", *arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert CANARY not in out + err
        return code, out, err

    return perform


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_value_comes_from_standard_input_without_its_line_end(run, end):
    code, out, _ = run("set", "api", "--description", "bank", "--format", "json", stdin=f"{CANARY}{end}".encode())

    assert code == 0
    assert secrets.reveal("api") == CANARY
    shown: dict[str, Any] = json.loads(out)
    assert (shown["name"], shown["type"], shown["description"]) == ("api", "text", "bank")
    assert shown["created_at"].endswith("Z")


def test_a_value_comes_from_a_file(run, tmp_path):
    (tmp_path / "key.json").write_text('{"key": "from a file"}')

    code, out, _ = run("set", "doc", "--type", "json", "--file", str(tmp_path / "key.json"))

    assert (code, out) == (0, "the secret doc is set\n")
    assert secrets.reveal("doc") == {"key": "from a file"}


def test_a_person_is_asked_twice_and_sees_nothing(monkeypatch, capsys):
    asked: list[str] = []
    answers = iter([CANARY, CANARY, CANARY, "something else"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda prompt: "ada")
    monkeypatch.setattr(command.getpass, "getpass", lambda prompt: asked.append(prompt) or next(answers))

    call_command("secret", "set", "pair", "--type", "basic")
    with pytest.raises(SystemExit) as ended:
        call_command("secret", "set", "other")

    assert ended.value.code == 1
    assert asked[:2] == ["Value of pair: ", "Again: "]
    assert secrets.reveal("pair") == {"username": "ada", "password": CANARY}
    assert secrets.names() == {"pair"}
    assert "differ" in capsys.readouterr().err


def test_the_list_has_no_values(run):
    run("set", "api", stdin=CANARY.encode())

    _, text, _ = run("list")
    _, out, _ = run("list", "--format", "json")

    assert text.split()[:5] == ["name", "type", "description", "updated_at", "updated_by"]
    (row,) = json.loads(out)["secrets"]
    assert row.keys() == {"name", "type", "description", "created_at", "created_by", "updated_at", "updated_by"}


def test_a_key_is_made_and_everything_rotated_to_it(run, settings):
    run("set", "api", stdin=CANARY.encode())
    _, key, _ = run("key")
    settings.ORCHESTRATOR_SECRET_KEYS = [key.strip(), *settings.ORCHESTRATOR_SECRET_KEYS]

    code, out, _ = run("rotate", "--format", "json")

    settings.ORCHESTRATOR_SECRET_KEYS = [key.strip()]
    assert (code, json.loads(out)) == (0, {"rotated": 1})
    assert secrets.reveal("api") == CANARY


def test_a_secret_is_deleted(run):
    run("set", "api", stdin=CANARY.encode())

    assert run("delete", "api")[:2] == (0, "the secret api is deleted\n")

    code, _, err = run("delete", "api")
    assert code == 1
    assert "SECRET_NOT_FOUND" in err


@pytest.mark.parametrize(
    ("arguments", "stdin", "word"),
    [
        (["set", "api"], b"short", "SECRET_INVALID"),
        (["set", "api", "--type", "json"], CANARY.encode(), "no JSON"),
        (["set", "a b"], CANARY.encode(), "SECRET_INVALID"),
        (["set", "api"], b"\xff" * 9, "UTF-8"),
        (["set", "api", "--file", "/no/such"], b"", "FILE_UNREADABLE"),
    ],
)
def test_a_refusal_exits_1_and_repeats_nothing(run, arguments, stdin, word):
    code, _, err = run(*arguments, stdin=stdin)

    assert code == 1
    assert word in err
    assert not secrets.names()


@pytest.mark.parametrize(
    "arguments", [[], ["set"], ["set", "api", CANARY], ["set", "api", "--type", "pin"], ["show", "api"]]
)
def test_wrong_usage_is_no_refusal(run, arguments):
    with pytest.raises(CommandError):
        run(*arguments)


def test_without_keys_the_reason_is_said(run, settings):
    settings.ORCHESTRATOR_SECRET_KEYS = []

    code, _, err = run("set", "api", stdin=CANARY.encode())

    assert code == 1
    assert "SECRET_KEYS_UNUSABLE" in err
    assert keyring.KeysUnusable.code == "SECRET_KEYS_UNUSABLE"
