"""Artifacts on a file system: whole or not at all, by digest below the instance's folder, and nowhere else."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from workflows_app.artifacts import staging
from workflows_app.artifacts.folders import Folders
from workflows_app.engine.errors import ActivityError

INSTANCE = UUID("11111111-2222-3333-4444-555555555555")
DIGEST = hashlib.sha256(b"content").hexdigest()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def keep(folders: Folders, content: staging.Content, *, limit: int = 100) -> staging.Staged:
    with staging.staged(folders.staging, staging.pieces(content), limit=limit) as ready:
        folders.place(INSTANCE, ready)
    return ready


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet"


@pytest.mark.parametrize(
    "content",
    [b"content", bytearray(b"content"), memoryview(b"content"), io.BytesIO(b"content"), [b"con", b"", b"tent"]],
    ids=["bytes", "bytearray", "memoryview", "file", "pieces"],
)
def test_content_lies_under_its_instance_by_its_checksum(root: Path, content: staging.Content) -> None:
    kept = keep(Folders(root), content)

    assert (kept.digest, kept.size) == (DIGEST, 7)
    assert files(root) == [f"11/{INSTANCE}/{DIGEST}"]
    with Folders(root).open(INSTANCE, DIGEST) as file:
        assert file.read() == b"content"


def test_empty_content_is_content(root: Path) -> None:
    assert keep(Folders(root), b"").size == 0
    assert len(files(root)) == 1


def test_text_is_refused_as_nobody_said_its_encoding(root: Path) -> None:
    with pytest.raises(TypeError, match="encode it"):
        keep(Folders(root), "content")  # type: ignore[arg-type]


def test_nothing_is_left_of_content_that_breaks_off(root: Path) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"con"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(Folders(root), breaks())

    assert files(root) == []


def test_content_beyond_the_limit_is_left_at_once(root: Path) -> None:
    asked: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            asked.append(1)
            yield b"x" * 60

    with pytest.raises(ActivityError) as refused:
        keep(Folders(root), endless())

    assert (refused.value.code, len(asked)) == ("ARTIFACT_TOO_LARGE", 2)
    assert files(root) == []


def test_content_again_takes_the_place_of_what_was_damaged(root: Path) -> None:
    keep(Folders(root), b"content")
    (root / "11" / str(INSTANCE) / DIGEST).write_bytes(b"damaged")

    keep(Folders(root), b"content")

    assert (root / "11" / str(INSTANCE) / DIGEST).read_bytes() == b"content"


@pytest.mark.parametrize("digest", ["../../secret", "..", "", DIGEST.upper(), DIGEST + "/x", f"{DIGEST}\0"])
def test_what_is_no_checksum_opens_nothing(root: Path, digest: str) -> None:
    keep(Folders(root), b"content")
    (root / "secret").write_bytes(b"canary")

    with pytest.raises(ActivityError) as refused:
        Folders(root).open(INSTANCE, digest)

    assert refused.value.code == "ARTIFACT_NOT_FOUND"


def test_a_link_in_the_place_of_content_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"canary")
    keep(Folders(root), b"content")
    place = root / "11" / str(INSTANCE) / DIGEST
    place.unlink()
    place.symlink_to(tmp_path / "secret")

    with pytest.raises(ActivityError) as refused:
        Folders(root).open(INSTANCE, DIGEST)

    assert refused.value.code == "ARTIFACTS_FAILED"
    assert str(tmp_path) not in refused.value.message


def test_all_of_one_instance_is_removed_and_nothing_of_another(root: Path) -> None:
    folders, other = Folders(root), uuid4()
    keep(folders, b"content")
    with staging.staged(folders.staging, [b"other"], limit=100) as ready:
        folders.place(other, ready)

    folders.remove_all(INSTANCE)
    folders.remove_all(INSTANCE)

    assert [Path(name).parts[1] for name in files(root)] == [str(other)]


def test_what_a_dead_process_left_half_written_is_removed_after_a_day(root: Path) -> None:
    folders = Folders(root)
    folders.staging.mkdir(parents=True)
    old, fresh = folders.staging / "old", folders.staging / "fresh"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    a_day_ago = fresh.stat().st_mtime - staging.ABANDONED_SECONDS - 60
    os.utime(old, (a_day_ago, a_day_ago))

    keep(folders, b"content")

    assert fresh.exists()
    assert not old.exists()


def test_a_root_that_is_a_file_is_said_and_named_to_no_step(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    folders = Folders(tmp_path / "root")

    with pytest.raises(ActivityError) as refused:
        keep(folders, b"content")

    assert (refused.value.code, refused.value.recoverable) == ("ARTIFACTS_FAILED", True)
    assert str(tmp_path) not in refused.value.message
    assert folders.problem() == f"{tmp_path / 'root'} is no folder"
    assert Folders(tmp_path / "new" / "folder").problem() is None
