"""The shop's books balance, whatever happened: a fifth of the orders fail, and workers are killed again and again.

``make test`` feeds some orders; ``make test-books`` feeds 1,000 and kills a whole worker every five seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from examples.order_processing import check, orders
from tests.faults import invariants
from tests.faults.installations import QUICK, QUICK_BROKERS, Variant
from tests.services.fixtures import Services
from tests.services.processes import PATIENCE, REPOSITORY, Process, eventually, free_port
from workflows_app.engine.states import INSTANCE_ENDED

ORDERS = int(os.environ.get("SHOP_ORDERS", "0"))
FEW = 40
"""Orders of the sample file that are fed by ``make test``: of every kind but those whose answers come too late."""
KILL_SECONDS = 5.0
KILLS = 3
"""Of a few orders: a worker dies after each of so many equal parts of them."""
SECONDS_FOR_ONE = 2.0
"""Patience for each order of many; the late ones wait for time-outs of 15 s."""


class WithShop(Variant):
    """An installation, and the example's shop with a database of its own."""

    shop_url = ""


@pytest.fixture
def product(request: pytest.FixtureRequest, services: Services) -> Iterator[WithShop]:
    """An installation with a shop, a sweeper and no worker yet; all of it ends with the test."""
    broker = services.broker(request.param.partition(" ")[0])
    if not broker.ping():
        broker.start()
    port = free_port()
    connections = {"shop": {"base_url": f"http://127.0.0.1:{port}", "allow_private": True}}
    settings = {**QUICK, "ORCHESTRATOR_CONNECTIONS": json.dumps(connections)}
    cluster = services.cluster()
    product = WithShop(services.folder("shop"), cluster.clone(), broker, settings)
    product.shop_url = cluster.addresses(cluster.create())[0]
    shop = Process(
        "shop",
        [sys.executable, "-m", "examples.order_processing.shop", "--port", str(port)],
        environment=product.environment({"DATABASE_URL": product.shop_url}),
        log=product.folder / "shop.log",
    )
    product.processes.append(shop)
    shop.start()
    eventually(lambda: "listening" in shop.tail(), PATIENCE, lambda: f"the shop listens\n{shop.tail()}")
    product.sweeper()
    yield product
    product.stop()
    broker.flush()


def fed() -> list[dict[str, Any]]:
    """The orders of this run."""
    if not ORDERS:
        prompt = [order for order in orders.load() if "late" not in order.get("trouble", "")]
        # From both ends, so that some of each kind are among them.
        failing = [order for order in prompt if orders.expected_state(order) != "completed"]
        return [*failing[: FEW // 5], *(order for order in prompt if order not in failing)][:FEW]
    runs = (orders.load(run=str(number)) for number in itertools.count(1))
    return list(itertools.islice(itertools.chain.from_iterable(runs), ORDERS))


def states(product: Variant) -> Counter[str]:
    """How many instances are in each state."""
    with closing(psycopg2.connect(product.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM workflows_app_instance GROUP BY state")
        return Counter(dict(cursor.fetchall()))


def unexpected(product: Variant, order: dict[str, Any], instance: str) -> str | None:
    """Say what is wrong with the end of an order."""
    view, expected = product.show(instance), orders.expected_state(order)
    lost = any(attempt["state"] == "lost" for attempt in view["attempts"])
    # Nobody knows what an attempt did that was killed: its step is undone though a later attempt was refused.
    allowed = {expected, "compensated"} if expected == "failed" and lost else {expected}
    return None if view["state"] in allowed else f"{order['order_id']} ended {view['state']}, expected {expected}"


class Killer:
    """Kills the older of two workers when its time has come, and starts another one.

    Its time comes again and again, or, with a few orders, when so many of them have been fed.
    """

    def __init__(self, product: Variant) -> None:
        self.product = product
        self.workers = [product.worker(), product.worker()]
        self.killed = 0
        self.last = time.monotonic()

    def poll(self, begun: int) -> None:
        if ORDERS:
            due = time.monotonic() - self.last >= KILL_SECONDS
        else:
            due = self.killed < KILLS and begun >= FEW * (self.killed + 1) / (KILLS + 1)
        if not due:
            return
        self.workers.pop(0).kill()
        self.killed += 1
        self.last = time.monotonic()
        self.workers.append(self.product.worker())


@pytest.mark.parametrize("product", QUICK_BROKERS, indirect=True)
def test_the_books_balance_though_orders_fail_and_workers_are_killed(product: WithShop) -> None:
    product.publish(yaml.safe_load(Path(REPOSITORY, "examples/order_processing/workflow.yaml").read_text()))
    killer, ids = Killer(product), {}
    for order in fed():
        ids[order["order_id"]] = product.begin("order-processing", order)
        killer.poll(len(ids))

    def over() -> bool:
        killer.poll(len(ids))
        seen = states(product)
        return sum(seen[state] for state in INSTANCE_ENDED) == len(ids)

    eventually(
        over,
        PATIENCE + SECONDS_FOR_ONE * len(ids),
        lambda: f"all ended: {states(product)}\n{product.tails()}",
        every=0.2,
    )

    assert killer.killed
    unlike = [found for order in fed() if (found := unexpected(product, order, ids[order["order_id"]]))]
    assert not unlike, "\n".join(unlike)
    books = check.examine(product.shop_url, orders=list(ids))
    assert books.balanced, check.table(books)
    invariants.check(product, ids.values())
