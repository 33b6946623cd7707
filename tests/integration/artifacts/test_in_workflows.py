"""Artifacts in workflows: own activities, http.request and file.*; references travel, content does not."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.artifacts import steps  # noqa: F401
from tests.integration.artifacts.conftest import Worker, files, rows
from tests.integration.engine.outcomes import flow
from workflows_app.artifacts import references
from workflows_app.models import Attempt, Event, Instance, Step

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf; x=y\r\n"


def outputs(instance: Instance) -> dict[str, Any]:
    return dict(Step.objects.filter(instance=instance).values_list("path", "output"))


def error(instance: Instance, path: str) -> dict[str, Any]:
    return Step.objects.get(instance=instance, path=path).error


def get(site: Site, path: str, extra: str = "") -> str:
    return flow(
        f"  - id: get\n    activity: http.request\n    with: {{url: '{site.url}{path}', save: true{extra}}}",
        head="on_failure: stop",
    )


def test_a_reference_travels_from_step_to_step_and_content_stays_out_of_the_database(worker: Worker) -> None:
    document = flow(
        """
  - {id: keep, activity: test.keep, with: {text: "a large canary"}}
  - {id: fetch, activity: test.fetch, with: {artifact: "${ steps.keep.output.artifact }"}}
""",
        head='output: {file: "${ steps.keep.output.artifact }"}',
    )

    instance = worker.start(document)
    view = worker.run(instance)

    assert view["state"] == "completed"
    assert outputs(instance)["fetch"] == {"text": "a large canary"}
    assert references.parse(view["output"]["file"]).name == "text.txt"
    assert rows(instance.pk) == [("text.txt", 14, "text/plain", "keep")]
    written = Event.objects.get(instance=instance, type="step.completed", step="keep").data
    assert "canary" not in json.dumps(written)


def test_an_attempt_that_fails_after_it_wrote_leaves_what_the_next_one_uses(worker: Worker, root: Path) -> None:
    instance = worker.start(
        flow("  - {id: keep, activity: test.keep, with: {text: once, fails_until: 2}, retry: {max_attempts: 2}}")
    )

    assert worker.run(instance)["state"] == "completed"

    assert Attempt.objects.filter(instance=instance).count() == 2
    assert len(files(root)) == len(rows(instance.pk)) == 1


def test_another_workflow_reads_it_when_it_gets_the_reference_as_input(worker: Worker) -> None:
    kept = worker.run(
        worker.start(
            flow(
                "  - {id: keep, activity: test.keep, with: {text: shared}}",
                head='output: {file: "${ steps.keep.output.artifact }"}',
            )
        )
    )
    reader = worker.start(
        flow('  - {id: fetch, activity: test.fetch, with: {artifact: "${ input.file }"}}', name="reader"),
        {"file": kept["output"]["file"]},
    )

    worker.run(reader)

    assert outputs(reader)["fetch"] == {"text": "shared"}


def test_a_step_that_is_refused_says_why(worker: Worker) -> None:
    instance = worker.start(flow("  - {id: fetch, activity: test.fetch, with: {artifact: 7}}", head="on_failure: stop"))

    assert worker.run(instance)["state"] == "failed"
    assert error(instance, "fetch")["code"] == "ARTIFACT_INVALID"
    assert error(instance, "fetch")["recoverable"] is False


# ---------------------------------------------------------------- http.request


def test_an_answer_is_kept_in_the_place_of_json_and_text(worker: Worker, site: Site, root: Path) -> None:
    site.answers("/reports/May%202026.json", body=b'{"a": 1}', Content_Type="application/json")

    instance = worker.start(get(site, "/reports/May%202026.json"))
    worker.run(instance)

    output = outputs(instance)["get"]
    assert set(output) == {"status", "headers", "artifact"}
    assert (output["status"], output["headers"]["content-type"]) == (200, "application/json")
    assert output["artifact"]["name"] == "May 2026.json"
    assert output["artifact"]["media_type"] == "application/json"
    assert next(root.rglob(hashlib.sha256(b'{"a": 1}').hexdigest())).read_bytes() == b'{"a": 1}'


def test_fifty_megabytes_pass_through_in_bounded_memory(worker: Worker, site: Site, root: Path, settings: Any) -> None:
    piece, count = os.urandom(500_000), 100
    seen = hashlib.sha256()
    for _ in range(count):
        seen.update(piece)

    def body() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: %d\r\n\r\n" % (len(piece) * count)
        for _ in range(count):
            yield piece

    site.writes("/large.pdf", body)
    instance = worker.start(get(site, "/large.pdf", ", timeout: 2m"))
    tracemalloc.start()
    try:
        worker.run(instance)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    artifact = outputs(instance)["get"]["artifact"]
    assert artifact["size"] == 50_000_000
    assert artifact["$artifact"] == f"sha256:{seen.hexdigest()}"
    assert next(root.rglob(seen.hexdigest())).stat().st_size == 50_000_000
    assert peak < 10_000_000
    assert outputs(instance)["get"].keys() == {"status", "headers", "artifact"}


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
    ],
    ids=["gzip", "deflate", "raw deflate"],
)
def test_a_packed_answer_is_unpacked_on_the_way(worker: Worker, site: Site, encoding: str, pack: Any) -> None:
    content = os.urandom(300_000) + b"a" * 3_000_000
    site.answers("/x", body=pack(content), Content_Encoding=encoding)

    instance = worker.start(get(site, "/x"))
    worker.run(instance)

    assert outputs(instance)["get"]["artifact"]["$artifact"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_packed_bomb_is_left_at_the_limit_in_bounded_memory(
    worker: Worker, site: Site, root: Path, settings: Any
) -> None:
    settings.ORCHESTRATOR_ARTIFACT_MAX_BYTES = 3_000_000
    bomb = gzip.compress(bytes(200_000_000))
    site.answers("/bomb", body=bomb, Content_Encoding="gzip")
    instance = worker.start(get(site, "/bomb"))
    tracemalloc.start()
    try:
        worker.run(instance)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert error(instance, "get")["code"] == "ARTIFACT_TOO_LARGE"
    assert peak < 10_000_000
    assert files(root) == []


@pytest.mark.parametrize("body", [gzip.compress(b"x" * 1000)[:-9], b"no gzip at all"], ids=["cut", "none"])
def test_a_packed_answer_that_is_broken_keeps_nothing(worker: Worker, site: Site, root: Path, body: bytes) -> None:
    site.answers("/x", body=body, Content_Encoding="gzip")

    instance = worker.start(get(site, "/x"))
    worker.run(instance)

    assert error(instance, "get")["code"] == "ANSWER_UNUSABLE"
    assert (files(root), rows(instance.pk)) == ([], [])


def test_an_answer_that_says_it_is_too_large_is_not_even_read(
    worker: Worker, site: Site, root: Path, settings: Any
) -> None:
    settings.ORCHESTRATOR_ARTIFACT_MAX_BYTES = 1_000
    site.writes("/x", lambda: iter([HEAD + b"Content-Length: 1001\r\n\r\n"]))

    instance = worker.start(get(site, "/x"))
    worker.run(instance)

    assert error(instance, "get")["code"] == "ARTIFACT_TOO_LARGE"
    assert error(instance, "get")["details"] == {"status": 200, "limit": 1_000}
    assert files(root) == []


def test_an_answer_that_breaks_off_keeps_nothing(worker: Worker, site: Site, root: Path) -> None:
    site.writes("/x", lambda: iter([HEAD + b"Content-Length: 100\r\n\r\nbegun"]))

    instance = worker.start(get(site, "/x"))
    worker.run(instance)

    assert error(instance, "get")["code"] == "HTTP_NO_ANSWER"
    assert (files(root), rows(instance.pk)) == ([], [])


def test_a_refusal_is_quoted_as_ever_and_keeps_nothing(worker: Worker, site: Site, root: Path) -> None:
    site.answers("/x", status=409, body=b'{"message": "sold out"}', Content_Type="application/json")

    instance = worker.start(get(site, "/x"))
    worker.run(instance)

    found = error(instance, "get")
    assert (found["code"], found["details"]["json"]) == ("HTTP_ERROR", {"message": "sold out"})
    assert root.exists() is False


def test_a_change_whose_answer_cannot_be_kept_has_an_unknown_effect(worker: Worker, site: Site, settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS_MAX_BYTES = 3
    site.answers("/x", body=b"four")

    instance = worker.start(get(site, "/x", ", method: POST"))
    worker.run(instance)

    found = error(instance, "get")
    assert (found["code"], found["details"]["effect"], found["details"]["status"]) == ("ARTIFACTS_FULL", "unknown", 200)


@pytest.mark.parametrize("path", ["/..%2f..%2fetc%2fpasswd", "/a%0d%0aX:%20y", "/%00", "/" + "x" * 300, "/"])
def test_an_address_with_a_hostile_name_becomes_a_harmless_one(
    worker: Worker, site: Site, root: Path, path: str
) -> None:
    site.answers(path, body=b"content", Content_Type="nonsense")

    instance = worker.start(get(site, path))
    worker.run(instance)

    artifact = outputs(instance)["get"]["artifact"]
    assert artifact["name"].isprintable()
    assert 0 < len(artifact["name"]) <= 255
    assert artifact["media_type"] == "application/octet-stream"
    assert files(root) == [hashlib.sha256(b"content").hexdigest()]


# ---------------------------------------------------------------- files


COPY = """
  - {id: take, activity: file.read, with: {path: in/data.bin, format: artifact}}
  - id: put
    activity: file.write
    with: {path: out/copy.bin, format: artifact, content: "${ steps.take.output.artifact }", make_folders: true}
"""


def test_a_file_becomes_an_artifact_and_an_artifact_a_file(worker: Worker, file_root: Path) -> None:
    content = os.urandom(3_000_000)
    (file_root / "in").mkdir()
    (file_root / "in" / "data.bin").write_bytes(content)

    instance = worker.start(flow(COPY))
    worker.run(instance)

    taken, put = outputs(instance)["take"], outputs(instance)["put"]
    assert set(taken) == {"path", "size", "modified_at", "artifact"}
    assert (taken["size"], taken["artifact"]["name"]) == (3_000_000, "data.bin")
    assert put == {"path": "out/copy.bin", "size": 3_000_000, "sha256": hashlib.sha256(content).hexdigest()}
    assert (file_root / "out" / "copy.bin").read_bytes() == content


def test_a_damaged_artifact_becomes_no_file(worker: Worker, file_root: Path, root: Path) -> None:
    (file_root / "in").mkdir()
    (file_root / "in" / "data.bin").write_bytes(b"content" * 100_000)
    instance = worker.start(flow(COPY, head="on_failure: stop"))
    claim = worker.claim_next(instance.pk)
    assert claim is not None
    worker.work(claim)
    kept = next(path for path in root.rglob("*") if path.is_file())
    kept.write_bytes(b"damaged" * 100_000)

    worker.run(instance)

    assert error(instance, "put")["code"] == "ARTIFACT_DAMAGED"
    assert files(file_root / "out") == []


def test_a_file_that_is_too_large_is_not_kept(worker: Worker, file_root: Path, root: Path) -> None:
    (file_root / "data.txt").write_bytes(b"x" * 11)
    instance = worker.start(
        flow(
            "  - {id: take, activity: file.read, with: {path: data.txt, format: artifact, max_bytes: 10}}",
            head="on_failure: stop",
        )
    )

    worker.run(instance)

    assert error(instance, "take")["code"] == "FILE_TOO_LARGE"
    assert files(root) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [("{mode: append, content: {x: 1}}", "INVALID_PARAMETERS"), ("{content: text}", "ARTIFACT_INVALID")],
)
def test_a_file_is_made_of_a_whole_artifact_only(worker: Worker, file_root: Path, content: str, code: str) -> None:
    instance = worker.start(
        flow(
            f"  - {{id: put, activity: file.write, with: {{path: x.bin, format: artifact, {content[1:-1]}}}}}",
            head="on_failure: stop",
        )
    )

    worker.run(instance)

    assert error(instance, "put")["code"] == code
    assert files(file_root) == []
