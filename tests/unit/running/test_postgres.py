"""The embedded PostgreSQL starts quickly, several side by side, and keeps the application away from history."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.services.processes import PATIENCE, descendants, eventually, running
from workflows_app.running import postgres, roles


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    started = postgres.start(tmp_path_factory.mktemp("pg") / "data", durable=False)
    yield started
    started.stop()


def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_it_is_a_recent_postgresql_that_nobody_can_reach_over_the_network(server: postgres.Server) -> None:
    assert int(str(run(server.url, "SHOW server_version_num")[0][0])) >= 150_000
    assert run(server.url, "SHOW listen_addresses") == [("",)]


def test_a_second_start_in_the_same_folder_uses_the_running_one_and_does_not_stop_it(server: postgres.Server) -> None:
    second = postgres.start(server.data_dir)

    second.stop()

    assert second.pid == server.pid
    assert run(server.url, "SELECT 1") == [(1,)]


def test_two_run_side_by_side_and_data_survives_a_restart(tmp_path: Path, server: postgres.Server) -> None:
    other = postgres.start(tmp_path / "data", durable=False)
    run(other.url, "CREATE TABLE kept AS SELECT 42 AS n")
    other.stop()

    other = postgres.start(tmp_path / "data", durable=False)

    assert other.pid != server.pid
    assert run(other.url, "SELECT n FROM kept") == [(42,)]
    other.stop()
    assert postgres.running_pid(other.data_dir) is None


def test_a_crash_leaves_nothing_that_keeps_it_from_starting_again(tmp_path: Path) -> None:
    first = postgres.start(tmp_path / "data", durable=False)
    assert first.process is not None
    below = descendants(first.pid)
    first.process.kill()
    first.process.wait()
    # They end when they notice, and hold the shared memory until then.
    eventually(lambda: not any(map(running, below)), PATIENCE, "the processes below it ended")

    second = postgres.start(tmp_path / "data", durable=False)

    assert run(second.url, "SELECT 1") == [(1,)]
    second.stop()


def test_a_path_too_long_for_a_socket_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / "data"

    server = postgres.start(folder, durable=False)

    assert run(server.url, "SELECT 1") == [(1,)]
    server.stop()


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose me")

    with pytest.raises(postgres.PostgresError, match="not empty and not a database"):
        postgres.start(tmp_path, durable=False)

    assert (tmp_path / "thesis.txt").read_text() == "do not lose me"


def test_the_application_may_add_history_but_not_rewrite_it(server: postgres.Server) -> None:
    roles.prepare(server.url)
    roles.prepare(server.url)
    owner = server.address(database="orchestrator", user=roles.OWNER)
    application = server.address(database="orchestrator", user=roles.APPLICATION)
    run(
        owner,
        "CREATE TABLE workflows_app_event (n int)",
        "CREATE TABLE workflows_app_auditentry (n int)",
        "CREATE TABLE workflows_app_instance (n serial)",
    )
    assert roles.is_separated(application)

    roles.grant(owner, role=roles.APPLICATION)

    run(application, "INSERT INTO workflows_app_event VALUES (1)", "UPDATE workflows_app_instance SET n = 2")
    run(application, "INSERT INTO workflows_app_instance DEFAULT VALUES")
    for statement in (
        "UPDATE workflows_app_event SET n = 2",
        "DELETE FROM workflows_app_auditentry",
        "TRUNCATE workflows_app_event",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(application, statement)
    assert roles.is_separated(application)
    assert not roles.is_separated(owner)


def test_one_role_for_all_is_left_as_it_is(server: postgres.Server) -> None:
    roles.grant(server.url, role="postgres")

    assert run(server.url, "SELECT 1") == [(1,)]
