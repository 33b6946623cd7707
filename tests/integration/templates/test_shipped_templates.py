"""The shipped templates: each renders from its own examples, and is sound as soon as its kinds and activities run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.driver import Driver
from workflows_app.activities import registry
from workflows_app.engine.definition import availability, dependencies, shape
from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.errors import ActivityError, DefinitionInvalid, NotFound
from workflows_app.selectors import results
from workflows_app.services import definition_templates, definitions, signals, verification

NEEDED = {
    "approval-workflow": {"approval"},
    "data-processing": {"sql.query", "sql.load"},
    "distributed-transaction": set(),
    "event-driven-integration": set(),
}
"""What each template needs beyond what has always run: step kinds, and activities (with a dot)."""


def examples(name: str) -> dict[str, Any]:
    template = definition_templates.find(name=name)
    return {each.name: each.example for each in template.parameters.values() if each.example is not None}


def rendered(name: str, **arguments: Any) -> dict[str, Any]:
    template = definition_templates.find(name=name)
    return definition_templates.render(template=template, arguments={**examples(name), **arguments})


def missing(name: str) -> set[str]:
    registry.discover()
    known = registry.infos()
    return {each for each in NEEDED[name] if each not in (known if "." in each else availability.KINDS)}


def test_four_templates_are_shipped_under_the_names_of_their_files() -> None:
    shipped = definition_templates.shipped()

    assert {each.name for each in shipped} == set(NEEDED)
    assert {path.stem for path in definition_templates.SHIPPED.glob("*")} == set(NEEDED)
    assert all(each.description and each.category and each.pattern for each in shipped)


@pytest.mark.parametrize("name", NEEDED)
def test_every_parameter_says_what_it_is_for(name: str) -> None:
    for parameter in definition_templates.find(name=name).parameters.values():
        assert parameter.description, parameter.name
        assert parameter.example is not None or not parameter.required, parameter.name


@pytest.mark.parametrize("name", NEEDED)
def test_what_it_makes_of_its_examples_has_the_shape_of_the_language(name: str) -> None:
    problems = list(shape.problems(rendered(name)))

    assert {problem.code for problem in problems} <= {"NOT_AVAILABLE"}


@pytest.mark.parametrize("name", NEEDED)
def test_what_it_makes_is_sound_or_refused_for_what_is_not_there_yet(db: None, name: str) -> None:
    found = [
        problem for problem in definitions.validate(text=json.dumps(rendered(name))) if problem.severity == "error"
    ]

    if not missing(name):
        assert [str(problem) for problem in found] == []
    else:
        assert {problem.code for problem in found} <= {"NOT_AVAILABLE", "UNKNOWN_TASK_TYPE"}
        assert {each for each in NEEDED[name] if any(f"`{each}`" in problem.message for problem in found)} == missing(
            name
        )


def test_an_approval_is_refused_at_publish_until_people_can_be_asked_and_says_so(db: None) -> None:
    assert "NOT_AVAILABLE" in definition_templates.find(name="approval-workflow").description
    if "approval" in availability.KINDS:
        assert definitions.publish(text=json.dumps(rendered("approval-workflow")), actor="ada").version == "1.0.0"
        return
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.publish(text=json.dumps(rendered("approval-workflow")), actor="ada")
    assert {problem.code for problem in refused.value.problems} == {"NOT_AVAILABLE"}


def refuse(claim: object) -> None:
    raise ActivityError("no", code="NO", recoverable=False)


UNDO = {"activity": "core.log", "with": {"message": "undone"}}
STEPS = [
    {"id": "hotel", "activity": "core.echo", "with": {"x": 1}, "compensate": UNDO},
    {"id": "train", "activity": "core.echo", "compensate": UNDO},
    {"id": "off", "activity": "core.echo"},
]


@pytest.mark.parametrize(
    ("strategy", "state", "hotel"),
    [("backward", "compensated", "compensated"), ("forward", "failed", "completed")],
)
def test_a_transaction_is_undone_backward_and_left_forward(
    driver: Driver, strategy: str, state: str, hotel: str
) -> None:
    document = rendered("distributed-transaction", transaction_steps=STEPS, compensation_strategy=strategy)

    driver.perform = {"off": refuse}

    ended = driver.run(driver.start(json.dumps(document), {}))

    assert (ended["state"], ended["steps"]["hotel"], ended["steps"]["train"]) == (state, hotel, hotel)


def test_the_strategy_is_backward_unless_said(driver: Driver) -> None:
    arguments = {"transaction_steps": STEPS[:2], "workflow": "journey", "version": "2.1.0"}
    template = definition_templates.find(name="distributed-transaction")
    document = definition_templates.render(template=template, arguments=arguments)

    ended = driver.run(driver.start(json.dumps(document), {}))

    assert (document["workflow"], document["version"], document["on_failure"]) == ("journey", "2.1.0", "compensate")
    assert ended["output"] == {"hotel": {"x": 1}, "train": {}}


SOURCES = [{"name": "payment", "event": "payment.received"}, {"name": "parcel", "event": "parcel.packed"}]
BOOK = {"id": "book", "activity": "core.echo", "with": {"paid": "${ steps.receive_payment.output.data.amount }"}}


def test_what_it_makes_of_its_examples_is_sound_without_a_warning(db: None) -> None:
    assert definitions.validate(text=json.dumps(rendered("event-driven-integration"))) == []


def test_events_of_all_sources_are_waited_for_handled_and_answered_under_their_key(driver: Driver) -> None:
    document = json.dumps(rendered("event-driven-integration"))
    signals.publish(event="payment.received", correlate="A-7", data={"amount": 12}, actor="bank")
    instance = driver.start(document, {"order_id": "A-7"})
    listener = driver.start(
        "workflow: listener\nversion: 1.0.0\nsteps: [{id: hear, receive: {event: order.ready, correlate: A-7}}]\n"
        "output: '${ steps.hear.output.data }'"
    )
    for key, weight in (("A-8", 5), ("A-7", 0)):
        signals.publish(event="parcel.packed", correlate=key, data={"weight": weight}, actor="depot")
    driver.drain()
    assert results.instance_view(instance.pk)["steps"] | {"tell": ""} == {
        "events": "waiting",
        "receive_payment": "completed",
        "receive_parcel": "waiting",
        "book": "pending",
        "tell": "",
    }, "one parcel is another order's, the other weighs nothing"

    signals.publish(event="parcel.packed", correlate="A-7", data={"weight": 2}, actor="depot")
    ended = driver.run(instance)

    assert ended["state"] == "completed"
    assert driver.calls == [("book", "action")]
    heard = driver.run(listener)["output"]
    assert (heard["book"]["paid"]["amount"], set(heard)) == (12, {"book"})
    assert verification.check_replay(instance.pk) == []


def test_an_event_that_does_not_come_in_time_ends_the_waiting(driver: Driver) -> None:
    instance = driver.start(json.dumps(rendered("event-driven-integration")), {"order_id": "A-7"})

    ended = driver.run(instance)

    assert (ended["state"], ended["error"]["code"]) == ("failed", "TIMEOUT")
    assert driver.now == datetime(2026, 1, 3, tzinfo=UTC)


def test_without_a_key_events_come_by_the_correlation_id_and_nothing_is_told(driver: Driver) -> None:
    template = definition_templates.find(name="event-driven-integration")
    document = definition_templates.render(
        template=template, arguments={"event_sources": SOURCES, "event_handlers": [BOOK]}
    )
    instance = driver.start(json.dumps(document), correlation_id="order-7")

    for event in ("payment.received", "parcel.packed"):
        signals.publish(event=event, correlate="order-7", data={"amount": 3}, actor="bank")
    ended = driver.run(instance)

    assert (ended["state"], [step["id"] for step in document["steps"]]) == ("completed", ["events", "book"])
    assert instance.steps.get(path="book").output == {"paid": 3}
    assert definitions.validate(text=json.dumps(document)) == []


def test_rows_are_loaded_as_they_are_without_transformations() -> None:
    plain = rendered("data-processing", transformations=[])

    assert [step["id"] for step in plain["steps"]] == ["extract", "load"]
    assert plain["steps"][1]["with"]["rows"] == "${ steps.extract.output.rows }"
    changed = rendered("data-processing", load_mode="upsert", load_keys=["id"])
    assert [step["id"] for step in changed["steps"]] == ["extract", "transform", "load"]
    assert changed["steps"][2]["with"]["key"] == ["id"]


def test_an_unknown_template_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(NotFound, match="did you mean `data-processing`"):
        definition_templates.find(name="data-procesing")
    with pytest.raises(NotFound):
        definition_templates.find(name="../definition_templates/data-processing")


def test_the_kinds_that_templates_wait_for_are_in_the_language() -> None:
    assert {each for needed in NEEDED.values() for each in needed if "." not in each} <= set(STEP_KINDS)
    assert dependencies.called(rendered("distributed-transaction")) == frozenset()
