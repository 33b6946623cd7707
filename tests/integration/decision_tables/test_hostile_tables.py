"""Tables made to exhaust, to confuse or to break out: refused or ended within a second, whoever reads them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.integration.decision_tables.documents import discounts
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.models import DecisionTable
from workflows_app.services import decision_tables

HEAVY = "size([1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, a * b * c)))) > 99"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


def table(*rules: Any, **more: Any) -> str:
    return json.dumps(
        {
            "table": "hostile",
            "version": "1.0.0",
            "inputs": [{"name": "n", "type": "number"}],
            "outputs": [{"name": "o"}],
            "rules": [{"then": {"o": 1}, **rule} for rule in rules],
            **more,
        }
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "table: " + "[" * 10_000 + "]" * 10_000,
        "table: !!python/object/apply:os.system [ls]",
        discounts() + "table: again\n",
        "x" * 1_000_001,
        b"\xff\xfe",
        table({"if": "input.__class__"}),
        table({"if": "secret('bank') == 'x'"}),
        table({"if": "steps.a.output"}),
        table({"if": "now > 1"}),
        table({"then": {"o": "${ vars.x }"}}),
        table({"if": "9**9**9"}),
        table({"if": "x" * 20_000}),
        table({"if": "(" * 5_000 + "1" + ")" * 5_000}),
        table(*[{"if": " && ".join(f"input.n != {n}" for n in range(40))}] * 1000),
        table({"then": {"o": ["${ 1 }"] * 2000}}),
        table({}, outputs=[{"name": f"o{n}"} for n in range(30_000)]),
        table({"when": {"n": "[1.." + "9" * 5000 + "]"}}),
        table({"when": {"n": ">" * 100_000}}),
        table({"when": {"n": 10**400}}),
        table({"when": {"n": float("nan")}}),
        table({}, table="x'; DROP TABLE workflows_app_instance; --"),
        table({}, table="../../etc/passwd"),
        table({}, table="a" * 200),
    ],
    ids=lambda text: str(text)[:30] if len(str(text)) < 300 else f"{str(text)[:12]}-{len(text)}",
)
def test_a_hostile_document_is_refused_at_once_and_nothing_is_stored(text: str | bytes) -> None:
    began = time.process_time()

    with pytest.raises(DefinitionInvalid) as refused:
        decision_tables.publish(text=text, actor="mallory")

    assert time.process_time() - began < 20
    assert refused.value.problems
    assert not DecisionTable.objects.exists()


def test_a_table_full_of_bombs_costs_a_step_no_more_than_one_expression_may(driver: Driver) -> None:
    decision_tables.publish(text=table(*[{"if": HEAVY}] * 900), actor="mallory")
    began = time.process_time()

    ended = driver.run(driver.start(flow("  - {id: rule, decide: {table: hostile, input: {n: 1}}}")))

    assert time.process_time() - began < 20
    assert (ended["state"], ended["error"]["code"]) == ("failed", "EXPRESSION_LIMIT")


def test_outputs_and_messages_are_kept_as_they_are_and_never_run(driver: Driver) -> None:
    odd = "<script>{{7*7}}{% now %}$${ input.n }\x1b[2J"
    decision_tables.publish(text=table({"then": {"o": odd}}), actor="mallory")

    head = 'output: "${ steps.rule.output.o }"'
    ended = driver.run(driver.start(flow("  - {id: rule, decide: {table: hostile, input: {n: 1}}}", head=head)))

    assert ended["output"] == odd.replace("$${", "${")


def test_an_input_may_name_what_it_likes_and_reaches_nothing(driver: Driver) -> None:
    decision_tables.publish(text=table({"if": "input.n > 0"}), actor="ada")
    given = '{n: 1, constructor: x, "a b": y, "${ 1 }": z}'

    ended = driver.run(driver.start(flow(f"  - {{id: rule, decide: {{table: hostile, input: {given}}}}}")))

    assert ended["state"] == "completed"
