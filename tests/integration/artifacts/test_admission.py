"""Who may read what: one's own artifacts, and others' only by references that came in from outside."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from tests.integration.artifacts.conftest import ONE
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.artifacts import store
from workflows_app.engine.errors import ActivityError, DefinitionInvalid
from workflows_app.models import Definition, Instance, Step
from workflows_app.services import definitions


@pytest.fixture
def reference(instance: UUID) -> dict[str, Any]:
    """A reference to something that ``instance`` keeps."""
    kept = store.store(b"content", instance_id=instance, step="one", name="a.txt", media_type="text/plain")
    return kept.as_dict()


def read(reference: dict[str, Any], reader: UUID) -> bytes:
    return b"".join(store.open(reference, reader=reader))


def refusal(reference: dict[str, Any], reader: UUID) -> str:
    with pytest.raises(ActivityError) as refused:
        read(reference, reader)
    return refused.value.code


def test_an_instance_may_not_read_what_another_keeps(other: UUID, reference: dict[str, Any]) -> None:
    assert refusal(reference, other) == "ARTIFACT_NOT_ALLOWED"


@pytest.mark.parametrize("place", [lambda r: r, lambda r: {"file": r}, lambda r: {"all": [{"deep": [1, r]}]}])
def test_a_reference_that_came_in_by_input_is_read(driver: Driver, reference: dict[str, Any], place: Any) -> None:
    reader = driver.start(flow("  - {id: s, activity: core.echo}", name="reader"), place(reference))

    assert read(reference, reader.pk) == b"content"


@pytest.mark.parametrize("change", [{"name": "b.txt"}, {"signature": "0" * 64}, {"size": 8}])
def test_an_input_that_was_made_up_opens_nothing(
    driver: Driver, reference: dict[str, Any], change: dict[str, Any]
) -> None:
    forged = reference | change
    reader = driver.start(flow("  - {id: s, activity: core.echo}", name="reader"), forged)

    assert refusal(forged, reader.pk) == "ARTIFACT_NOT_ALLOWED"


def test_only_the_reference_that_came_in_is_read_not_another_of_the_same_instance(
    driver: Driver, instance: UUID, reference: dict[str, Any]
) -> None:
    hidden = store.store(b"other", instance_id=instance, step="one", name="b.txt", media_type="text/plain").as_dict()
    reader = driver.start(flow("  - {id: s, activity: core.echo}", name="reader"), reference)

    assert read(reference, reader.pk) == b"content"
    assert refusal(hidden, reader.pk) == "ARTIFACT_NOT_ALLOWED"


def test_a_text_that_merely_holds_the_signature_lets_nothing_in(driver: Driver, reference: dict[str, Any]) -> None:
    reader = driver.start(flow("  - {id: s, activity: core.echo}", name="reader"), {"x": reference["signature"]})

    assert refusal(reference, reader.pk) == "ARTIFACT_NOT_ALLOWED"


NESTED = {
    "workflow": "incoming",
    "steps": [
        {"id": "arrives", "receive": {"event": "order.created"}},
        {"id": "echo", "activity": "core.echo", "with": {"x": [{"id": "echo", "call": {"workflow": "forged"}}]}},
        {"id": "each", "foreach": {"items": "input", "steps": [{"id": "inner", "receive": {"event": "x"}}]}},
        {"id": "p", "parallel": {"branches": {"a": [{"id": "branch", "receive": {"event": "x"}}]}}},
        {"id": "c", "choice": [{"steps": [{"id": "taken", "receive": {"event": "x"}}]}]},
    ],
}


@pytest.mark.parametrize(
    ("path", "is_let_in"),
    [
        ("arrives", True),
        ("each[3].inner", True),
        ("branch", True),
        ("taken", True),
        ("echo", False),
        ("each[3]", False),
    ],
)
def test_what_a_step_got_from_an_event_is_let_in_and_nothing_else(
    reference: dict[str, Any], other: UUID, path: str, is_let_in: bool
) -> None:
    """The rows are what such steps leave behind; they are taken back, as this instance's history has other steps."""
    with transaction.atomic():
        incoming = Definition.objects.create(name="incoming").versions.create(
            version="1.0.0", major=1, minor=0, patch=0, document=NESTED, content_hash="0" * 64, published_by="ada"
        )
        Instance.objects.filter(pk=other).update(definition_version=incoming)
        Step.objects.filter(instance_id=other).delete()
        Step.objects.create(instance_id=other, path=path, state="completed", output={"data": reference})

        if is_let_in:
            assert read(reference, other) == b"content"
        else:
            assert refusal(reference, other) == "ARTIFACT_NOT_ALLOWED"

        transaction.set_rollback(True)


CALLER = """
  - {id: made, activity: core.echo}
  - {id: sub, call: {workflow: child, input: {file: "%s"}}}
"""


def called(driver: Driver, file: str, input: Any) -> tuple[Instance, Instance]:
    """Run a workflow that hands ``file`` to one that it calls; return both instances."""
    child = flow("  - {id: s, activity: core.echo}", name="child", head='output: {back: "${ steps.s.output }"}')
    definitions.publish(text=child, actor="ada")
    caller = driver.start(flow(CALLER % file, name="caller"), input)
    driver.drain()
    return caller, Instance.objects.get(parent=caller)


def test_a_called_workflow_reads_what_its_caller_may_read(driver: Driver, reference: dict[str, Any]) -> None:
    _, child = called(driver, "${ input.file }", {"file": reference})

    assert read(reference, child.pk) == b"content"


def test_a_reference_that_the_caller_copied_is_not_let_in_by_handing_it_on(
    driver: Driver, reference: dict[str, Any]
) -> None:
    driver.perform = {"made": lambda claim: reference}

    caller, child = called(driver, "${ steps.made.output }", {})

    assert refusal(reference, caller.pk) == "ARTIFACT_NOT_ALLOWED"
    assert refusal(reference, child.pk) == "ARTIFACT_NOT_ALLOWED"


@pytest.mark.parametrize("beside", ["", "x" * 5000], ids=["small", "large"])
def test_a_caller_reads_what_the_called_workflow_returns_of_its_own_and_nothing_else(
    driver: Driver, reference: dict[str, Any], beside: str
) -> None:
    own: dict[str, Any] = {}

    def returns(claim: Any) -> Any:
        kept = store.store(b"own", instance_id=claim.instance_id, step="s", name="o.txt", media_type="text/plain")
        own.update(kept.as_dict())
        return [own, reference, beside]

    driver.perform = {"s": returns}

    caller, _ = called(driver, "${ input }", {})

    assert read(own, caller.pk) == b"own"
    assert refusal(reference, caller.pk) == "ARTIFACT_NOT_ALLOWED"


def test_a_reference_written_into_a_definition_is_refused_where_it_stands(reference: dict[str, Any]) -> None:
    document = flow(f"  - id: s\n    activity: core.echo\n    with: {{file: {reference!r}}}", name="by-hand")

    with pytest.raises(DefinitionInvalid) as refused:
        definitions.publish(text=document, actor="ada")

    assert [(p.code, p.path) for p in refused.value.problems] == [("ARTIFACT_BY_HAND", "steps[0].with.file.$artifact")]


@pytest.mark.parametrize(
    "text",
    [
        "variables: {v: {$artifact: 'sha256:x'}}\nsteps:\n  - {id: s, activity: core.echo}",
        "steps:\n  - {id: s, activity: core.echo}\noutput: {$artifact: '${ input.digest }'}",
        "steps:\n  - {id: s, set: {v: [{$artifact: 'sha256:x'}]}}",
        "steps:\n  - {id: s, activity: core.echo, on_error: {output: {$artifact: 'sha256:x'}}}",
        "steps:\n  - {id: s, activity: core.echo, compensate: {activity: core.echo, with: {x: {$artifact: 'y'}}}}",
    ],
)
def test_a_reference_anywhere_in_a_definition_is_refused(text: str) -> None:
    problems = definitions.validate(text=f"workflow: w\nversion: 1.0.0\n{text}")

    assert "ARTIFACT_BY_HAND" in [problem.code for problem in problems]


def test_a_schema_may_describe_a_reference() -> None:
    schema = "input: {type: object, properties: {file: {type: object, properties: {$artifact: {type: string}}}}}"

    problems = definitions.validate(text=flow("  - {id: s, activity: core.echo}", head=schema))

    assert problems == []


def test_a_reference_that_an_expression_puts_together_is_refused_when_it_is_read(
    driver: Driver, other: UUID, reference: dict[str, Any]
) -> None:
    """A definition may copy what its author saw; the instance's input does not hold it."""
    copied = "${ " + repr(reference) + " }"
    document = flow(f'  - {{id: s, activity: core.echo, with: {{file: "{copied}"}}}}', name="copied")
    thief = driver.start(document)
    claim = driver.claim_next(thief.pk)

    assert claim is not None
    assert claim.parameters == {"file": reference}
    assert refusal(claim.parameters["file"], thief.pk) == "ARTIFACT_NOT_ALLOWED"


def test_the_worked_example_is_sound() -> None:
    assert definitions.validate(text=ONE) == []
