"""What the database itself refuses, whoever asks: changed history, impossible states, altered versions."""

from __future__ import annotations

import uuid
from enum import StrEnum

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.integration.driver import Driver
from workflows_app.engine.states import (
    ATTEMPT_TRANSITIONS,
    INSTANCE_ENDED,
    INSTANCE_TRANSITIONS,
    STEP_TRANSITIONS,
    InstanceState,
    Role,
)
from workflows_app.models import AuditEntry, DefinitionVersion, Event, Instance
from workflows_app.models.words import DOMAINS
from workflows_app.services import instances, verification
from workflows_app.sql import domain as domain_statement
from workflows_app.sql import reachable

DOCUMENT = "workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}"


@pytest.fixture
def ended(driver: Driver) -> Instance:
    instance = driver.start(DOCUMENT)
    driver.drain()
    return instance


def execute(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


class Tampering:
    """Lifts the guards for one act, as somebody with the superuser's power would, and puts it back afterwards."""

    def __init__(self, statement: str, *parameters: object) -> None:
        self.statement, self.parameters = statement, parameters

    def __enter__(self) -> None:
        self.point = transaction.savepoint()
        execute("SET LOCAL session_replication_role = replica")
        execute(self.statement, *self.parameters)
        execute("SET LOCAL session_replication_role = origin")

    def __exit__(self, *_: object) -> None:
        transaction.savepoint_rollback(self.point)


@pytest.mark.parametrize("table", ["workflows_app_event", "workflows_app_auditentry"])
@pytest.mark.parametrize("act", ["UPDATE {} SET data = '{{}}'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_cannot_be_changed_even_by_its_owner(ended: Instance, table: str, act: str) -> None:
    # PostgreSQL will not truncate a table while foreign keys wait to be checked.
    execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute(act.format(table))


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE workflows_app_event SET data = jsonb_set(data, '{output}', '1') WHERE sequence = 4", 4),
        ("UPDATE workflows_app_event SET at = at + interval '1 second' WHERE sequence = 2", 2),
        ("UPDATE workflows_app_event SET actor = 'nobody' WHERE sequence = 3", 3),
        ("DELETE FROM workflows_app_event WHERE sequence = 3", 3),
        ("DELETE FROM workflows_app_event WHERE sequence = (SELECT max(sequence) FROM workflows_app_event)", 8),
        (
            "UPDATE workflows_app_event e SET type = o.type, step = o.step, data = o.data, hash = o.hash "
            "FROM workflows_app_event o WHERE e.sequence IN (5, 7) AND o.sequence = 12 - e.sequence",
            5,
        ),
    ],
    ids=["altered output", "moved time", "forged actor", "removed", "tail cut", "reordered"],
)
def test_the_verifier_names_the_first_bad_entry(ended: Instance, statement: str, sequence: int) -> None:
    with Tampering(statement):
        fault = verification.verify_history(ended.pk)

    assert fault is not None
    assert fault.sequence == sequence


def test_the_verifier_sees_a_changed_audit_entry_and_the_anchor_a_cut_tail(ended: Instance) -> None:
    anchor = verification.audit_head()

    with Tampering("UPDATE workflows_app_auditentry SET actor = 'mallory'"):
        altered = verification.verify_audit()
    with Tampering("DELETE FROM workflows_app_auditentry WHERE sequence = %s", anchor[0]):
        kept = verification.contains_audit_head(*anchor)

    assert altered is not None
    assert altered.sequence == 1
    assert not kept


def test_replay_names_a_stored_state_that_no_history_explains(ended: Instance) -> None:
    with Tampering("UPDATE workflows_app_step SET output = '\"forged\"' WHERE path = 'a'"):
        found = verification.check_replay(ended.pk)

    assert found == ["step a: output is 'forged' in the database, {} by its history"]


def test_replay_names_a_step_that_nothing_would_ever_move(driver: Driver) -> None:
    instance = driver.start(DOCUMENT)

    with Tampering("DELETE FROM workflows_app_dispatch"):
        found = verification.check_replay(instance.pk)

    assert found == ["step a is scheduled, but no dispatch is waiting to be claimed"]


def test_a_published_version_never_changes_but_may_be_deprecated(ended: Instance) -> None:
    DefinitionVersion.objects.update(deprecated=True)

    table = "workflows_app_definitionversion"
    for act in (f"UPDATE {table} SET document = '{{}}'", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            execute(act)


@pytest.mark.parametrize("state", sorted(state for state in INSTANCE_ENDED if not INSTANCE_TRANSITIONS[state]))
def test_no_ended_instance_comes_back_to_life(ended: Instance, state: InstanceState) -> None:
    with (
        Tampering("UPDATE workflows_app_instance SET state = %s", state.value),
        pytest.raises(DatabaseError, match="cannot go from"),
        transaction.atomic(),
    ):
        execute("UPDATE workflows_app_instance SET state = 'running', ended_at = NULL")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workflows_app_instance SET state = 'lost in thought'",
        "UPDATE workflows_app_instance SET ended_at = NULL",
        "UPDATE workflows_app_instance SET open_steps = -1",
        "UPDATE workflows_app_step SET attempt = 1 WHERE state = 'completed'",
        "UPDATE workflows_app_attempt SET state = 'running'",
    ],
)
def test_impossible_rows_are_refused(ended: Instance, statement: str) -> None:
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        execute(statement)


@pytest.mark.parametrize(
    ("machine", "table"),
    [("instance", INSTANCE_TRANSITIONS), ("step", STEP_TRANSITIONS), ("attempt", ATTEMPT_TRANSITIONS)],
)
def test_the_guards_in_the_database_are_those_of_the_state_tables(ended: Instance, machine: str, table: dict) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [f"wf_guard_{machine}_state"])
        source = cursor.fetchone()[0]

    for old in table:
        for new in table:
            assert (f"'{old}>{new}'" in source) == (new in reachable(table, old) and new != old)


def accepts(domain: str, word: str) -> bool:
    try:
        with transaction.atomic():
            execute(f"SELECT %s::{domain}", word)
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize(("domain", "words"), DOMAINS.items(), ids=DOMAINS)
def test_a_column_takes_the_words_of_its_machine_and_no_others(db: None, domain: str, words: type[StrEnum]) -> None:
    others = {"nonsense", "", *(word.value for each in DOMAINS.values() for word in each)} - {w.value for w in words}

    assert all(accepts(domain, word.value) for word in words)
    assert not any(accepts(domain, word) for word in others)


def test_words_that_a_release_adds_are_taken_once_it_is_migrated(db: None) -> None:
    more = StrEnum("more", {word.name: word.value for word in Role} | {"REHEARSAL": "rehearsal"})  # type: ignore[misc]
    assert not accepts("wf_role", "rehearsal")

    execute(domain_statement("wf_role", more))

    assert accepts("wf_role", "rehearsal")
    assert accepts("wf_role", Role.FALLBACK.value)
    assert not accepts("wf_role", "nonsense")


def test_an_instance_stays_on_its_version_when_a_newer_one_is_published(driver: Driver) -> None:
    instance = driver.start(DOCUMENT)
    newer = DOCUMENT.replace("1.0.0", "2.0.0").replace("{id: b, activity: core.echo}", "{id: c, activity: core.echo}")

    second = driver.start(newer)
    driver.drain()

    assert set(instance.steps.values_list("path", flat=True)) == {"a", "b"}
    assert set(second.steps.values_list("path", flat=True)) == {"a", "c"}


def test_events_of_an_instance_have_no_gap(ended: Instance) -> None:
    assert list(Event.objects.filter(instance=ended).values_list("sequence", flat=True)) == list(range(1, 9))
    assert AuditEntry.objects.count() == 1


def test_a_start_that_is_rolled_back_leaves_nothing(driver: Driver) -> None:
    driver.start(DOCUMENT)
    before = Instance.objects.count()

    point = transaction.savepoint()
    instances.start(name="w", actor="ada", input={})
    transaction.savepoint_rollback(point)

    assert Instance.objects.count() == before
    assert not Event.objects.exclude(instance__in=Instance.objects.all()).exists()
    assert verification.verify_history(uuid.UUID(str(Instance.objects.get().pk))) is None
