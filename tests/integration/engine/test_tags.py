"""Tags: given at the start, taken from the definition, handed down to what is called; changed by operators."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import InputInvalid, StateForbids
from workflows_app.models import AuditEntry, Event, Instance
from workflows_app.selectors import lists, results
from workflows_app.services import definitions, interventions

STEPS = "steps: [{id: a, activity: core.echo}]\n"
PLAIN = f"workflow: plain\nversion: 1.0.0\n{STEPS}"
TAGGED = f"workflow: tagged\nversion: 1.0.0\nmetadata: {{tags: [orders, two words, eu, 7]}}\n{STEPS}"


def found(*tags: str) -> set[str]:
    return {row.workflow for row in lists.instances(tags=tags)}


def test_an_instance_has_those_of_its_definition_and_those_it_is_given(driver: Driver) -> None:
    both = driver.start(TAGGED, tags=["urgent", "region=eu", "eu"])
    none = driver.start(PLAIN)

    assert both.tags == ["orders", "eu", "urgent", "region=eu"]
    assert Instance.objects.get(pk=both.pk).tags == both.tags
    assert Event.objects.get(instance=both, sequence=1).data["tags"] == both.tags
    assert (none.tags, "tags" in Event.objects.get(instance=none, sequence=1).data) == (None, False)
    assert results.instance_view(none.pk)["tags"] == []


def test_instances_are_found_by_all_of_the_tags_that_are_asked_for(driver: Driver) -> None:
    driver.start(TAGGED, tags=["urgent"])
    driver.start(PLAIN, tags=["urgent"])

    assert found("urgent") == {"tagged", "plain"}
    assert found("urgent", "orders") == {"tagged"}
    assert found("urgent", "late") == set()


def test_what_is_called_has_the_tags_of_its_caller_and_its_own(driver: Driver) -> None:
    definitions.publish(text=TAGGED, actor="ada")
    caller = "workflow: caller\nversion: 1.0.0\nsteps: [{id: c, call: {workflow: tagged}}]\n"

    parent = driver.start(caller, tags=["urgent"])
    driver.run(parent)

    child = Instance.objects.get(workflow="tagged")
    assert (child.state, child.tags) == ("completed", ["urgent", "orders", "eu"])


def test_an_operator_adds_and_removes_them_whatever_the_state(driver: Driver) -> None:
    instance = driver.start(PLAIN, tags=["urgent"])
    driver.drain()

    interventions.tag(instance_id=instance.pk, add=["late", "urgent"], actor="ada", reason="the customer called")
    interventions.tag(instance_id=instance.pk, remove=["urgent"], actor="bob")

    assert Instance.objects.get(pk=instance.pk).tags == ["late"]
    trail = AuditEntry.objects.filter(target=str(instance.pk)).order_by("sequence")
    assert list(trail.values_list("action", "actor")) == [("instance.tagged", "ada"), ("instance.tagged", "bob")]
    assert (found("late"), found("urgent")) == ({"plain"}, set())
    with pytest.raises(StateForbids, match="does not have urgent"):
        interventions.tag(instance_id=instance.pk, remove=["urgent"], actor="bob")
    interventions.tag(instance_id=instance.pk, remove=["late"], actor="bob")
    assert Instance.objects.get(pk=instance.pk).tags is None


def test_words_that_are_no_tags_are_refused_each_with_its_place(driver: Driver) -> None:
    with pytest.raises(InputInvalid) as refused:
        driver.start(PLAIN, tags=["fine", "two words", "=x", "x" * 61])

    assert [problem.path for problem in refused.value.problems] == ["tags[1]", "tags[2]", "tags[3]"]
    with pytest.raises(InputInvalid, match="1 problem"):
        driver.start(PLAIN, tags=[f"t{n}" for n in range(21)])
    assert not Instance.objects.exists()
