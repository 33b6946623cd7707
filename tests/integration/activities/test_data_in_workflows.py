"""data.transform and data.validate inside workflows, over the real database; and how a misspelt one is refused."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.docs.pages import DOCS, blocks
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.activities import ActivityContext, registry
from workflows_app.engine.errors import Problem
from workflows_app.services import definitions
from workflows_app.services.steps import Claim

ORDERS = flow(
    """
  - id: check
    activity: data.validate
    with:
      input: "${ input.orders }"
      rules:
        - {field: customer, check: required}
        - {field: price, check: positive}
      on_invalid: "${ input.on_invalid }"
  - id: totals
    activity: data.transform
    with:
      input: "${ steps.check.output.valid }"
      operations:
        - {op: aggregate, group_by: [customer], values: {total: {sum: price}}}
        - {op: join, with: "${ input.customers }", on: {customer: id}}
        - {op: sort, by: [total], descending: true}
        - {op: template, text: "{name}: {total}"}
""",
    head="""
output:
  lines: "${ steps.totals.output.result }"
  summary: "${ steps.check.output.summary }"
""",
)
INPUT = {
    "on_invalid": "report",
    "customers": [{"id": 1, "name": "ada"}, {"id": 2, "name": "bea"}],
    "orders": [
        {"customer": 1, "price": 3},
        {"customer": 2, "price": 9.5},
        {"price": 1},
        {"customer": 1, "price": 4},
    ],
}


@pytest.fixture
def worker(driver: Driver, attempt: Callable[..., ActivityContext]) -> Driver:
    """A driver that performs both activities for real."""
    registry.discover()

    def perform(claim: Claim) -> Any:
        return registry.get(claim.activity).perform(claim.parameters, attempt(step=claim.path))

    driver.perform = {"check": perform, "totals": perform}
    return driver


def problems(steps: str) -> list[Problem]:
    registry.discover()
    return definitions.validate(text=flow(steps))


def test_a_workflow_checks_and_transforms_its_input(worker: Driver) -> None:
    view = worker.run(worker.start(ORDERS, INPUT))

    assert view["state"] == "completed", view["error"]
    assert view["output"] == {
        "lines": ["bea: 9.5", "ada: 7"],
        "summary": {"total": 4, "valid": 3, "invalid": 1, "error_rate": 0.25},
    }


def test_invalid_data_fails_the_step_without_another_attempt(worker: Driver) -> None:
    document = ORDERS.replace("steps:\n", "defaults: {retry: {max_attempts: 5}}\nsteps:\n", 1)

    view = worker.run(worker.start(document, INPUT | {"on_invalid": "fail"}))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "DATA_INVALID"
    assert worker.calls == [("check", "action")]


def test_a_failed_operation_says_where_in_the_instances_error(worker: Driver) -> None:
    mixed = [{"customer": 1, "price": 3}, {"customer": 1, "price": 4}]
    document = ORDERS.replace("{op: sort, by: [total]", "{op: sort, by: [name]")
    customers = [{"id": 1, "name": "ada"}, {"id": 1, "name": 7}]

    view = worker.run(worker.start(document, INPUT | {"orders": mixed, "customers": customers}))

    assert view["error"]["code"] == "TRANSFORM_FAILED"
    assert "operations[2] (sort), item 1, field name" in json.dumps(view["error"])


def test_a_result_beyond_the_output_limit_fails_the_step(worker: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 2_000
    document = flow("""
  - id: totals
    activity: data.transform
    with: {input: "${ input.rows }", operations: [{op: map, fields: {text: "'0123456789' + string(index)"}}]}
""")

    view = worker.run(worker.start(document, {"rows": [0] * 500}))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "TOO_LARGE"


def shown(activity: str) -> str:
    """The guide's example of an activity, as a document whose output is the step's."""
    (block,) = [b for b in blocks(DOCS / "guides" / "activities.md") if f"activity: {activity}\n" in b.text]
    step = block.text.split()[2]
    return flow(textwrap.indent(block.text, "  "), head=f'output: "${{ steps.{step}.output }}"')


def test_the_guides_example_of_a_transformation_runs(worker: Driver) -> None:
    view = worker.run(worker.start(shown("data.transform")))

    assert view["output"]["result"] == [
        {"name": "ada", "total": 30.5, "days": ["01 March"], "line": "ada: 30.5"},
        {"name": "bea", "total": 12, "days": ["03 March"], "line": "bea: 12"},
    ]


def test_the_guides_example_of_a_validation_runs(worker: Driver) -> None:
    output = worker.run(worker.start(shown("data.validate")))["output"]

    assert output["summary"] == {"total": 2, "valid": 1, "invalid": 1, "error_rate": 0.5}
    assert [problem["code"] for problem in output["invalid"][0]["problems"]] == ["PATTERN", "POSITIVE", "REQUIRED"]


@pytest.mark.parametrize(
    ("operation", "code", "path"),
    [
        ("{op: fliter, where: item.a}", "INVALID_PARAMETER", "steps[0].with.operations[0].op"),
        ("{op: filter, wehre: item.a}", "UNKNOWN_PARAMETER", "steps[0].with.operations[0].wehre"),
        ("{op: filter, count: 1}", "INVALID_PARAMETER", "steps[0].with.operations[0].count"),
        ("{op: filter}", "MISSING_REQUIRED_INPUT", "steps[0].with.operations[0].where"),
        ("{op: select, fields: [a.b]}", "INVALID_PARAMETER", "steps[0].with.operations[0].fields[0]"),
        ('{op: join, wiht: "${ input.rows }", on: {a: a}}', "UNKNOWN_PARAMETER", "steps[0].with.operations[0].wiht"),
        ('{op: jion, with: "${ input.rows }", on: {a: a}}', "INVALID_PARAMETER", "steps[0].with.operations[0].op"),
    ],
)
def test_a_mistake_in_an_operation_is_found_when_the_definition_is_validated(
    db: None, operation: str, code: str, path: str
) -> None:
    found = problems(
        f'  - {{id: a, activity: data.transform, with: {{input: "${{ input.rows }}", operations: [{operation}]}}}}'
    )

    assert (code, path) in [(problem.code, problem.path) for problem in found]


def test_a_misspelt_check_is_found_when_the_definition_is_validated(db: None) -> None:
    found = problems("  - {id: a, activity: data.validate, with: {input: [], rules: [{field: a, check: requierd}]}}")

    assert [(p.code, p.path) for p in found] == [("INVALID_PARAMETER", "steps[0].with.rules[0].check")]
    assert "did you mean `required`?" in found[0].message
