"""A process that dies while it archives: nothing is lost, nothing is there twice, and the next one goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.robustness.prompt import Installation
from tests.services.documents import workflow

KEPT = workflow("kept", {"id": "add", "set": {"n": 1}}, variables={"n": 0})


def test_a_process_killed_between_the_archive_and_the_deletion(shell: Installation, tmp_path: Path) -> None:
    shell.publish(KEPT)
    ids = {shell.answer("workflow", "start", "kept")["id"] for _ in range(2)}
    archive = ("workflow", "archive", "--before", "2100-01-01", "--to", str(tmp_path / "cold"))

    died = shell.die(*archive, at="archive.written")

    written = {path: path.read_bytes() for path in (tmp_path / "cold").glob("??/*/*")}
    assert (died, len(written)) == (-signal.SIGKILL, 2)
    assert shell.rows("SELECT count(*) FROM workflows_app_instance") == [(2,)]
    assert shell.answer("workflow", "archived", "list") == {"instances": []}
    assert shell.answer(*archive)["instances"] == 2
    assert {path: path.read_bytes() for path in (tmp_path / "cold").glob("??/*/*")} == written
    assert {each["id"] for each in shell.answer("workflow", "archived", "list")["instances"]} == ids
    assert shell.answer("workflow", "archived", "verify") == {"verified": 2, "faults": []}
    assert shell.answer("audit", "verify")["faults"] == []
