"""The store: content once for each instance, within quotas, verified when it is read, gone with its instance."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from tests.integration.artifacts.conftest import files, rows
from tests.integration.driver import Driver
from workflows_app.activities import AttemptCancelled
from workflows_app.artifacts import store
from workflows_app.artifacts.of_attempt import AttemptArtifacts
from workflows_app.artifacts.references import Reference
from workflows_app.engine.errors import ActivityError, NotFound, StateForbids
from workflows_app.models import Artifact
from workflows_app.services import instances

DIGEST = hashlib.sha256(b"content").hexdigest()


def keep(instance_id: UUID, content: Any = b"content", name: str = "a.txt", **options: Any) -> Reference:
    return store.store(content, instance_id=instance_id, step="one", name=name, media_type="text/plain", **options)


def read(reference: Reference | dict[str, Any], reader: UUID) -> bytes:
    value = reference.as_dict() if isinstance(reference, Reference) else reference
    return b"".join(store.open(value, reader=reader))


def refused(*given: Any, by: Any = keep, **options: Any) -> ActivityError:
    with pytest.raises(ActivityError) as caught:
        by(*given, **options)
    return caught.value


def test_what_was_kept_is_read_back_by_its_reference(instance: UUID, root: Path) -> None:
    reference = keep(instance)

    assert reference == Reference(digest=DIGEST, instance=instance, size=7, media_type="text/plain", name="a.txt")
    assert read(reference, instance) == b"content"
    assert rows(instance) == [("a.txt", 7, "text/plain", "one")]
    assert files(root) == [DIGEST]


@pytest.mark.parametrize("size", [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**18])
def test_content_of_any_size_comes_back_byte_for_byte(instance: UUID, size: int) -> None:
    content = os.urandom(size)

    assert read(keep(instance, content), instance) == content


def test_the_same_content_is_kept_once_and_each_reference_keeps_its_name(instance: UUID, root: Path) -> None:
    first, second = keep(instance), keep(instance, name="b.txt")

    assert (first.name, second.name) == ("a.txt", "b.txt")
    assert read(second, instance) == read(first, instance) == b"content"
    assert rows(instance) == [("a.txt", 7, "text/plain", "one")]
    assert files(root) == [DIGEST]


HOSTILE = [
    "../../../etc/passwd",
    "/etc/shadow",
    "..",
    "C:\\con",
    "$(reboot)",
    "'; DROP TABLE x --",
    "${ input }",
    "~root",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_data_and_no_part_of_a_path(instance: UUID, root: Path, name: str) -> None:
    reference = keep(instance, name=name)

    assert reference.name == rows(instance)[0][0] == name
    assert files(root.parent) == [DIGEST]


def test_a_hostile_name_with_control_characters_is_refused(instance: UUID, root: Path) -> None:
    assert refused(instance, name="a\r\nX: y").code == "ARTIFACT_INVALID"
    assert refused(instance, name="a\0").code == "ARTIFACT_INVALID"
    assert (rows(instance), root.exists()) == ([], False)


@pytest.mark.parametrize("where", [None, "", "relative"])
def test_an_installation_without_a_place_keeps_nothing(instance: UUID, settings: Any, where: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = where

    error = refused(instance)

    assert (error.code, error.recoverable) == ("ARTIFACTS_NOT_ALLOWED", False)
    assert "ORCHESTRATOR_ARTIFACTS" in error.message


def test_one_artifact_has_a_largest_size(instance: UUID, root: Path, settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACT_MAX_BYTES = 7
    keep(instance, b"content")

    error = refused(instance, b"content!")

    assert (error.code, error.details, error.recoverable) == ("ARTIFACT_TOO_LARGE", {"limit": 7}, False)
    assert files(root) == [DIGEST]


def test_an_instance_has_a_quota_that_repeats_do_not_use_up(
    instance: UUID, other: UUID, root: Path, settings: Any
) -> None:
    settings.ORCHESTRATOR_ARTIFACTS_MAX_BYTES = 10
    keep(instance, b"content")
    keep(instance, b"content")

    error = refused(instance, b"four")

    assert (error.code, error.details) == ("ARTIFACTS_FULL", {"kept": 7, "size": 4, "limit": 10})
    assert error.recoverable is False
    keep(instance, b"has")
    keep(other, b"content")
    assert [size for _, size, *_ in rows(instance)] == [7, 3]
    assert len(files(root)) == 3


def test_a_stop_request_ends_the_writing_and_leaves_nothing(instance: UUID, root: Path) -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise AttemptCancelled("told to stop")

    with pytest.raises(AttemptCancelled):
        keep(instance, iter(lambda: b"x", b""), check=check)

    assert (rows(instance), files(root)) == ([], [])


def test_a_stop_request_ends_the_reading(instance: UUID) -> None:
    reference = keep(instance, b"x" * 2**20).as_dict()

    def check() -> None:
        raise AttemptCancelled("told to stop")

    with pytest.raises(AttemptCancelled):
        AttemptArtifacts(instance_id=instance, step="one", check=check).read(reference)


@pytest.mark.parametrize("damage", [b"c0ntent", b"conten", b"content!", b""], ids=["changed", "cut", "longer", "empty"])
def test_damage_is_found_and_damaged_content_never_arrives_complete(instance: UUID, root: Path, damage: bytes) -> None:
    reference = keep(instance).as_dict()
    place = next(root.rglob(DIGEST))
    place.write_bytes(damage)
    got: list[bytes] = []

    with pytest.raises(ActivityError) as caught:
        got.extend(store.open(reference, reader=instance))

    assert (caught.value.code, caught.value.recoverable, got) == ("ARTIFACT_DAMAGED", False, [])


def test_damage_at_the_end_of_large_content_holds_its_last_piece_back(instance: UUID, root: Path) -> None:
    content = os.urandom(2**20)
    reference = keep(instance, content)
    with next(root.rglob(reference.digest)).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([content[-1] ^ 1]))
    got: list[bytes] = []

    with pytest.raises(ActivityError, match="damaged"):
        got.extend(store.open(reference.as_dict(), reader=instance))

    assert 0 < len(b"".join(got)) < len(content)


def test_writing_again_heals_what_was_damaged_or_lost(instance: UUID, root: Path) -> None:
    reference = keep(instance)
    for lose in (lambda place: place.write_bytes(b"damaged"), lambda place: place.unlink()):
        lose(next(root.rglob(DIGEST)))

        keep(instance)

        assert read(reference, instance) == b"content"


def test_what_a_crash_left_without_a_row_is_not_there_until_it_is_written_again(instance: UUID, root: Path) -> None:
    reference = keep(instance)
    Artifact.objects.all().delete()

    assert refused(reference, instance, by=read).code == "ARTIFACT_NOT_FOUND"
    keep(instance)
    assert read(reference, instance) == b"content"
    assert files(root) == [DIGEST]


def test_a_lost_file_is_not_found(instance: UUID, root: Path) -> None:
    reference = keep(instance)
    next(root.rglob(DIGEST)).unlink()

    assert refused(reference, instance, by=read).code == "ARTIFACT_NOT_FOUND"


def test_an_unknown_content_is_not_found(instance: UUID) -> None:
    unknown = Reference(digest="ab" * 32, instance=instance, size=1, media_type="a/b", name="x")

    assert refused(unknown, instance, by=read).code == "ARTIFACT_NOT_FOUND"


def test_all_of_an_instance_is_deleted_after_its_end(driver: Driver, instance: UUID, other: UUID, root: Path) -> None:
    reference, theirs = keep(instance), keep(other)
    keep(instance, b"more")
    (next(root.rglob(f"{instance}/{DIGEST}")).parent / ("ab" * 32)).write_bytes(b"left by a crash")
    driver.drain()

    assert store.delete_of(instance) == 2

    assert files(root) == [DIGEST]
    assert rows(instance) == []
    assert refused(reference, instance, by=read).code == "ARTIFACT_NOT_FOUND"
    assert read(theirs, other) == b"content"
    assert store.delete_of(instance) == 0


def test_nothing_is_deleted_of_an_instance_that_runs_or_does_not_exist(instance: UUID) -> None:
    reference = keep(instance)

    with pytest.raises(StateForbids) as forbidden:
        store.delete_of(instance)
    with pytest.raises(NotFound) as missing:
        store.delete_of(uuid4())

    assert (forbidden.value.code, missing.value.code) == ("INSTANCE_OPEN", "INSTANCE_NOT_FOUND")
    assert read(reference, instance) == b"content"


def test_an_attempt_that_outlived_its_instance_keeps_nothing(instance: UUID, root: Path) -> None:
    instances.terminate(instance_id=instance, actor="ada", reason="enough")

    assert refused(instance).code == "ARTIFACT_NOT_ALLOWED"
    assert refused(uuid4()).code == "ARTIFACT_NOT_ALLOWED"
    assert files(root) == []


@pytest.mark.parametrize("change", [{"digest": "../x"}, {"digest": "AB" * 32}, {"size": -1}])
def test_the_database_refuses_rows_that_mean_nothing(instance: UUID, change: dict[str, Any]) -> None:
    row = {"instance_id": instance, "digest": DIGEST, "size": 7, "name": "a", "media_type": "a/b", "step": "one"}

    with pytest.raises(IntegrityError), transaction.atomic():
        Artifact.objects.create(**row | change)
