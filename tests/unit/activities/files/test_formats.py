"""file.*: what is written in a format is read back, and what does not suit it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.activities.files.acting import Act, names
from workflows_app.activities import ActivityError


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
