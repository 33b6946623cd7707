"""Artifacts in an S3-compatible store: a server that speaks the protocol over HTTP, as far as we know it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.integration.driver import Driver
from workflows_app.artifacts import objects, store
from workflows_app.artifacts.references import Reference
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Artifact
from workflows_app.running import checkup
from workflows_app.services import archived, purging

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

BUCKET = "kept"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    objects.client.cache_clear()
    server.stop()


@pytest.fixture
def bucket(endpoint: str, root: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings.STATE_DIR = tmp_path / "state"
    settings.ORCHESTRATOR_ARTIFACTS_ENDPOINT = endpoint
    settings.ORCHESTRATOR_ARTIFACTS = f"s3://{BUCKET}/some/prefix"
    client = objects.client(endpoint, os.getpid())
    client.create_bucket(Bucket=BUCKET)
    yield client
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)


def keys(client: Any) -> list[str]:
    return [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def keep(instance_id: UUID, content: bytes = b"content") -> Reference:
    return store.store(content, instance_id=instance_id, step="one", name="../a.txt", media_type="text/plain")


def read(reference: Reference, reader: UUID) -> bytes:
    return b"".join(store.open(reference.as_dict(), reader=reader))


@pytest.mark.parametrize("size", [0, 7, 3_000_000])
def test_content_is_an_object_under_its_instance_by_its_checksum(bucket: Any, instance: UUID, size: int) -> None:
    content = os.urandom(size)

    reference = keep(instance, content)
    keep(instance, content)

    assert keys(bucket) == [f"some/prefix/{instance}/{reference.digest}"]
    assert read(reference, instance) == content
    assert Artifact.objects.filter(instance_id=instance).count() == 1


def test_nothing_stays_behind_on_this_machine(bucket: Any, instance: UUID, tmp_path: Path) -> None:
    keep(instance)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_damage_is_found(bucket: Any, instance: UUID) -> None:
    reference = keep(instance)
    bucket.put_object(Bucket=BUCKET, Key=keys(bucket)[0], Body=b"damaged")

    with pytest.raises(ActivityError) as refused:
        read(reference, instance)

    assert refused.value.code == "ARTIFACT_DAMAGED"


def test_a_lost_object_is_not_found(bucket: Any, instance: UUID) -> None:
    reference = keep(instance)
    bucket.delete_object(Bucket=BUCKET, Key=keys(bucket)[0])

    with pytest.raises(ActivityError) as refused:
        read(reference, instance)

    assert refused.value.code == "ARTIFACT_NOT_FOUND"


def test_all_of_an_instance_is_deleted_and_nothing_of_another(
    bucket: Any, driver: Driver, instance: UUID, other: UUID
) -> None:
    for content in (b"one", b"two", b"three"):
        keep(instance, content)
    theirs = keep(other)
    bucket.put_object(Bucket=BUCKET, Key=f"some/prefix/{instance}/{'ab' * 32}", Body=b"left by a crash")
    driver.drain()

    assert store.delete_of(instance) == 3

    assert keys(bucket) == [f"some/prefix/{other}/{theirs.digest}"]


def test_a_bucket_that_is_not_there_is_said_and_no_row_is_kept(bucket: Any, instance: UUID, settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = "s3://missing-bucket"

    with pytest.raises(ActivityError) as refused:
        keep(instance)

    assert (refused.value.code, refused.value.recoverable) == ("ARTIFACTS_FAILED", True)
    assert "NoSuchBucket" in refused.value.message
    assert not Artifact.objects.exists()
    assert checkup.artifacts().state is checkup.Health.FAILED


def test_a_store_that_does_not_answer_is_worth_another_attempt(bucket: Any, instance: UUID, settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS_ENDPOINT = "http://127.0.0.1:1"

    with pytest.raises(ActivityError) as refused:
        keep(instance)

    assert (refused.value.code, refused.value.recoverable) == ("ARTIFACTS_FAILED", True)
    assert "127.0.0.1" not in refused.value.message
    assert not Artifact.objects.exists()


def test_doctor_asks_the_bucket(bucket: Any) -> None:
    found = checkup.artifacts()

    assert found.state is checkup.Health.OK
    assert "s3://kept/some/prefix/" in found.detail


def test_archives_are_kept_there_and_read_again(bucket: Any, driver: Driver, endpoint: str, settings: Any) -> None:
    settings.ORCHESTRATOR_ARCHIVE, settings.ORCHESTRATOR_ARCHIVE_ENDPOINT = f"s3://{BUCKET}/archive", endpoint
    ended = driver.start("workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]")
    kept = keep(ended.pk)
    driver.run(ended)
    driver.advance(60)

    purging.purge(before=driver.now, actor="ada", archive="")

    row = archived.find(ended.pk)
    assert set(keys(bucket)) == {f"archive/{ended.pk}/{row.digest}", f"archive/{ended.pk}/{kept.digest}"}
    assert archived.fault_of(row) is None
    bucket.put_object(Bucket=BUCKET, Key=f"archive/{ended.pk}/{row.digest}", Body=b"another")
    fault = archived.fault_of(row)
    assert fault is not None
    assert fault.code == "ARCHIVE_DAMAGED"
