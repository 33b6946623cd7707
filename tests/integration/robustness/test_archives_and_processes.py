"""A process that dies while it archives: nothing is lost, nothing is there twice, and the next one goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.robustness.test_calls_and_processes import Shell, shell  # noqa: F401 - a fixture

DOCUMENT = "workflow: kept\nversion: 1.0.0\nvariables: {n: 0}\nsteps: [{id: add, set: {n: 1}}]"


def test_a_process_killed_between_the_archive_and_the_deletion(shell: Shell, tmp_path: Path) -> None:  # noqa: F811
    shell.migrate()
    shell.answer("workflow", "publish", "-", text=DOCUMENT)
    ids = {shell.answer("workflow", "start", "kept")["id"] for _ in range(2)}
    archive = ("workflow", "archive", "--before", "2100-01-01", "--to", str(tmp_path / "cold"))

    died = shell.run(*archive, ORCHESTRATOR_FAILPOINTS="archive.written=kill")

    written = {path: path.read_bytes() for path in (tmp_path / "cold").glob("??/*/*")}
    assert (died.returncode, len(written)) == (-signal.SIGKILL, 2)
    assert shell.rows("SELECT count(*) FROM workflows_app_instance") == [(2,)]
    assert shell.answer("workflow", "archived", "list") == {"instances": []}
    assert shell.answer(*archive)["instances"] == 2
    assert {path: path.read_bytes() for path in (tmp_path / "cold").glob("??/*/*")} == written
    assert {each["id"] for each in shell.answer("workflow", "archived", "list")["instances"]} == ids
    assert shell.answer("workflow", "archived", "verify") == {"verified": 2, "faults": []}
    assert shell.answer("audit", "verify")["faults"] == []
