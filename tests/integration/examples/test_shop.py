"""The example shop: one effect and one answer per key, undo without the answer, and no request that stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from examples.order_processing import catalogue
from examples.order_processing.shop.database import Database, prepare
from tests.services.processes import PATIENCE, eventually

ROOT = Path(__file__).parents[3]


def test_an_order_that_goes_through_leaves_balanced_books(shop):
    made = shop.buy("A-1")

    confirmed = shop.post("/confirmations", "A-1:confirm", order_id="A-1", shipment=made["shipment"])

    assert confirmed.status_code == 200
    books = shop.books()
    assert books.balanced
    assert (books.figures["takings_cents"], books.figures["units_shipped"]) == (1290, 1)


def test_validation_prices_the_order(shop):
    order = {"order_id": "A-1", "amount_cents": 3420, "lines": [{"sku": "mug-red", "quantity": 1}]}
    order["lines"] += [{"sku": "mug-red", "quantity": 1}, {"sku": "tea-assam", "quantity": 1}]

    answer = shop.post("/orders/validate", "A-1:validate", order=order)

    assert answer.json()["total_cents"] == 3420
    assert answer.json()["lines"] == [{"sku": "mug-red", "quantity": 2}, {"sku": "tea-assam", "quantity": 1}]


@pytest.mark.parametrize(
    ("sku", "amount", "code"), [("mug-red", 1, "AMOUNT_WRONG"), ("mug-transparent", 1290, "PRODUCT_UNKNOWN")]
)
def test_validation_refuses_a_wrong_order(shop, sku, amount, code):
    order = {"order_id": "A-1", "amount_cents": amount, "lines": [{"sku": sku, "quantity": 1}]}

    answer = shop.post("/orders/validate", "A-1:validate", order=order)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_a_repeated_call_gets_the_same_answer_and_has_one_effect(shop):
    first = shop.pay("A-1")
    second = shop.pay("A-1")

    assert second.json() == first.json()
    assert ("Idempotent-Replayed" in first.headers, "Idempotent-Replayed" in second.headers) == (False, True)
    assert shop.books().figures["payments"] == 1


def test_calls_with_one_key_at_the_same_moment_have_one_effect(shop):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: shop.reserve("A-1", quantity=3).text, range(24)))

    assert len(set(answers)) == 1
    assert shop.books().figures["units_reserved"] == 3


def test_a_refusal_is_repeated_too(shop):
    answers = [shop.pay("A-1", card="declined") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [402, 402]
    assert answers[0].json() == answers[1].json()
    assert shop.books().figures["payments"] == 0


def test_a_key_cannot_serve_two_requests(shop):
    shop.pay("A-1", key="one")

    answer = shop.pay("A-2", key="one")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "KEY_REUSED")


def test_a_paid_order_is_not_charged_under_another_key(shop):
    shop.pay("A-1")

    answer = shop.pay("A-1", key="another")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ALREADY_PAID")


def test_an_empty_shelf_reserves_nothing_of_the_order(shop):
    lines = [{"sku": "mug-blue", "quantity": 1}, {"sku": catalogue.SOLD_OUT, "quantity": 1}]

    answer = shop.post("/stock/reserve", "A-1:reserve", order_id="A-1", lines=lines)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OUT_OF_STOCK")
    assert shop.books().figures["units_reserved"] == 0


def test_a_bad_address_is_not_delivered_to(shop):
    shop.pay("A-1")
    reservation = shop.reserve("A-1").json()["id"]
    nowhere = {"name": "A", "street": "B", "postal_code": "00000", "city": "Nowhere", "country": "DE"}

    answer = shop.ship("A-1", reservation, address=nowhere)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ADDRESS_UNREACHABLE")


def test_a_flaky_service_works_at_the_third_call(shop):
    reservation = shop.reserve("A-0").json()["id"]
    calls = {
        "payment": lambda: shop.pay("A-1", trouble="flaky_payment"),
        "stock": lambda: shop.reserve("A-1", trouble="flaky_stock"),
        "shipment": lambda: shop.ship("A-0", reservation, trouble="flaky_shipment"),
    }

    statuses = {service: [call().status_code for _ in range(4)] for service, call in calls.items()}

    assert statuses == {service: [503, 503, 200, 200] for service in calls}


def test_a_late_payment_is_taken_and_answered_to_the_repeat(shop):
    with pytest.raises(httpx.TimeoutException):
        shop.client.post(
            f"{shop.url}/payments",
            json={"order_id": "A-1", "amount_cents": 1290, "card": "card-1", "trouble": "late_payment"},
            headers={"Idempotency-Key": "A-1:pay"},
            timeout=0.5,
        )
    eventually(lambda: shop.books().figures["payments"] == 1, PATIENCE, "the payment is taken")

    answer = shop.pay("A-1", trouble="late_payment")

    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (200, "true")
    assert shop.books().figures["payments"] == 1


def test_an_always_late_payment_is_refunded_by_its_key(shop):
    with ThreadPoolExecutor(2) as pool:
        late = [pool.submit(shop.pay, "A-1", trouble="late_payment_always") for _ in range(2)]
        refunds = []
        while not refunds or not refunds[-1].get("refunded"):  # until the charge has arrived at all
            arrived = shop.books().figures["payments"] == 1
            if arrived:
                refunds.append(shop.post("/payments/refund", "A-1:pay:undo", payment=None, key="A-1:pay").json())
        unanswered = not any(call.done() for call in late)
        shop.waiting_ends.set()

    assert unanswered
    assert late[0].result().json()["id"] == refunds[-1]["payment"]
    assert shop.books().balanced


@pytest.mark.parametrize(
    ("undo", "original", "answer_field"),
    [
        ("/payments/refund", "pay", "refunded"),
        ("/stock/release", "reserve", "released"),
        ("/shipments/cancel", "ship", "cancelled"),
    ],
)
def test_an_undo_that_overtakes_its_request_leaves_it_without_effect(shop, undo, original, answer_field):
    shop.reserve("A-0")
    calls = {
        "pay": lambda: shop.pay("A-1"),
        "reserve": lambda: shop.reserve("A-1"),
        "ship": lambda: shop.ship("A-1", "res_any"),
    }

    undone = shop.post(undo, f"A-1:{original}:undo", key=f"A-1:{original}")
    arrived = calls[original]()

    assert (undone.status_code, undone.json()[answer_field]) == (200, False)
    assert (arrived.status_code, arrived.json()["error"]["code"]) == (409, "KEY_VOIDED")
    assert shop.books().figures["requests_repeated"] == 0
    assert "PAYMENT_WITHOUT_SHIPMENT" not in shop.broken_rules()


def test_everything_undone_in_reverse_leaves_balanced_books(shop):
    made = shop.buy("A-1")

    answers = [
        shop.post("/shipments/cancel", "A-1:ship:undo", shipment=made["shipment"], key="A-1:ship"),
        shop.post("/stock/release", "A-1:reserve:undo", reservation=made["reservation"], key="A-1:reserve"),
        shop.post("/payments/refund", "A-1:pay:undo", payment=made["payment"], key="A-1:pay"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    books = shop.books()
    assert books.balanced
    assert books.figures["units_on_hand"] == books.figures["units_initial"]
    assert books.figures["takings_cents"] == 0


def test_an_undo_is_done_once(shop):
    payment = shop.pay("A-1").json()["id"]

    first, repeated = (shop.post("/payments/refund", "A-1:pay:undo", payment=payment) for _ in range(2))
    other = shop.post("/payments/refund", "another", payment=payment)

    assert first.json()["refunded"] is True
    assert repeated.json() == first.json()
    assert other.json() == {"refunded": False, "payment": payment, "reason": "refunded before"}
    assert shop.books().figures["refunds"] == 1


def test_a_payment_can_be_refunded_by_its_order(shop):
    shop.pay("A-1")

    answers = [shop.post("/payments/refund", f"A-1:{number}", order_id="A-1").json() for number in range(2)]

    assert [answer["refunded"] for answer in answers] == [True, False]


def test_shipped_units_are_not_released(shop):
    made = shop.buy("A-1")

    answer = shop.post("/stock/release", "A-1:reserve:undo", reservation=made["reservation"])

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SHIPPED")


@pytest.mark.parametrize(
    ("path", "headers", "content", "status", "code"),
    [
        ("/payments", {}, b"{}", 400, "KEY_REQUIRED"),
        ("/payments", {"Idempotency-Key": "k" * 301}, b"{}", 400, "KEY_REQUIRED"),
        ("/payments", {"Idempotency-Key": "k"}, b"{", 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b"[" * 90_000, 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b"NaN", 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b'{"card": "\\u0000"}', 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b'{"card": "\\ud800"}', 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b"\xff", 400, "NOT_JSON"),
        ("/payments", {"Idempotency-Key": "k"}, b"[]", 400, "BODY_INVALID"),
        ("/payments", {"Idempotency-Key": "k"}, b'{"order_id": "A"}', 400, "BODY_INVALID"),
        ("/payments/refund", {"Idempotency-Key": "k"}, b'{"payment": null}', 400, "BODY_INVALID"),
        ("/payments/refund", {"Idempotency-Key": "k"}, b'{"payment": "pay_x"}', 404, "PAYMENT_UNKNOWN"),
        ("/payments", {"Idempotency-Key": "k"}, b" " * 100_001, 413, "TOO_LARGE"),
        ("/nothing", {"Idempotency-Key": "k"}, b"{}", 404, "NOT_FOUND"),
        ("/books", {"Idempotency-Key": "k"}, b"{}", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(shop, path, headers, content, status, code):
    answer = httpx.post(shop.url + path, headers=headers, content=content, trust_env=False, timeout=60)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert shop.client.get(f"{shop.url}/health").json() == {"status": "ok"}
    assert shop.books().figures["payments"] == 0


def test_a_caller_that_hangs_up_disturbs_nobody(shop):
    address = urlsplit(shop.url)
    for request in (b"", b"POST /payments HTTP/1.1\r\nContent-Length: 50\r\n\r\n{", b"\x16\x03\x01 nonsense\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port)) as caller:
            caller.sendall(request)

    assert shop.pay("A-1").status_code == 200


def test_the_shop_comes_back_with_its_database(shop):
    shop.pay("A-1")
    with psycopg2.connect(shop.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shop'")
    connection.close()

    answers = [shop.pay("A-1") for _ in range(3)]

    assert {answer.status_code for answer in answers} <= {200, 503}
    assert answers[-1].status_code == 200


def test_the_books_are_served(shop):
    shop.pay("A-1")

    books = shop.client.get(f"{shop.url}/books").json()

    assert books["balanced"] is False
    assert books["figures"]["payments"] == 1
    assert [rule["code"] for rule in books["rules"] if rule["breaches"]] == ["PAYMENT_WITHOUT_SHIPMENT"]


def test_two_shops_that_open_at_once_build_one_schema(database_url):
    databases = [Database(database_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(prepare, databases))

    for database in databases:
        database.close()
    assert sorted(built) == [False, False, False, True]


def _run(database_url: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.order_processing.shop", "--port", "0", *options],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_shop_is_a_process_that_ends_cleanly_and_keeps_its_books_until_reset(database_url):
    payments = []
    for options in ([], [], ["--reset"]):
        with _run(database_url, *options) as process:
            url = process.stdout.readline().split()[-1]
            # An idle caller that is kept alive does not hold it.
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                payments.append(client.get("/books").json()["figures"]["payments"])
                body = {"order_id": "A-1", "amount_cents": 5, "card": "card-1", "trouble": None}
                client.post("/payments", json=body, headers={"Idempotency-Key": "A-1:pay"})
                process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

    assert payments == [0, 1, 0]


def test_a_shop_without_a_database_says_so():
    with _run("postgresql://nobody@127.0.0.1:1/none") as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "cannot prepare the database" in errors
    assert "Traceback" not in errors
