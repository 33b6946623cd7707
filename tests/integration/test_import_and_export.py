"""``workflow import`` and ``export --into``: many definitions at once, all or none, and back to what they were."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.engine.errors import Refused
from workflows_app.models import AuditEntry, Definition, DefinitionVersion
from workflows_app.services import bundles, imports
from workflows_app.services.bundles import Source


def document(name: str, version: str = "1.0.0", **more: Any) -> str:
    steps = [{"id": "a", "activity": "core.echo", "with": {"of": name}}]
    return json.dumps({"workflow": name, "version": version, "steps": steps, **more})


def broken(name: str) -> str:
    return document(name).replace("core.echo", "core.ecko")


def calls(name: str, *others: str) -> str:
    steps = [{"id": f"c{number}", "call": {"workflow": other}} for number, other in enumerate(others)]
    return json.dumps({"workflow": name, "version": "1.0.0", "steps": steps})


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    return {Path(each["file"]).name: each["outcome"] for each in answer["documents"]}


def archive(entries: dict[str, str | bytes], **attributes: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(entry, key, value)
            packed.writestr(entry, text)
    return made.getvalue()


def nothing_is_stored() -> bool:
    return not (Definition.objects.exists() or DefinitionVersion.objects.exists() or AuditEntry.objects.exists())


def test_a_folder_is_published_whole(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "flows"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.yaml").write_text(document("a"))
    (folder / "inner" / "b.json").write_text(document("b"))
    (folder / "README.md").write_text("# not a definition")
    (folder / ".hidden.yaml").write_text("no: definition")

    code, answer = shell.json("workflow", "import", str(folder))

    assert (code, outcomes(answer)) == (0, {"a.yaml": "published", "b.json": "published"})
    assert (answer["stored"], answer["dry_run"]) == (True, False)
    assert DefinitionVersion.objects.count() == 2
    assert outcomes(shell.json("workflow", "import", str(folder))[1]) == {"a.yaml": "unchanged", "b.json": "unchanged"}


def test_one_that_is_refused_holds_all_back_and_each_has_its_result(shell: Shell) -> None:  # noqa: F811
    files = [shell.file(document("a"), "a.json"), shell.file(broken("b"), "b.json"), shell.file("x: [", "c.yaml")]

    code, answer = shell.json("workflow", "import", *files)

    assert (code, answer["stored"]) == (1, False)
    assert outcomes(answer) == {"a.json": "held_back", "b.json": "refused", "c.yaml": "refused"}
    codes = {Path(each["file"]).name: [p["code"] for p in each["problems"]] for each in answer["documents"]}
    assert codes == {"a.json": [], "b.json": ["UNKNOWN_TASK_TYPE"], "c.yaml": ["SYNTAX"]}
    assert nothing_is_stored()
    assert "nothing is published: 2 of 3 cannot be" in shell.run("workflow", "import", *files)[1]


def test_a_dry_run_says_what_would_happen_and_stores_nothing(shell: Shell) -> None:  # noqa: F811
    file = shell.file(document("a"))

    code, text = shell.run("workflow", "import", file, "--dry-run")

    assert (code, "1 of 1 would be published" in text) == (0, True)
    assert shell.json("workflow", "import", file, "--dry-run")[1]["stored"] is False
    assert nothing_is_stored()


def test_versions_of_one_workflow_go_in_together(shell: Shell) -> None:  # noqa: F811
    files = [
        shell.file(document("a", version), f"{n}.json") for n, version in enumerate(("1.10.0", "1.9.0", "1.10.0-rc.1"))
    ]

    _, answer = shell.json("workflow", "import", *files)

    assert [each["version"] for each in answer["documents"]] == ["1.9.0", "1.10.0-rc.1", "1.10.0"]
    assert answer["stored"]


def test_other_content_under_a_published_version_is_refused(shell: Shell) -> None:  # noqa: F811
    assert shell.run("workflow", "publish", shell.file(document("a")))[0] == 0

    code, answer = shell.json("workflow", "import", shell.file(document("a", title="other"), "other.json"))

    assert (code, answer["documents"][0]["problems"][0]["code"]) == (1, "VERSION_EXISTS")
    twice = [shell.file(document("b"), "b1.json"), shell.file(document("b", title="other"), "b2.json")]
    assert outcomes(shell.json("workflow", "import", *twice)[1]) == {"b1.json": "held_back", "b2.json": "refused"}
    assert not Definition.objects.filter(name="b").exists()


def test_who_is_called_goes_first_and_a_circle_is_refused(db: None) -> None:
    texts = {
        "a": calls("a", "b", "c"),
        "b": calls("b", "c"),
        "c": document("c"),
        "x": calls("x", "y"),
        "y": calls("y", "x"),
    }
    sources = [Source(place=name, text=text.encode()) for name, text in texts.items()]

    results = {each.place: each for each in imports.publish_all(sources=sources, actor="ada")}

    assert next(iter(results)) == "c"
    assert [place for place in results if place in "abc"] == ["c", "b", "a"]
    assert {results[place].problems[0].code for place in "xy"} == {"IMPORT_CYCLE"}
    assert nothing_is_stored()


def test_a_caller_of_what_is_refused_is_not_tried(db: None) -> None:
    sources = [Source(place=name, text=text.encode()) for name, text in (("b", calls("b", "a")), ("a", broken("a")))]

    results = {each.place: each.outcome for each in imports.publish_all(sources=sources, actor="ada")}

    assert results == {"a": imports.Outcome.REFUSED, "b": imports.Outcome.NOT_TRIED}


def test_an_archive_is_published(shell: Shell) -> None:  # noqa: F811
    packed = archive({"flows/": "", "flows/a.yaml": document("a"), "b.JSON": document("b"), "notes.txt": "x"})
    file = shell.file(packed, "flows.zip")

    code, answer = shell.json("workflow", "import", file)

    assert (code, answer["stored"]) == (0, True)
    assert [each["file"] for each in answer["documents"]] == [f"{file}:flows/a.yaml", f"{file}:b.JSON"]


@pytest.mark.parametrize(
    "name", ["../a.yaml", "/etc/a.yaml", "x/../../a.yaml", "..\\a.yaml", "C:a.yaml", "../x.txt", "a\x00.yaml"]
)
def test_a_path_that_leads_out_of_the_archive_is_refused(name: str) -> None:
    packed = archive({name.replace("\x00", "?"): document("a")}).replace(b"a?.yaml", b"a\x00.yaml")

    with pytest.raises(Refused) as refused:
        bundles.unpack(packed, name="x.zip", limit_bytes=1000)

    assert refused.value.code == "PATH_REFUSED"


def test_a_link_in_an_archive_is_refused() -> None:
    packed = archive({"a.yaml": "/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16, create_system=3)

    with pytest.raises(Refused) as refused:
        bundles.unpack(packed, name="x.zip", limit_bytes=1000)

    assert refused.value.code == "PATH_REFUSED"


def test_bombs_are_refused_before_they_unpack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "LARGEST_CONTENT", 5_000_000)
    wide = archive({f"{number}.yaml": "x" * 1_000_000 for number in range(20)})
    many = archive({f"{number}.yaml": "" for number in range(1100)})
    crowd = archive({f"{number}.txt": "" for number in range(5100)})
    long = archive({"a.yaml": "x" * 50_000_000})

    for packed in (wide, many, crowd):
        with pytest.raises(Refused) as refused:
            bundles.unpack(packed, name="x.zip", limit_bytes=1_000_000)
        assert refused.value.code == "ARCHIVE_TOO_LARGE"
    (source,) = bundles.unpack(long, name="x.zip", limit_bytes=1_000_000)
    assert len(source.text) == 1_000_001


def test_what_is_no_archive_is_refused(shell: Shell) -> None:  # noqa: F811
    sound = archive({"a.yaml": document("a")})
    for data in (b"", b"PK", b"x" * 1000, sound[:-10], sound[:40] + b"\xff" * 20 + sound[60:]):
        code, _ = shell.json("workflow", "import", shell.file(data, "x.zip"))
        assert code == 1
        assert json.loads(shell.errors)["error"]["code"] in ("ARCHIVE_INVALID", "PATH_REFUSED")
    assert nothing_is_stored()


@pytest.mark.parametrize("entries", [{}, {"README.md": "x"}])
def test_nothing_to_import_is_said(shell: Shell, entries: dict[str, str]) -> None:  # noqa: F811
    assert shell.run("workflow", "import", shell.file(archive(entries), "x.zip")) == (1, "")
    assert "NOTHING_TO_IMPORT" in shell.errors


def test_a_link_in_a_folder_is_refused_and_one_that_is_named_is_followed(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "flows"
    folder.mkdir()
    target = Path(shell.file(document("a"), "target.yaml"))
    (folder / "link.yaml").symlink_to(target)

    assert shell.run("workflow", "import", str(folder))[0] == 1
    assert "PATH_REFUSED" in shell.errors
    assert shell.run("workflow", "import", str(folder / "link.yaml"))[0] == 0
    assert shell.run("workflow", "import", str(tmp_path / "missing"))[0] == 1
    assert "FILE_UNREADABLE" in shell.errors


def test_what_is_exported_is_imported_again_as_the_same(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    files = [
        shell.file(document(*each), f"{each[0]}{each[1]}.json")
        for each in (("a", "1.0.0"), ("a", "1.1.0-rc.1"), ("b", "2.0.0"))
    ]
    assert shell.run("workflow", "import", *files)[0] == 0
    folder = tmp_path / "out"

    code, answer = shell.json("workflow", "export", "--all", "--into", str(folder))

    assert (code, answer["files"]) == (0, ["a-1.0.0.yaml", "a-1.1.0-rc.1.yaml", "b-2.0.0.yaml"])
    _, again = shell.json("workflow", "import", str(folder))
    assert set(outcomes(again).values()) == {"unchanged"}
    assert shell.run("workflow", "export", "--all", "--into", str(folder))[0] == 0


def test_several_are_exported_by_name_and_nothing_is_written_over(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    for name in ("a", "b"):
        assert shell.run("workflow", "publish", shell.file(document(name), f"{name}.json"))[0] == 0
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "b-1.0.0.json").write_text("mine")

    code, _ = shell.run("workflow", "export", "a", "b", "--as", "json", "--into", str(folder))

    assert (code, "FILE_EXISTS" in shell.errors) == (1, True)
    assert [path.name for path in folder.iterdir()] == ["b-1.0.0.json"]
    assert (folder / "b-1.0.0.json").read_text() == "mine"


def test_wrong_usage_exits_2(shell: Shell) -> None:  # noqa: F811
    for arguments in (
        [],
        ["a", "b"],
        ["--all"],
        ["--all", "a", "--into", "x"],
        ["a", "b", "--version", "1.0.0", "--into", "x"],
    ):
        assert shell.run("workflow", "export", *arguments)[0] == 2
    assert shell.run("workflow", "export", "--all", "--into", "x")[0] == 1
