"""Secrets stay where they belong, and no single message, file or link brings an installation down."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import InvalidTaskError

from orchestrator import intake
from orchestrator.celery import app
from tasks import runs, steps
from workflows_app.engine import definition
from workflows_app.engine.verifier import verify
from workflows_app.management import listing
from workflows_app.running import arrangement, folder_broker, postgres, programs

REQUEST = SimpleNamespace(hostname="w", chain=None, chord=None)


@pytest.fixture
def plan(tmp_path: Path) -> arrangement.Arrangement:
    return arrangement.decide(
        {"DATABASE_URL": "postgresql://app:app-pw@db/d", "DATABASE_ADMIN_URL": "postgresql://owner:owner-pw@db/d"},
        base_dir=tmp_path,
        state_dir=tmp_path / "var",
    )


def test_no_process_gets_the_owner_s_address_and_no_secret_stands_in_a_command_line(
    plan: arrangement.Arrangement,
) -> None:
    for program in programs.of(plan, password="canary-password"):
        assert "owner-pw" not in json.dumps(dict(program.environment))
        # Set, although empty: it hides the one that `up` itself was started with.
        assert program.environment["DATABASE_ADMIN_URL"] == ""
        for secret in ("canary-password", "app-pw", "owner-pw"):
            assert secret not in " ".join(program.command)


def test_what_workers_tell_of_their_configuration_holds_celery_s_settings_only() -> None:
    told = app.conf.table(with_defaults=False, censored=True)

    assert not [name for name in told if name.startswith(("ORCHESTRATOR_", "DATABASES", "SECRET", "EMAIL", "AXES"))]


def test_flower_s_figures_are_behind_its_log_in(plan: arrangement.Arrangement) -> None:
    flower = next(program for program in programs.of(plan, password="x") if program.name == "flower")

    assert programs.FLOWER_CONF in flower.command
    assert "authenticated(Metrics.get)" in Path(programs.FLOWER_CONF.partition("=")[2]).read_text()


@pytest.mark.parametrize("payload", [[1], [], 5, None, "x", {}, {"args": []}, [[], [], {}], [{}, {}, {}], [[], {}, 1]])
def test_a_body_that_is_no_call_is_refused_like_an_unknown_task(monkeypatch: pytest.MonkeyPatch, payload: Any) -> None:
    monkeypatch.setattr(intake.usual, "default", lambda *a, **k: pytest.fail)
    take = intake.strategy(None, app, None)

    with pytest.raises(InvalidTaskError):
        take(SimpleNamespace(payload=payload), None, None, None, [])


@pytest.mark.parametrize("problem", [KeyError("id"), TypeError("argument of type 'int' is not iterable")])
def test_headers_that_are_no_call_s_are_refused_too(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def stumble(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr(intake.usual, "default", lambda *a, **k: stumble)

    with pytest.raises(InvalidTaskError):
        intake.strategy(None, app, None)(SimpleNamespace(payload=[[], {}, {}]), None, None, None, [])


def test_every_task_celery_s_own_included_is_let_in_the_same_way() -> None:
    assert {task.Strategy for task in app.tasks.values()} == {"orchestrator.intake:strategy"}


@pytest.mark.parametrize("content", [b"", b"\xff{", b"[1]", b"5", b"{}", b'{"body": "", "properties": {}}'])
def test_a_file_that_is_no_message_is_removed_and_the_next_one_read(tmp_path: Path, content: bytes) -> None:
    channel = folder_broker.Channel.__new__(folder_broker.Channel)
    channel._mailboxes = {}
    folder = tmp_path / "q"
    folder.mkdir()
    good = {"body": "", "properties": {"delivery_tag": "t", "delivery_info": {}}}
    (folder / "0.msg").write_bytes(content)
    (folder / "1.msg").write_text(json.dumps(good))
    type(channel)._folder, kept = (lambda self, queue: folder), type(channel)._folder
    try:
        assert channel._get("q") == good
    finally:
        type(channel)._folder = kept
    assert list(folder.iterdir()) == []


def test_a_generation_that_is_no_number_reaches_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.steps, "claim", pytest.fail)

    steps.run(
        REQUEST,
        {"instance": "9b2f7d0a-3a53-4f5c-9d77-0d4f6a3b1c22", "step": "a", "generation": True},
    )


def test_a_socket_folder_that_is_somebody_s_link_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(target)
    before = target.stat()
    who = postgres.unprivileged.Identity(uid=os.getuid() or 65534, gid=os.getgid() or 65534)

    with pytest.raises(postgres.PostgresError, match="not a folder of its own"):
        postgres.make_private(tmp_path / "link", who)

    after = target.stat()
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)


def test_a_choice_with_thousands_of_branches_is_verified_within_seconds() -> None:
    cases = [{"when": f"input.a == {n}", "steps": [{"id": f"s{n}", "activity": "core.echo"}]} for n in range(3_000)]
    parsed = definition.parse({"workflow": "w", "version": "1.0.0", "steps": [{"id": "c", "choice": cases}]})
    began = time.process_time()

    verify(parsed, activities=None)

    assert time.process_time() - began < 20


def test_what_a_remote_server_said_cannot_steer_the_terminal() -> None:
    text = listing.result(
        {
            "id": "1",
            "workflow": "w",
            "version": "1",
            "state": "failed",
            "cause": None,
            "output": None,
            "error": {"code": "E", "message": "\x1b[2J\r\nfake  completed"},
            "steps": {},
        }
    )

    assert "\x1b" not in text
    assert "\r" not in text
    assert len(text.splitlines()) == 2
    assert "\x1b" not in listing.table([{"error": "\x1b]0;x\x07"}])
