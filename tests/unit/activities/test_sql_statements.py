"""What counts as one SQL statement, and what it binds."""

from __future__ import annotations

import pytest

from tasks.activities.sql import statements
from workflows_app.activities import ActivityError


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :a, :b_2", {"a", "b_2"}),
        ("SELECT ':a', \":b\", $$:c$$, $t$ :d $$ $t$, E'\\':e' -- :f\n/* :g /* :h */ :i */, :j", {"j"}),
        ("SELECT x::text, '12:30'::time WHERE x = :x;", {"x"}),
        ("SELECT ';'; -- the end; really\n /* ; */ ", set()),
        ("SELECT a[1:2], 'it''s :no'", set()),
    ],
)
def test_only_names_outside_of_quotes_and_comments_are_bound(sql: str, names: set[str]) -> None:
    assert statements.parse(sql).names == names


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DROP TABLE t",
        "SELECT 1;;SELECT 2",
        "SELECT ''; COMMIT; --'",
        "SELECT E'\\''; COMMIT; --'",
        "SELECT E'a'\n'\\''; COMMIT; --'",  # PostgreSQL reads the second text as a continuation of the first
        "SELECT $a$ $b$ $a$; COMMIT; -- $b$",
        "SELECT a€$$ ; COMMIT; -- $$",  # to PostgreSQL a€$$ is a name
        "SELECT a$b$ ; COMMIT; -- $b$",
        "SELECT 1 /* /* */ */; COMMIT",
        "SELECT 1 -- x\n; COMMIT",
        "SELECT 1 -- x\r; COMMIT",
        "SELECT 'open",
        'SELECT "open',
        "SELECT $x$ open",
        "SELECT 1 /* /* */",
    ],
)
def test_what_may_hide_a_second_statement_is_refused(sql: str) -> None:
    with pytest.raises(ActivityError) as refusal:
        statements.parse(sql)

    assert (refusal.value.code, refusal.value.recoverable) == ("SQL_NOT_ALLOWED", False)


@pytest.mark.parametrize("sql", ["", "  \n", "-- nothing", "/* nothing */ ;"])
def test_nothing_is_no_statement(sql: str) -> None:
    with pytest.raises(ActivityError) as refusal:
        statements.parse(sql)

    assert refusal.value.code == "MISSING_QUERY"


@pytest.mark.parametrize("sql", ["COMMIT", "/* x */ rollback", "SET ROLE admin", "copy t FROM '/etc/passwd'"])
def test_what_ends_the_transaction_or_outlives_it_is_refused(sql: str) -> None:
    with pytest.raises(ActivityError) as refusal:
        statements.check_changing(statements.parse(sql))

    assert refusal.value.code == "SQL_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("given", "said"), [({}, "binds :a, which is missing"), ({"a": 1, "b": 2}, "nothing binds 'b'")]
)
def test_parameters_and_statement_must_agree(given: dict[str, int], said: str) -> None:
    with pytest.raises(ActivityError) as refusal:
        statements.bound(statements.parse("SELECT :a"), given, "with.params")

    assert refusal.value.code == "INVALID_PARAMETERS"
    assert said in refusal.value.message
