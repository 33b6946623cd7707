"""file.*: no path leaves the allowed folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.activities.files import placing, roots
from tests.unit.activities.files.acting import EVERY, Act, names
from workflows_app.activities import ActivityError

OUTSIDE = [
    "../outside/secret.txt",
    "a/../../outside/secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "C:/secret.txt",
    "c:secret.txt",
    "..\\outside\\secret.txt",
    "a\x00b",
    "a\nb",
    "./a",
    "a//b",
    "a/",
    "..",
    "a/.",
    ".orchestrator-x",
    "n" * 256,
    "/".join("a" * 65),
    "link/secret.txt",
    "in/link.txt",
    "loop",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: repr(path[:30]))
@pytest.mark.parametrize(("name", "parameters"), EVERY, ids=lambda part: part if isinstance(part, str) else "")
def test_no_path_leads_out_of_the_folder(
    root: Path, refusal: Callable[..., ActivityError], name: str, parameters: Callable[[str], Any], path: str
) -> None:
    outside = root.parent / "outside"
    (root / "here.txt").write_text("here")
    (root / "in").mkdir()
    (root / "link").symlink_to(outside)
    (root / "in" / "link.txt").symlink_to(outside / "secret.txt")
    (root / "loop").symlink_to("loop")
    before = names(root)

    error = refusal(name, parameters(path))

    assert (error.code, error.recoverable) == ("PATH_NOT_ALLOWED", False)
    assert str(root.parent) not in f"{error.message} {error.details}"
    assert [(one.name, one.read_text()) for one in outside.iterdir()] == [("secret.txt", "canary")]
    assert names(root) == before


def test_a_folder_swapped_for_a_link_while_a_path_is_walked_is_refused(
    root: Path, refusal: Callable[..., ActivityError], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "secret.txt").write_text("inside")
    enter = roots._enter

    def swap(name: str, folder: int, *, make: bool) -> int:
        if name == "b":
            (root / "a" / "b").rename(root / "a" / "was")
            (root / "a" / "b").symlink_to(root.parent / "outside")
        return enter(name, folder, make=make)

    monkeypatch.setattr(roots, "_enter", swap)

    assert refusal("read", {"path": "a/b/secret.txt"}).code == "PATH_NOT_ALLOWED"


def test_a_folder_swapped_for_a_link_after_it_was_opened_is_still_the_one_that_was_opened(
    root: Path, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    write = placing._write

    def swap(*arguments: Any) -> Any:
        (root / "a").rename(root / "was")
        (root / "a").symlink_to(root.parent / "outside")
        return write(*arguments)

    monkeypatch.setattr(placing, "_write", swap)

    act("write", {"path": "a/secret.txt", "content": "mine", "mode": "replace"})

    assert (root / "was" / "secret.txt").read_text() == "mine"
    assert (root.parent / "outside" / "secret.txt").read_text() == "canary"


def test_without_a_folder_files_are_refused_and_the_setting_named(
    act: Act, refusal: Callable[..., ActivityError], settings: Any
) -> None:
    settings.ORCHESTRATOR_FILE_ROOT = None

    for name, parameters in EVERY:
        error = refusal(name, parameters("a.txt"))
        assert (error.code, error.recoverable) == ("FILES_NOT_ALLOWED", False)
        assert "ORCHESTRATOR_FILE_ROOT" in error.message


def test_a_folder_that_is_not_there_is_not_made(
    root: Path, refusal: Callable[..., ActivityError], settings: Any
) -> None:
    settings.ORCHESTRATOR_FILE_ROOT = str(root / "unmounted")

    error = refusal("write", {"path": "a.txt", "content": "x"})

    assert error.code == "FILES_NOT_ALLOWED"
    assert names(root) == []


def test_the_embedded_default_is_made_at_its_first_use(root: Path, act: Act, settings: Any) -> None:
    settings.STATE_DIR = root / "state"
    settings.ORCHESTRATOR_FILE_ROOT = str(root / "state" / "files")

    act("write", {"path": "a.txt", "content": "x"})

    assert (root / "state" / "files" / "a.txt").read_text() == "x"
