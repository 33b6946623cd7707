"""Steps that ask decision tables, over the real database: which version, what the history says, how they fail."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.decision_tables.documents import publish
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.models import Event, Instance
from workflows_app.services import decision_tables, definitions, instances, verification
from workflows_app.ui import outline

GIVEN = "{customer: '${ input.customer }', amount: '${ input.amount }'}"
ASK = f"  - {{id: rule, decide: {{table: discounts, input: {GIVEN}}}}}\n"
PINNED = ASK.replace("table: discounts", "table: discounts, version: 1.0.0")
OUTPUT = 'output: "${ steps.rule.output }"'
GOLD = {"customer": "gold", "amount": 120}


def decided(instance: Instance, path: str = "rule") -> dict[str, Any]:
    return dict(Event.objects.get(instance=instance, step=path, type="step.completed").data)


def start(name: str, input: Any) -> Instance:
    return instances.start(name=name, input=input, actor="ada")


def test_a_step_gets_the_outputs_of_the_rule_that_holds(driver: Driver) -> None:
    publish()

    ended = driver.run(driver.start(flow(ASK, head=OUTPUT), {"customer": "gold", "amount": 20}))

    assert (ended["state"], ended["output"]) == ("completed", {"percent": 5})


def test_a_table_that_changes_between_two_instances_changes_what_they_decide_without_a_new_workflow_version(
    driver: Driver,
) -> None:
    publish()
    before = driver.start(flow(ASK, head=OUTPUT), GOLD)
    publish("1.1.0", large=15)
    after = start("flow", GOLD)

    assert (driver.run(before)["output"], driver.run(after)["output"]) == ({"percent": 10}, {"percent": 15})
    assert (before.version, after.version) == ("1.0.0", "1.0.0")
    assert decided(before) == {"output": {"percent": 10}, "table": "discounts", "version": "1.0.0", "rules": ["large"]}
    assert decided(after)["version"] == "1.1.0"
    assert verification.check_replay(before.pk) == []


def test_the_version_counts_that_is_the_highest_when_the_step_is_reached(driver: Driver) -> None:
    publish()
    instance = driver.start(flow("  - {id: pause, wait: {for: 1d}}\n" + ASK, head=OUTPUT), GOLD)
    publish("2.0.0", large=20)
    publish("1.5.0", large=99)
    publish("3.0.0-rc.1", large=99)

    assert driver.run(instance)["output"] == {"percent": 20}


def test_a_pinned_version_stays_whatever_is_published_later(driver: Driver) -> None:
    publish()
    instance = driver.start(flow("  - {id: pause, wait: {for: 1d}}\n" + PINNED, head=OUTPUT), GOLD)
    publish("2.0.0", large=20)

    assert driver.run(instance)["output"] == {"percent": 10}
    assert decided(instance)["version"] == "1.0.0"


def test_replay_needs_the_history_alone_though_the_table_says_something_else_by_now(driver: Driver) -> None:
    publish()
    instance = driver.start(flow(ASK, head=OUTPUT), GOLD)
    driver.run(instance)
    publish("2.0.0", large=20)
    decision_tables._parsed.cache_clear()

    assert verification.check_replay(instance.pk) == []


def test_each_item_of_a_foreach_asks_and_its_event_stands_under_its_path(driver: Driver) -> None:
    publish()
    steps = """
  - id: each
    foreach:
      items: input.orders
      collect: "${ steps.rule.output.percent }"
      steps:
        - {id: rule, decide: {table: discounts, input: "${ item }"}}
        - {id: tell, activity: core.echo, with: {percent: "${ steps.rule.output.percent }"}}
"""
    orders = [GOLD, {"customer": "gold", "amount": 1}, {"customer": "plain", "amount": 2}]
    instance = driver.start(flow(steps, head='output: "${ steps.each.output }"'), {"orders": orders})

    ended = driver.run(instance)

    assert ended["output"] == [10, 5, 0]
    assert decided(instance, "each[1].rule")["rules"] == ["loyal"]
    assert ended["steps"]["each[2].rule"] == "completed"


def test_a_loop_asks_in_every_iteration(driver: Driver) -> None:
    publish()
    steps = """
  - id: again
    loop:
      times: 3
      steps:
        - {id: rule, decide: {table: discounts, input: {customer: gold, amount: "${ iteration * 100 }"}}}
        - {id: keep, set: {sum: "${ vars.sum + steps.rule.output.percent }"}}
"""
    instance = driver.start(flow(steps, head='variables: {sum: 0}\noutput: "${ vars.sum }"'))

    assert driver.run(instance)["output"] == 25


def test_many_decisions_in_one_transaction_look_the_table_up_once(driver: Driver) -> None:
    publish()
    steps = flow("""
  - id: each
    foreach:
      items: input.amounts
      steps: [{id: rule, decide: {table: discounts, input: {customer: gold, amount: "${ item }"}}}]
""")

    def lookups(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            driver.start(steps, {"amounts": list(range(count))})
        return sum("decisiontableversion" in query["sql"] for query in captured.captured_queries)

    driver.start(steps, {"amounts": [1]})
    assert lookups(40) == lookups(1)


def test_a_workflow_that_asks_no_table_looks_none_up(driver: Driver) -> None:
    with CaptureQueriesContext(connection) as captured:
        driver.run(driver.start(flow("  - {id: a, activity: core.echo}\n  - {id: b, set: {v: 1}}")))

    assert not any("decisiontable" in query["sql"] for query in captured.captured_queries)


@pytest.mark.parametrize(
    ("input", "code"),
    [
        ({"customer": "silver", "amount": 1}, "TABLE_INPUT_INVALID"),
        ({"customer": "gold", "amount": "1"}, "TABLE_INPUT_INVALID"),
        ({"customer": "gold", "amount": None}, "TABLE_INPUT_INVALID"),
        ({"customer": "gold"}, "EXPRESSION_ERROR"),
    ],
)
def test_a_step_whose_input_the_table_does_not_take_fails(driver: Driver, input: Any, code: str) -> None:
    publish()

    ended = driver.run(driver.start(flow(ASK), input))

    assert (ended["state"], ended["error"]["code"]) == ("failed", code)


@pytest.mark.parametrize(
    ("table", "amount", "code"),
    [
        ({"hit": "first"}, 50, "NO_RULE_MATCHED"),
        ({"hit": "unique"}, 200, "SEVERAL_RULES_MATCHED"),
    ],
)
def test_no_rule_and_several_rules_fail_the_step_and_say_so(
    driver: Driver, table: dict[str, str], amount: int, code: str
) -> None:
    text = f"""
table: limits
version: 1.0.0
hit: {table["hit"]}
inputs: [{{name: amount, type: number}}]
outputs: [{{name: level}}]
rules:
  - {{id: high, when: {{amount: ">= 100"}}, then: {{level: 2}}}}
  - {{id: odd, if: input.amount > 150, then: {{level: 3}}}}
"""
    decision_tables.publish(text=text, actor="ada")

    ended = driver.run(driver.start(flow(f"  - {{id: rule, decide: {{table: limits, input: {{amount: {amount}}}}}}}")))

    assert (ended["state"], ended["error"]["code"]) == ("failed", code)
    assert ended["error"]["details"]["rules"] == ([] if amount == 50 else ["high", "odd"])
    assert {"table": "limits", "version": "1.0.0"}.items() <= ended["error"]["details"].items()


@pytest.mark.parametrize(
    ("policy", "state", "output"),
    [
        ("on_error: continue", "failed", None),
        (
            "on_error: {output: {percent: 0, why: '${ error.code }'}}",
            "completed",
            {"percent": 0, "why": "TABLE_INPUT_INVALID"},
        ),
    ],
)
def test_on_error_takes_a_decision_that_fails(driver: Driver, policy: str, state: str, output: Any) -> None:
    publish()
    steps = ASK.replace("id: rule,", f"id: rule, {policy},")

    ended = driver.run(driver.start(flow(steps, head=OUTPUT), {"customer": "silver", "amount": 1}))

    assert (ended["state"], ended["steps"]["rule"], ended["output"]) == ("completed", state, output)


def test_a_decision_that_fails_late_undoes_what_was_done(driver: Driver) -> None:
    publish()
    paid = "  - {id: pay, activity: core.echo, with: {n: 1}, compensate: {activity: core.echo}}\n"

    ended = driver.run(driver.start(flow(paid + ASK), {"customer": "silver", "amount": 1}))

    assert (ended["state"], ended["steps"]["pay"]) == ("compensated", "compensated")


def test_a_step_may_be_skipped_and_then_asks_nobody(driver: Driver) -> None:
    publish()

    ended = driver.run(driver.start(flow(ASK.replace("id: rule,", "id: rule, when: 'false',"), head=OUTPUT), GOLD))

    assert (ended["output"], ended["steps"]["rule"]) == (None, "skipped")


def test_a_workflow_may_not_ask_a_table_or_a_version_that_is_not_published(driver: Driver) -> None:
    def refusal(steps: str) -> list[tuple[str, str]]:
        with pytest.raises(DefinitionInvalid) as refused:
            definitions.publish(text=flow(steps), actor="ada")
        return [(problem.code, problem.path) for problem in refused.value.problems]

    assert refusal(ASK) == [("UNKNOWN_TABLE", "steps[0].decide.table")]
    publish("1.0.0-rc.1")
    assert refusal(ASK) == [("UNKNOWN_TABLE", "steps[0].decide.table")]
    publish("2.0.0")
    assert refusal(PINNED) == [("UNKNOWN_TABLE", "steps[0].decide.version")]
    assert definitions.publish(text=flow(ASK), actor="ada").version == "1.0.0"


def test_the_outline_of_an_instance_calls_the_step_by_its_kind(driver: Driver) -> None:
    publish()
    instance = driver.start(flow(ASK), GOLD)

    (line,) = outline.lines(instance.definition_version.document["steps"], limit=9)

    assert (line.path, line.kind) == ("rule", "decide")
