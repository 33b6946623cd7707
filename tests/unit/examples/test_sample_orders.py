"""The sample orders: reproducible, varied, and in the shape that the workflow takes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from examples.order_processing import make_orders, orders

WORKFLOW = yaml.safe_load((Path(orders.FILE).with_name("workflow.yaml")).read_text(encoding="utf-8"))


def test_the_file_is_what_its_maker_makes_byte_for_byte():
    assert orders.FILE.read_bytes() == make_orders.text().encode()


def test_there_are_200_orders_with_ids_of_their_own():
    batch = orders.load()

    assert len(batch) == len({order["order_id"] for order in batch}) == 200


def test_most_orders_are_good_and_every_trouble_occurs():
    batch = orders.load()

    troubles = Counter(order["trouble"] for order in batch if "trouble" in order)
    endings = Counter(orders.expected_state(order) for order in batch)

    assert troubles == {
        kind: count for kind, count in make_orders.MISHAPS.items() if kind.startswith(("flaky", "late"))
    }
    assert endings == {"completed": 158, "compensated": 28, "failed": 14}


def test_express_and_gifts_occur_together_and_alone():
    combinations = Counter((order["express"], order["gift"]) for order in orders.load())

    assert all(combinations[express, gift] > 0 for express in (True, False) for gift in (True, False))


def test_every_order_is_an_input_that_the_workflow_takes():
    validator = Draft202012Validator(WORKFLOW["input"])

    assert [problem.message for order in orders.load() for problem in validator.iter_errors(order)] == []


def test_a_run_label_gives_the_orders_new_ids():
    assert orders.load(run="b")[0]["order_id"] == f"{orders.load()[0]['order_id']}-b"
