"""Archived instances leave the database, are kept whole outside it, and can be read again; what is altered is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest

from tests.integration.driver import Driver
from tests.integration.test_commands import Shell, shell  # noqa: F401 - a fixture
from workflows_app import failpoints
from workflows_app.archives.faults import ArchiveFault
from workflows_app.artifacts import store
from workflows_app.models import ArchivedInstance, Artifact, AuditEntry, Event, Instance, LogLine
from workflows_app.services import archived, audit, definitions, migrating, purging, retention, verification

pytestmark = pytest.mark.django_db

BELOW = 'workflow: below\nversion: 1.0.0\nsteps: [{id: x, activity: core.echo, with: {text: "ä\\n\\u2028"}}]'
ABOVE = (
    "workflow: above\nversion: 1.0.0\nretention: {keep: 1d, then: archive}\nsteps: [{id: a, call: {workflow: below}}]"
)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """Where archives lie; artifacts have a place of their own."""
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "archive")
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path / "artifacts")
    return tmp_path / "archive"


@pytest.fixture
def above(driver: Driver) -> Instance:
    """An instance that has ended, and another one that it called."""
    definitions.publish(text=BELOW, actor="ada")
    instance = driver.start(ABOVE)
    driver.hand_over()
    store.store(b"a picture", instance_id=instance.pk, step="a", name="p.png", media_type="image/png")
    driver.run(instance)
    said = {"at": driver.now, "level": "info", "logger": "stock", "text": "two boxes"}
    LogLine.objects.create(instance=Instance.objects.get(parent=instance), path="x", number=1, ordinal=1, **said)
    driver.advance(60)
    return Instance.objects.get(pk=instance.pk)


def archive(driver: Driver, place: str = "") -> purging.Purged:
    return purging.purge(before=driver.now, actor="ada", reason="it was long ago", archive=place)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("??/*/*") if path.is_file())


def zips(folder: Path) -> list[Path]:
    return [path for path in files(folder) if path.read_bytes()[:2] == b"PK"]


def test_what_was_archived_reads_as_it_was(driver: Driver, above: Instance, folder: Path) -> None:
    below = Instance.objects.get(parent=above)
    fields = ("sequence", "type", "step", "at", "actor", "data")
    histories = {key: list(Event.objects.filter(instance=key).values(*fields)) for key in (above.pk, below.pk)}

    found = archive(driver)

    assert (found.counts["instance"], Instance.objects.count(), Event.objects.count()) == (2, 0, 0)
    assert Artifact.objects.count() == 0
    (file,) = zips(folder)
    assert b"a picture" in {path.read_bytes() for path in files(folder)}
    entry = AuditEntry.objects.get(sequence=found.checkpoints[0])
    assert entry.data["archives"] == {str(above.pk): file.name}
    assert verification.verify_audit() is None
    assert verification.verify_checkpoints() == []
    for key, history in histories.items():
        row = archived.find(key)
        assert (row.root, row.archived_by, row.digest, row.size) == (above.pk, "ada", file.name, file.stat().st_size)
        with archived.opened(row) as opened:
            assert [{name: getattr(each, name) for name in fields} for each in opened.history(key)] == history
            assert opened.instance(key)["output"] == (above if key == above.pk else below).output
            assert json.loads(opened.definition(key)["document"])["workflow"] == row.workflow
            assert {each["path"] for each in opened.rows(key, "steps")} == ({"a"} if key == above.pk else {"x"})
            assert [each["state"] for each in opened.rows(key, "attempts")] == (
                [] if key == above.pk else ["succeeded"]
            )
            assert [each["text"] for each in opened.rows(key, "loglines")] == ([] if key == above.pk else ["two boxes"])
    with ZipFile(file) as plain:  # any tool opens it
        assert plain.testzip() is None


def test_every_version_that_a_migrated_instance_ran_is_kept(driver: Driver, folder: Path) -> None:
    old = "workflow: w\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}, {id: b, activity: core.echo}]"
    instance = driver.start(old)
    definitions.publish(text=old.replace("1.0.0", "2.0.0"), actor="ada")
    migrating.migrate(instance_id=instance.pk, version="2.0.0", actor="ada", reason="the new tariff")
    driver.run(instance)
    driver.advance(60)

    archive(driver)

    (file,) = zips(folder)
    with ZipFile(file) as plain:
        kept = {name for name in plain.namelist() if name.startswith("definitions/")}
    assert kept == {"definitions/w-1.0.0.json", "definitions/w-2.0.0.json"}
    with archived.opened(archived.find(instance.pk)) as opened:
        assert json.loads(opened.definition(instance.pk)["document"])["version"] == "2.0.0"


def test_a_crash_before_anything_is_deleted_leaves_one_archive_and_no_loss(
    driver: Driver, above: Instance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = failpoints.parse("archive.written=raise")
    with monkeypatch.context() as crash:
        crash.setattr(failpoints, "_ARMED", armed)
        with pytest.raises(failpoints.FailpointError):
            archive(driver)
    assert (Instance.objects.count(), ArchivedInstance.objects.count()) == (2, 0)
    assert not AuditEntry.objects.filter(action="instances.purged").exists()
    (left,) = zips(folder)

    archive(driver)

    assert zips(folder) == [left]
    assert (Instance.objects.count(), ArchivedInstance.objects.count()) == (0, 2)


def test_an_archive_that_does_not_read_back_deletes_nothing(
    driver: Driver, above: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflows_app.artifacts.folders import Folders

    place = Folders.place

    def lying(self: Folders, instance_id: UUID, ready: Any) -> None:
        place(self, instance_id, ready)
        path = self._folder(instance_id) / ready.digest
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(Folders, "place", lying)
    with pytest.raises(ArchiveFault) as fault:
        archive(driver)

    assert fault.value.code == "ARCHIVE_DAMAGED"
    assert (Instance.objects.count(), ArchivedInstance.objects.count()) == (2, 0)


def test_a_history_that_was_altered_is_not_archived_as_if_it_were_sound(driver: Driver, above: Instance) -> None:
    Instance.objects.filter(pk=above.pk).update(head_hash=b"x")

    with pytest.raises(ArchiveFault, match="ends elsewhere"):
        archive(driver)

    Instance.objects.filter(pk=above.pk).update(head_hash=above.head_hash)


def test_whoever_alters_the_file_the_row_or_both_is_found_out(driver: Driver, above: Instance, folder: Path) -> None:
    archive(driver)
    row = archived.find(above.pk)
    (file,) = zips(folder)
    content = file.read_bytes()
    assert archived.fault_of(row) is None

    file.write_bytes(content.replace(b"manifest", b"manifesx"))
    assert "checksum" in str(archived.fault_of(row))
    other = file.with_name("0" * 64)
    other.write_bytes(content)
    row.digest = other.name
    assert "checksum" in str(archived.fault_of(row))
    file.unlink()
    fault = archived.fault_of(row)
    assert fault is not None
    assert fault.code == "ARCHIVE_MISSING"
    file.write_bytes(content)
    row.entry = audit.record(actor="eve", action="x", target="x")
    assert "does not name it" in str(archived.fault_of(row))


def test_retention_archives_where_the_version_says_so(driver: Driver, above: Instance, folder: Path) -> None:
    driver.advance(86_400)

    assert [(each.workflow, each.then) for each in retention.due()] == [("above", "archive")]
    done = retention.enforce()

    assert (done.counts["instance"], ArchivedInstance.objects.count(), len(zips(folder))) == (2, 2, 1)
    assert archived.find(above.pk).archived_by == "retention"


def test_one_that_cannot_be_archived_holds_up_no_other(driver: Driver, above: Instance, folder: Path) -> None:
    sound = driver.start(ABOVE)
    driver.hand_over()
    driver.run(sound)
    driver.advance(86_400 + 60)
    Instance.objects.filter(pk=above.pk).update(head_hash=b"x")

    done = retention.enforce()

    assert set(Instance.objects.filter(parent=None).values_list("pk", flat=True)) == {above.pk}
    assert [key for key, _ in done.failures] == [above.pk]
    assert "ends elsewhere" in done.failures[0][1]
    Instance.objects.filter(pk=above.pk).update(head_hash=above.head_hash)


def test_a_place_that_is_gone_holds_up_no_version_that_needs_none(
    driver: Driver, above: Instance, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_FAILURES", 1)
    (tmp_path / "file").write_text("this is no folder")
    settings.ORCHESTRATOR_ARCHIVE = str(tmp_path / "file")
    driver.run(driver.start("workflow: plain\nversion: 1.0.0\nretention: 1d\nsteps: [{id: a, activity: core.echo}]"))
    driver.advance(86_400 + 60)

    done = retention.enforce()

    assert set(Instance.objects.values_list("workflow", flat=True)) == {"above", "below"}
    assert [key for key, _ in done.failures] == [above.pk]
    assert retention.enforce(but=[above.pk]).failures == ()


@pytest.mark.parametrize("where", [None, "relative/folder"])
def test_without_a_place_nothing_is_archived(
    driver: Driver, above: Instance, settings: Any, tmp_path: Path, where: str | None
) -> None:
    settings.ORCHESTRATOR_ARCHIVE = where

    with pytest.raises(ArchiveFault):
        archive(driver)
    settings.ORCHESTRATOR_ARCHIVE = settings.ORCHESTRATOR_ARTIFACTS
    with pytest.raises(ArchiveFault, match="a place of their own"):
        archive(driver)
    settings.ORCHESTRATOR_FILE_ROOT = str(tmp_path)
    with pytest.raises(ArchiveFault, match="rewritten by steps"):
        archive(driver, str(tmp_path / "elsewhere"))

    assert Instance.objects.count() == 2


def test_a_folder_that_cannot_be_written_is_said(driver: Driver, above: Instance, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no folder")

    with pytest.raises(ArchiveFault, match="cannot be used"):
        archive(driver, str(tmp_path / "file"))

    assert Instance.objects.count() == 2


def test_the_commands(driver: Driver, above: Instance, tmp_path: Path, shell: Shell) -> None:  # noqa: F811
    to = ("--to", str(tmp_path / "elsewhere"), "--before", "2027-01-01")

    code, told = shell.json("workflow", "archive", *to, "--dry-run")
    assert (code, told["instances"], Instance.objects.count()) == (0, 2, 2)
    code, told = shell.json("workflow", "archive", *to, "--reason", "asked to")
    assert (code, told["instances"], Instance.objects.count()) == (0, 2, 0)
    listed = shell.json("workflow", "archived", "list")[1]["instances"]
    assert {each["id"] for each in listed} == {
        str(key) for key in ArchivedInstance.objects.values_list("pk", flat=True)
    }
    assert {each["place"] for each in listed} == {str(tmp_path / "elsewhere")}
    code, shown = shell.json("workflow", "archived", "show", str(above.pk))
    assert (code, shown["workflow"], [each["path"] for each in shown["steps"]]) == (0, "above", ["a"])
    events = shell.json("workflow", "archived", "history", str(above.pk))[1]["events"]
    assert [each["sequence"] for each in events] == list(range(1, above.sequence + 1))
    assert "instance.completed" in shell.run("workflow", "archived", "history", str(above.pk))[1]
    for verb in ("show", "why", "history", "logs", "report"):
        assert shell.run("workflow", verb, str(above.pk))[0] == 1
        assert f"instance {above.pk} was archived" in shell.errors
    assert shell.json("workflow", "archived", "verify") == (0, {"verified": 1, "faults": []})

    zips(tmp_path / "elsewhere")[0].unlink()
    code, told = shell.json("workflow", "archived", "verify")
    assert (code, told["faults"][0]["code"]) == (1, "ARCHIVE_MISSING")
    assert shell.run("workflow", "archived", "show", str(above.pk))[0] == 1
    assert "is not where it was put" in shell.errors
    assert shell.run("workflow", "archived", "show", str(uuid4()))[0] == 1
    assert "there is no archived instance" in shell.errors
