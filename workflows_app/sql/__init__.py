"""The hot path in the database: claiming, loading a slice, recording a decision, each one function and one round trip.

``migrate`` installs the files of this package in order, so that functions always fit the code beside them. Each is
created or replaced; one whose signature changes gets a new name, so that a release can run beside the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

from workflows_app.engine.states import (
    ATTEMPT_TRANSITIONS,
    BREAKER_TRANSITIONS,
    EFFECT_TRANSITIONS,
    INSTANCE_TRANSITIONS,
    STEP_TRANSITIONS,
)
from workflows_app.models.words import DOMAINS

FOLDER = Path(__file__).parent


def install(using: str = "default", **_: Any) -> None:
    """Create or replace every function and guard; the receiver of ``post_migrate``."""
    if not is_migrated(using):
        # On the way back: the release that goes with these tables brings its own functions.
        return
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # Two processes that migrate at once would collide on the catalogue's rows.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('workflows_app.sql'))")
        for statement in statements():
            cursor.execute(statement)


def is_migrated(using: str = "default") -> bool:
    """Whether every migration of this release has been applied: only then its functions fit the tables."""
    executor = MigrationExecutor(connections[using])
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "workflows_app"]
    return not executor.migration_plan(leaves)


def statements() -> Iterator[str]:
    """Yield the words of the domain types, the files' texts, and the guards that derive from the state tables."""
    yield from (domain(name, words) for name, words in DOMAINS.items())
    for file in sorted(FOLDER.glob("*.sql")):
        yield file.read_text()
    yield transition_guard("instance", INSTANCE_TRANSITIONS)
    yield transition_guard("step", STEP_TRANSITIONS)
    yield transition_guard("attempt", ATTEMPT_TRANSITIONS)
    yield transition_guard("effect", EFFECT_TRANSITIONS)
    yield transition_guard("breaker", BREAKER_TRANSITIONS)


def domain(name: str, words: type[StrEnum]) -> str:
    """Return a statement that holds a domain type to its words; nothing is done where it is."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return f"""
DO $$ BEGIN
    IF obj_description('{name}'::regtype, 'pg_type') IS DISTINCT FROM $words${listed}$words$ THEN
        ALTER DOMAIN {name} DROP CONSTRAINT IF EXISTS known;
        ALTER DOMAIN {name} ADD CONSTRAINT known CHECK (VALUE IN ({listed}));
        COMMENT ON DOMAIN {name} IS $words${listed}$words$;
    END IF;
END $$
"""


def transition_guard(machine: str, table: Mapping[Any, frozenset[Any]]) -> str:
    """Return a trigger that refuses a state no path of the table leads to.

    One decision may walk several edges, so the guard checks reachability; what may bring an ended row back to life
    follows from the table.
    """
    pairs = ", ".join(f"'{old}>{new}'" for old in sorted(table) for new in sorted(reachable(table, old)) if old != new)
    return f"""
CREATE OR REPLACE FUNCTION wf_guard_{machine}_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state <> ALL (ARRAY[{pairs}]) THEN
        RAISE EXCEPTION 'a {machine} cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER {machine}_state_guard BEFORE UPDATE OF state ON workflows_app_{machine}
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION wf_guard_{machine}_state();
"""


def reachable(table: Mapping[Any, frozenset[Any]], start: StrEnum) -> set[str]:
    """Return every state that one or more edges lead to."""
    found: set[str] = set()
    todo = list(table[start])
    while todo:
        state = todo.pop()
        if state not in found:
            found.add(state)
            todo.extend(table[state])
    return found
