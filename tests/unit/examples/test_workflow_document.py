"""The shipped definition is sound, and undoes by the keys that its steps really use."""

from __future__ import annotations

import pytest

from examples.order_processing.orders import FILE
from examples.order_processing.shop.routes import POSTS
from workflows_app.engine import definition, expressions, verifier

TEXT = FILE.with_name("workflow.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document():
    return definition.load(TEXT)


def calls(document):
    """Every call of the shop: the step's id, the parameters, and whether it is an undo."""
    for step in document["steps"]:
        if step.get("activity") == "http.request":
            yield step["id"], step["with"], False
            if "compensate" in step:
                yield step["id"], step["compensate"]["with"], True


def test_the_definition_has_no_problems(document):
    parsed = definition.parse(document)

    assert (parsed.name, parsed.version) == ("order-processing", "1.0.0")
    assert verifier.verify(parsed, activities=None) == []
    assert definition.parse(definition.dump(parsed)) == parsed


def test_every_call_goes_to_a_path_that_the_shop_has(document):
    assert {call["path"] for _, call, _ in calls(document)} == set(POSTS)
    assert {(call["connection"], call["method"]) for _, call, _ in calls(document)} == {("shop", "POST")}


def test_what_changes_the_shop_is_undone_and_the_confirmation_is_the_last_step(document):
    assert [step for step, _, is_undo in calls(document) if is_undo] == ["pay", "reserve_stock", "ship"]
    assert document["steps"][-1]["id"] == "confirm"


@pytest.mark.parametrize(("output", "known"), [(None, None), ({"json": {"id": "x_1"}}, "x_1")])
def test_an_undo_names_the_key_of_its_step_and_the_id_where_there_is_one(document, output, known):
    for step, call, is_undo in calls(document):
        if is_undo:
            body = expressions.compile_value(call["json"]).evaluate(
                {"output": output, "with": {}, "instance": {"id": "i-1"}, "input": {}, "vars": {}, "steps": {}}
            )

            POSTS[call["path"]].body.validate(body)
            assert body.pop("key") == f"i-1:{step}:0"
            assert list(body.values()) == [known]


def test_an_answer_that_never_came_is_asked_for_again_and_a_refusal_is_not(document):
    condition = expressions.compile_expression(document["defaults"]["retry"]["when"])

    details = {"none": {}, "no answer": {"status": 0}, "down": {"status": 503}, "declined": {"status": 402}}
    again = {what: condition.evaluate({"error": {"details": found}}) for what, found in details.items()}

    assert again == {"none": True, "no answer": True, "down": True, "declined": False}
