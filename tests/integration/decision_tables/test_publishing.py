"""Publishing decision tables: what is kept for ever, what is refused, and what two publishers at once come to."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.integration.decision_tables.documents import discounts, publish
from workflows_app.engine.errors import Conflict, DefinitionInvalid, NotFound
from workflows_app.models import AuditEntry, DecisionTable
from workflows_app.services import decision_tables, verification


@pytest.mark.django_db
def test_a_version_is_kept_with_its_text_its_author_and_an_audit_entry() -> None:
    published = publish()

    assert str(published) == "discounts 1.0.0"
    assert (published.published_by, published.source) == ("ada", discounts())
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("ada", "decision_table.published", "discounts 1.0.0")
    assert entry.data == {"content_hash": published.content_hash}
    assert verification.verify_audit() is None


@pytest.mark.django_db
def test_identical_content_is_accepted_again_and_other_content_is_not() -> None:
    first = publish()

    again = decision_tables.publish(text="# a comment\n" + discounts(), actor="bob")
    with pytest.raises(Conflict) as refused:
        publish(large=20)

    assert again.pk == first.pk
    assert refused.value.code == "VERSION_EXISTS"
    assert decision_tables.find(name="discounts").document == first.document
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        (discounts().replace("< 100", "<= 100"), "TABLE_OVERLAP", "rules[1]"),
        (discounts().replace("< 100", "below 100"), "TABLE_CELL_INVALID", "rules[1].when.amount"),
        (discounts().replace("table: discounts", "table: Discounts!"), "SCHEMA", "table"),
        (discounts("1.0"), "SCHEMA", "version"),
        (discounts("99999999999999999999.0.0"), "SCHEMA", "version"),
        (discounts() + "colour: red\n", "SCHEMA", "colour"),
        ("rules: [", "SYNTAX", "rules[0]"),
    ],
)
def test_an_unsound_table_is_refused_with_its_place_and_nothing_is_stored(text: str, code: str, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        decision_tables.publish(text=text, actor="ada")

    assert (refused.value.problems[0].code, refused.value.problems[0].path) == (code, path)
    assert not DecisionTable.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_gap_is_a_warning_and_does_not_stop_the_publication() -> None:
    text = discounts().replace('customer: plain, amount: "< 100"', 'customer: plain, amount: "< 50"')

    assert {problem.code for problem in decision_tables.validate(text=text)} == {"TABLE_GAP"}
    assert decision_tables.publish(text=text, actor="ada").version == "1.0.0"


@pytest.mark.django_db
def test_the_highest_version_is_found_by_number_and_prereleases_are_asked_for_only() -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1"):
        publish(version)

    assert decision_tables.find(name="discounts").version == "1.10.0"
    assert decision_tables.find(name="discounts", version="2.0.0-rc.1").version == "2.0.0-rc.1"
    assert [each.version for each in decision_tables.listed(name="discounts")] == ["2.0.0-rc.1", "1.10.0", "1.9.0"]
    with pytest.raises(NotFound) as refused:
        decision_tables.find(name="discounts", version="3.0.0")
    assert refused.value.code == "VERSION_NOT_FOUND"
    with pytest.raises(NotFound) as refused:
        decision_tables.find(name="gone")
    assert refused.value.code == "TABLE_NOT_FOUND"


@pytest.mark.django_db
def test_the_database_keeps_a_published_version_as_it_is() -> None:
    publish()

    for statement in (
        "UPDATE workflows_app_decisiontableversion SET document = '{}'",
        "DELETE FROM workflows_app_decisiontableversion",
        "UPDATE workflows_app_decisiontable SET name = 'other'",
    ):
        with (
            pytest.raises(DatabaseError, match=r"never changes|append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    with pytest.raises(IntegrityError, match="decision_table_name_kebab_case"), transaction.atomic():
        DecisionTable.objects.create(name="x'; drop")
    with pytest.raises(IntegrityError, match="decision_table_name_unique"), transaction.atomic():
        DecisionTable.objects.create(name="discounts")
