"""file.*: formats, whole or nothing, repeats, and that no path leaves the allowed folder."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.activities import files  # noqa: F401
from tasks.activities.files import placing, roots
from workflows_app.activities import ActivityContext, ActivityError, AttemptCancelled, registry

Act = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("canary")
    settings.ORCHESTRATOR_FILE_ROOT = str(folder)
    return folder


@pytest.fixture
def act(root: Path, attempt: Callable[..., ActivityContext]) -> Act:
    def perform(name: str, parameters: dict[str, Any], **context: Any) -> Any:
        return registry.get(f"file.{name}").perform(parameters, attempt(**context))

    return perform


@pytest.fixture
def refusal(act: Act) -> Callable[..., ActivityError]:
    def perform(name: str, parameters: dict[str, Any], **context: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            act(name, parameters, **context)
        return caught.value

    return perform


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


# ---------------------------------------------------------------- where


EVERY = [
    ("read", lambda path: {"path": path}),
    ("write", lambda path: {"path": path, "content": "x", "mode": "replace", "make_folders": True}),
    ("write", lambda path: {"path": path, "content": "x", "mode": "append"}),
    ("list", lambda path: {"path": path}),
    ("copy", lambda path: {"from": "here.txt", "to": path, "replace": True}),
    ("copy", lambda path: {"from": path, "to": "there.txt"}),
    ("move", lambda path: {"from": "here.txt", "to": path, "replace": True}),
    ("move", lambda path: {"from": path, "to": "there.txt"}),
    ("delete", lambda path: {"path": path}),
]
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


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("parameters", "raw", "back"),
    [
        ({"content": "Grüße\r\n"}, "Grüße\r\n".encode(), {"content": "Grüße\r\n"}),
        ({"content": "Grüße", "encoding": "windows-1252"}, b"Gr\xfc\xdfe", {"content": "Grüße"}),
        (
            {"content": {"a": [1, None]}, "format": "json"},
            b'{\n  "a": [\n    1,\n    null\n  ]\n}\n',
            {"content": {"a": [1, None]}},
        ),
        ({"content": None, "format": "json"}, b"null\n", {"content": None}),
        ({"content": "AP8=", "format": "base64"}, b"\x00\xff", {"content": "AP8="}),
        (
            {"rows": [{"a": 1, "b": 'x,"y"\nz'}, {"a": True, "b": None}], "format": "csv"},
            b'a,b\r\n1,"x,""y""\nz"\r\ntrue,\r\n',
            {"rows": [{"a": "1", "b": 'x,"y"\nz'}, {"a": "true", "b": ""}], "row_count": 2, "next_offset": None},
        ),
        (
            {"rows": [{"a": 1, "b": 2}], "format": "csv", "delimiter": ";", "columns": ["b", "a"]},
            b"b;a\r\n2;1\r\n",
            {"rows": [{"b": "2", "a": "1"}], "row_count": 1, "next_offset": None},
        ),
        (
            {"rows": [{"a": {"b": "ü"}}, {}], "format": "jsonl"},
            '{"a": {"b": "ü"}}\n{}\n'.encode(),
            {"rows": [{"a": {"b": "ü"}}, {}], "row_count": 2, "next_offset": None},
        ),
        ({"rows": [], "format": "csv"}, b"", {"rows": [], "row_count": 0, "next_offset": None}),
    ],
)
def test_what_is_written_is_read_back(root: Path, act: Act, parameters: dict[str, Any], raw: bytes, back: Any) -> None:
    written = act("write", {"path": "f", **parameters})
    options = {key: parameters[key] for key in ("format", "encoding", "delimiter") if key in parameters}
    read = act("read", {"path": "f", **options})

    assert (root / "f").read_bytes() == raw
    assert written == {"path": "f", "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    assert {key: read[key] for key in back} == back
    assert (read["size"], read["modified_at"][-1]) == (len(raw), "Z")


def test_rows_of_a_file_are_read_page_by_page(root: Path, act: Act) -> None:
    (root / "f.csv").write_text("\ufeffn\n" + "".join(f"{number}\n" for number in range(7)), encoding="utf-8")
    seen: list[str] = []
    offset: int | None = 0

    while offset is not None:
        page = act("read", {"path": "f.csv", "format": "csv", "offset": offset, "limit": 3})
        seen += [row["n"] for row in page["rows"]]
        offset = page["next_offset"]

    assert seen == [str(number) for number in range(7)]


@pytest.mark.parametrize(
    ("kind", "raw", "code", "line"),
    [
        ("text", b"\xff\xfe", "FILE_NOT_TEXT", None),
        ("text", b"a\x00b", "FILE_NOT_TEXT", None),
        ("csv", b"a\n\xff\n", "FILE_NOT_TEXT", None),
        ("csv", b"a\nb\x00\n", "FILE_NOT_TEXT", None),
        ("json", b'{\n"a": oops}', "FORMAT_INVALID", 2),
        ("json", b"[NaN]", "FORMAT_INVALID", 1),
        ("json", b"[" * 100_000, "FORMAT_INVALID", 1),
        ("json", b"[18446744073709551616]", "FORMAT_INVALID", 1),
        ("jsonl", b'{}\n{"a"\n', "FORMAT_INVALID", 2),
        ("csv", b"a,b\n1,2\n3\n", "FORMAT_INVALID", 3),
        ("csv", b"a,a\n1,2\n", "FORMAT_INVALID", 1),
        ("csv", b'a\n"b"c\n', "FORMAT_INVALID", 2),
    ],
)
def test_content_that_is_not_in_its_format_names_the_line(
    root: Path, refusal: Callable[..., ActivityError], kind: str, raw: bytes, code: str, line: int | None
) -> None:
    (root / "f").write_bytes(raw)

    error = refusal("read", {"path": "f", "format": kind})

    assert (error.code, error.recoverable, error.details.get("line")) == (code, False, line)


@pytest.mark.parametrize(
    ("parameters", "raw"),
    [
        ({}, b"x" * 3_001),
        ({"max_bytes": 10}, b"x" * 11),
        ({"format": "base64"}, b"x" * 2_000),
        ({"format": "csv"}, b"a\n" + b"x" * 4_000),
        ({"format": "jsonl"}, b'{"a": "0123456789"}\n' * 400),
        ({"format": "csv"}, b"a\n" + b'"x\n' + b'","\n' * 2_000),
    ],
)
def test_more_than_a_result_may_hold_is_refused(
    root: Path, refusal: Callable[..., ActivityError], settings: Any, parameters: dict[str, Any], raw: bytes
) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 3_000
    (root / "f").write_bytes(raw)

    error = refusal("read", {"path": "f", **parameters})

    assert (error.code, error.recoverable) == ("FILE_TOO_LARGE", False)


@pytest.mark.parametrize(
    "parameters",
    [
        {"content": {"a": 1}},
        {"content": "not base64", "format": "base64"},
        {"content": "€", "encoding": "iso-8859-1"},
        {"content": "x", "format": "csv"},
        {"rows": [], "format": "text"},
        {"rows": [{"a": [1]}], "format": "csv"},
        {"rows": [{"a": 1}, {"b": 1}], "format": "csv", "columns": ["a"]},
        {},
    ],
)
def test_content_that_does_not_suit_its_format_leaves_no_file(
    root: Path, refusal: Callable[..., ActivityError], parameters: dict[str, Any]
) -> None:
    error = refusal("write", {"path": "f", **parameters})

    assert (error.code, error.recoverable) == ("INVALID_PARAMETERS", False)
    assert names(root) == []


# ---------------------------------------------------------------- what stands there


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
