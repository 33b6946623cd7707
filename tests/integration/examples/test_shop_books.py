"""The check finds what does not balance, names it, and says so with its exit code."""

from __future__ import annotations

import json

import psycopg2
import pytest

from examples.order_processing import check

BREACHES = {
    "PAYMENT_WITHOUT_SHIPMENT": "UPDATE shop.shipments SET cancelled_at = now()",
    "SHIPMENT_WITHOUT_PAYMENT": "UPDATE shop.payments SET refunded_at = now()",
    "PAID_TWICE": "DROP INDEX shop.payments_one_open_per_order;"
    " INSERT INTO shop.payments (order_id, key, amount_cents) VALUES ('A-1', 'again', 1290)",
    "SHIPPED_TWICE": "DROP INDEX shop.shipments_one_active_per_order;"
    " INSERT INTO shop.shipments (order_id, key, reservation_id, service, address)"
    " SELECT order_id, 'again', reservation_id, service, address FROM shop.shipments",
    "PRICE_WRONG": "UPDATE shop.payments SET amount_cents = 1",
    "RESERVED_LEFT": "UPDATE shop.reservations SET state = 'reserved'",
    "STOCK_LOST": "UPDATE shop.stock SET on_hand = on_hand - 1 WHERE sku = 'honey'",
    "STOCK_UNACCOUNTED": "UPDATE shop.stock SET on_hand = on_hand - 1, shipped = shipped + 1 WHERE sku = 'honey'",
    "EFFECT_REPEATED": "INSERT INTO shop.effects (key, kind, order_id, subject)"
    " SELECT key, kind, order_id, 'another' FROM shop.effects WHERE kind = 'charged'",
    "EFFECT_UNRECORDED": "DELETE FROM shop.effects WHERE kind = 'shipped'",
}


def tamper(database_url: str, statements: str) -> None:
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statements)
    connection.close()


@pytest.mark.parametrize("rule", BREACHES)
def test_the_check_finds(shop, rule):
    shop.buy("A-1")
    assert shop.books().balanced

    tamper(shop.database_url, BREACHES[rule])

    assert rule in shop.broken_rules()


def test_every_rule_has_a_breach_that_it_finds(shop):
    assert {finding.rule.code for finding in shop.books().findings} == set(BREACHES)


def test_the_command_prints_a_table_and_exits_0_for_balanced_books(shop, capsys):
    shop.buy("A-1")

    code = check.main(["--database-url", shop.database_url])

    assert code == 0
    printed = capsys.readouterr().out
    assert "takings 12.90" in printed
    assert printed.endswith("The books balance.\n")


def test_the_command_names_what_is_broken_and_exits_1(shop, capsys):
    shop.pay("A-1")

    code = check.main(["--database-url", shop.database_url])

    assert code == 1
    printed = capsys.readouterr().out
    assert "BROKEN  every payment has a shipment or a refund: 1\n          A-1: pay_" in printed
    assert printed.endswith("The books do not balance.\n")


def test_the_command_speaks_json(shop, capsys):
    shop.pay("A-1")

    code = check.main(["--database-url", shop.database_url, "--format", "json"])

    document = json.loads(capsys.readouterr().out)
    assert (code, document["balanced"]) == (1, False)
    assert [rule["breaches"][0]["subject"] for rule in document["rules"] if rule["breaches"]] == ["A-1"]


def test_orders_under_way_can_be_left_out(shop, capsys, tmp_path):
    shop.buy("A-1")
    shop.pay("A-2")
    ended = tmp_path / "ended"
    ended.write_text("A-1\n")

    codes = [check.main(["--database-url", shop.database_url, *orders]) for orders in (["A-1"], [f"@{ended}"], ["A-2"])]

    assert codes == [0, 0, 1]


def test_a_database_without_a_shop_is_refused_without_a_traceback(database_url, capsys):
    code = check.main(["--database-url", database_url])

    assert code == 1
    assert capsys.readouterr().err.startswith("check: cannot read the shop's books:")
