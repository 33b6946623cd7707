"""file.*: a file is there whole or not at all, and what is done again does no harm."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.activities.files import placing, roots
from tests.unit.activities.files.acting import EVERY, Act, names
from workflows_app.activities import ActivityError, AttemptCancelled


def test_a_file_that_exists_is_replaced_only_when_told(
    root: Path, act: Act, refusal: Callable[..., ActivityError]
) -> None:
    (root / "f").write_text("old")

    assert refusal("write", {"path": "f", "content": "new"}).code == "FILE_EXISTS"
    assert (root / "f").read_text() == "old"

    act("write", {"path": "f", "content": "new", "mode": "replace"})
    assert (root / "f").read_text() == "new"
    assert names(root) == ["f"]


def test_a_later_attempt_accepts_what_the_one_before_made_and_nothing_else(
    root: Path, act: Act, refusal: Callable[..., ActivityError]
) -> None:
    first = act("write", {"path": "f", "content": "mine"})

    assert act("write", {"path": "f", "content": "mine"}, attempt=2) == first
    assert refusal("write", {"path": "f", "content": "other"}, attempt=2).code == "FILE_EXISTS"
    assert names(root) == ["f"]


def test_an_attempt_removes_what_a_killed_one_left(root: Path, act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(os, "unlink", lambda *_, **__: None)
        act("write", {"path": "f", "content": "x" * 10})
    (left,) = [name for name in names(root) if name != "f"]
    assert left.startswith(roots.OWN_PREFIX)
    assert [entry["path"] for entry in act("list", {})["files"]] == ["f"]

    act("write", {"path": "f", "content": "x" * 10}, attempt=2)

    assert names(root) == ["f"]


def test_a_stop_in_the_midst_leaves_the_old_file(root: Path, act: Act) -> None:
    (root / "big").write_bytes(b"x" * (3 * placing.CHUNK))
    (root / "f").write_text("old")
    looks = iter([False] * 3)

    with pytest.raises(AttemptCancelled):
        act("copy", {"from": "big", "to": "f", "replace": True}, stop_requested=lambda: next(looks, True))

    assert (root / "f").read_text() == "old"
    assert names(root) == ["big", "f"]


def test_a_full_disk_is_recoverable_and_leaves_the_old_file(
    root: Path, refusal: Callable[..., ActivityError], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "f").write_text("old")

    def full(descriptor: int, content: Any) -> int:
        raise OSError(28, "No space left on device", "/host/path")

    monkeypatch.setattr(os, "write", full)
    errors = [refusal("write", {"path": "f", "content": "new", "mode": mode}) for mode in ("replace", "append")]

    assert [(error.code, error.recoverable) for error in errors] == [("DISK_FULL", True)] * 2
    assert "/host" not in str(errors[0].message)
    assert (root / "f").read_text() == "old"
    assert names(root) == ["f"]


def test_appending_adds_to_the_end_and_writes_the_header_once(root: Path, act: Act) -> None:
    for number in (1, 2):
        result = act("write", {"path": "f.csv", "rows": [{"n": number}], "format": "csv", "mode": "append"})

    assert (root / "f.csv").read_bytes() == b"n\r\n1\r\n2\r\n"
    assert result == {"path": "f.csv", "size": 9}


def test_folders_are_made_only_when_told(root: Path, act: Act, refusal: Callable[..., ActivityError]) -> None:
    assert refusal("write", {"path": "a/b/f", "content": "x"}).code == "FILE_NOT_FOUND"
    assert names(root) == []

    act("write", {"path": "a/b/f", "content": "x", "make_folders": True})

    assert names(root) == ["a", "a/b", "a/b/f"]


def test_listing_tells_files_and_folders_apart_in_order(root: Path, act: Act) -> None:
    (root / "b").mkdir()
    (root / "b" / "two.csv").write_text("22")
    (root / "a.csv").write_text("1")
    (root / "c.txt").write_text("")
    (root / "link.csv").symlink_to("a.csv")
    os.mkfifo(root / "pipe.csv")

    top = act("list", {})
    deep = act("list", {"pattern": "*.csv", "recursive": True})
    inner = act("list", {"path": "b", "limit": 1})
    cut = act("list", {"limit": 2})

    assert [(one["path"], one["size"], one["folder"]) for one in top["files"]] == [
        ("a.csv", 1, False),
        ("b", None, True),
        ("c.txt", 0, False),
    ]
    assert [one["path"] for one in deep["files"]] == ["a.csv", "b/two.csv"]
    assert ([one["path"] for one in inner["files"]], inner["truncated"]) == (["b/two.csv"], False)
    assert (len(cut["files"]), cut["truncated"]) == (2, True)


def test_a_copy_is_whole_and_named_by_its_hash(root: Path, act: Act, refusal: Callable[..., ActivityError]) -> None:
    (root / "f").write_bytes(b"content")

    copied = act("copy", {"from": "f", "to": "new/g"})

    assert copied == {"path": "new/g", "size": 7, "sha256": hashlib.sha256(b"content").hexdigest()}
    assert refusal("copy", {"from": "f", "to": "new/g"}).code == "FILE_EXISTS"
    assert act("copy", {"from": "f", "to": "new/g"}, attempt=2) == copied
    assert refusal("copy", {"from": "f", "to": "f", "replace": True}).code == "FILE_EXISTS"
    assert (root / "f").read_bytes() == b"content"


def test_a_move_may_be_done_again_wherever_it_ended(
    root: Path, act: Act, refusal: Callable[..., ActivityError]
) -> None:
    (root / "f").write_text("x")

    moved = act("move", {"from": "f", "to": "done/f"})
    again = act("move", {"from": "f", "to": "done/f"}, attempt=2)
    os.link(root / "done" / "f", root / "f")  # the attempt died before it took the old name away
    rest = act("move", {"from": "f", "to": "done/f"}, attempt=2)

    assert moved == again == rest == {"path": "done/f", "size": 1}
    assert names(root) == ["done", "done/f"]
    assert refusal("move", {"from": "f", "to": "done/f"}).code == "FILE_NOT_FOUND"


def test_a_move_takes_no_files_place_unless_told(root: Path, act: Act, refusal: Callable[..., ActivityError]) -> None:
    (root / "f").write_text("new")
    (root / "g").write_text("old")

    assert refusal("move", {"from": "f", "to": "g"}).code == "FILE_EXISTS"
    assert (root / "g").read_text() == "old"

    act("move", {"from": "f", "to": "g", "replace": True})
    assert [(path.name, path.read_text()) for path in root.iterdir()] == [("g", "new")]


def test_moving_a_file_that_is_not_there_makes_no_folder(root: Path, refusal: Callable[..., ActivityError]) -> None:
    assert refusal("move", {"from": "f", "to": "new/f"}).code == "FILE_NOT_FOUND"
    assert refusal("copy", {"from": "f", "to": "new/f"}).code == "FILE_NOT_FOUND"
    assert names(root) == []


def test_deleting_again_is_done(root: Path, act: Act, refusal: Callable[..., ActivityError]) -> None:
    (root / "f").write_text("x")

    assert act("delete", {"path": "f"}) == {"path": "f", "deleted": True}
    assert act("delete", {"path": "f"}, attempt=2) == {"path": "f", "deleted": False}
    assert act("delete", {"path": "f", "missing_ok": True}) == {"path": "f", "deleted": False}
    assert refusal("delete", {"path": "f"}).code == "FILE_NOT_FOUND"


@pytest.mark.parametrize(
    ("name", "parameters"), [each for each in EVERY if each[0] != "list"], ids=lambda part: str(part)[:9]
)
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_plain_files_are_touched_and_no_pipe_is_waited_for(
    root: Path, refusal: Callable[..., ActivityError], name: str, parameters: Callable[[str], Any], kind: str
) -> None:
    (root / "here.txt").write_text("here")
    if kind == "folder":
        (root / "it").mkdir()
    else:
        os.mkfifo(root / "it")

    assert refusal(name, parameters("it")).code == "NOT_A_FILE"
    assert names(root) == ["here.txt", "it"]


def test_a_path_through_a_file_is_refused(root: Path, refusal: Callable[..., ActivityError]) -> None:
    (root / "f").write_text("x")

    assert refusal("read", {"path": "f/g"}).code == "NOT_A_FOLDER"
    assert refusal("list", {"path": "f"}).code == "NOT_A_FOLDER"


def test_base64_carries_any_byte(root: Path, act: Act) -> None:
    raw = bytes(range(256))

    act("write", {"path": "f", "content": base64.b64encode(raw).decode(), "format": "base64"})

    assert (root / "f").read_bytes() == raw
