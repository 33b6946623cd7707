"""The rules by which the shop's books balance, each a query that finds what breaks it.

Rules of one order hold when its workflow has ended, so they can be asked for chosen orders only; the rules of the
stock hold at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``query`` yields one row ``(subject, detail)`` per breach; ``{chosen}`` limits it to the orders asked for."""

    code: str
    title: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found: no breaches, or each with its subject and detail."""

    rule: Rule
    breaches: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The totals and what every rule found."""

    figures: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def balanced(self) -> bool:
        return not any(finding.breaches for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        return {
            "balanced": self.balanced,
            "figures": self.figures,
            "rules": [
                {
                    "code": finding.rule.code,
                    "title": finding.rule.title,
                    "breaches": [{"subject": subject, "detail": detail} for subject, detail in finding.breaches],
                }
                for finding in self.findings
            ],
        }


CHOSEN = "(%(orders)s::text[] IS NULL OR {alias}.order_id = ANY (%(orders)s::text[]))"

RULES = (
    Rule(
        code="PAYMENT_WITHOUT_SHIPMENT",
        title="every payment has a shipment or a refund",
        query="""
            SELECT p.order_id, p.id || ' of ' || p.amount_cents || ' cents'
              FROM shop.payments p
             WHERE p.refunded_at IS NULL AND {p}
               AND NOT EXISTS (SELECT FROM shop.shipments s WHERE s.order_id = p.order_id AND s.cancelled_at IS NULL)
             ORDER BY 1, 2""",
    ),
    Rule(
        code="SHIPMENT_WITHOUT_PAYMENT",
        title="every shipment has a payment",
        query="""
            SELECT s.order_id, s.id
              FROM shop.shipments s
             WHERE s.cancelled_at IS NULL AND {s}
               AND NOT EXISTS (SELECT FROM shop.payments p WHERE p.order_id = s.order_id AND p.refunded_at IS NULL)
             ORDER BY 1, 2""",
    ),
    Rule(
        code="PAID_TWICE",
        title="no order has two payments that are not refunded",
        query="""
            SELECT p.order_id, count(*) || ' payments'
              FROM shop.payments p WHERE p.refunded_at IS NULL AND {p}
             GROUP BY 1 HAVING count(*) > 1 ORDER BY 1""",
    ),
    Rule(
        code="SHIPPED_TWICE",
        title="no order has two active shipments",
        query="""
            SELECT s.order_id, count(*) || ' shipments'
              FROM shop.shipments s WHERE s.cancelled_at IS NULL AND {s}
             GROUP BY 1 HAVING count(*) > 1 ORDER BY 1""",
    ),
    Rule(
        code="PRICE_WRONG",
        title="what was shipped was paid for, to the cent",
        query="""
            SELECT s.order_id, paid.cents || ' cents paid, ' || worth.cents || ' shipped'
              FROM shop.shipments s
             CROSS JOIN LATERAL (SELECT sum(l.quantity * i.price_cents) AS cents FROM shop.reservation_lines l
                                   JOIN shop.products i USING (sku) WHERE l.reservation_id = s.reservation_id) worth
             CROSS JOIN LATERAL (SELECT sum(p.amount_cents) AS cents FROM shop.payments p
                                  WHERE p.order_id = s.order_id AND p.refunded_at IS NULL) paid
             WHERE s.cancelled_at IS NULL AND paid.cents <> worth.cents AND {s}
             ORDER BY 1, 2""",
    ),
    Rule(
        code="RESERVED_LEFT",
        title="no units stay reserved",
        query="""
            SELECT r.order_id, r.id FROM shop.reservations r WHERE r.state = 'reserved' AND {r} ORDER BY 1, 2""",
    ),
    Rule(
        code="STOCK_LOST",
        title="initial stock = on hand + reserved + shipped",
        query="""
            SELECT k.sku, k.initial || ' <> ' || k.on_hand || ' + ' || k.reserved || ' + ' || k.shipped
              FROM shop.stock k
             WHERE k.initial <> k.on_hand + k.reserved + k.shipped
             ORDER BY 1""",
    ),
    Rule(
        code="STOCK_UNACCOUNTED",
        title="reserved and shipped stock are the sums of the orders' lines",
        query="""
            SELECT k.sku, 'reserved ' || k.reserved || ', lines ' || lines.reserved
                          || '; shipped ' || k.shipped || ', lines ' || lines.shipped
              FROM shop.stock k
             CROSS JOIN LATERAL (
                   SELECT coalesce(sum(l.quantity) FILTER (WHERE s.id IS NULL AND r.state <> 'released'), 0)
                              AS reserved,
                          coalesce(sum(l.quantity) FILTER (WHERE s.id IS NOT NULL), 0) AS shipped
                     FROM shop.reservation_lines l
                     JOIN shop.reservations r ON r.id = l.reservation_id
                     LEFT JOIN shop.shipments s ON s.reservation_id = r.id AND s.cancelled_at IS NULL
                    WHERE l.sku = k.sku) lines
             WHERE k.reserved <> lines.reserved OR k.shipped <> lines.shipped
             ORDER BY 1""",
    ),
    Rule(
        code="EFFECT_REPEATED",
        title="every idempotency key had one effect at most",
        query="""
            SELECT e.key, count(*) || ' effects: ' || string_agg(e.kind || ' ' || e.subject, ', ' ORDER BY e.number)
              FROM shop.effects e WHERE {e}
             GROUP BY 1 HAVING count(*) > 1 ORDER BY 1""",
    ),
    Rule(
        code="EFFECT_UNRECORDED",
        title="every payment, refund, reservation and shipment stands in the journal once",
        query="""
            SELECT f.order_id, f.kind || ' ' || f.subject
              FROM (SELECT order_id, 'charged' AS kind, id AS subject FROM shop.payments
                    UNION ALL SELECT order_id, 'refunded', id FROM shop.payments WHERE refunded_at IS NOT NULL
                    UNION ALL SELECT order_id, 'reserved', id FROM shop.reservations
                    UNION ALL SELECT order_id, 'shipped', id FROM shop.shipments
                    UNION ALL SELECT order_id, 'cancelled', id FROM shop.shipments WHERE cancelled_at IS NOT NULL) f
             WHERE {f} AND 1 <> (SELECT count(*) FROM shop.effects e WHERE e.subject = f.subject AND e.kind = f.kind)
             ORDER BY 1, 2""",
    ),
)

FIGURES = """
    SELECT 'payments', count(*) FROM shop.payments
    UNION ALL SELECT 'refunds', count(*) FROM shop.payments WHERE refunded_at IS NOT NULL
    UNION ALL SELECT 'takings_cents', coalesce(sum(amount_cents), 0) FROM shop.payments WHERE refunded_at IS NULL
    UNION ALL SELECT 'shipments', count(*) FROM shop.shipments WHERE cancelled_at IS NULL
    UNION ALL SELECT 'shipments_cancelled', count(*) FROM shop.shipments WHERE cancelled_at IS NOT NULL
    UNION ALL SELECT 'confirmations', count(*) FROM shop.confirmations
    UNION ALL SELECT 'units_initial', coalesce(sum(initial), 0) FROM shop.stock
    UNION ALL SELECT 'units_on_hand', coalesce(sum(on_hand), 0) FROM shop.stock
    UNION ALL SELECT 'units_reserved', coalesce(sum(reserved), 0) FROM shop.stock
    UNION ALL SELECT 'units_shipped', coalesce(sum(shipped), 0) FROM shop.stock
    UNION ALL SELECT 'requests', count(*) FROM shop.requests WHERE calls > 0
    UNION ALL SELECT 'requests_repeated', coalesce(sum(calls - 1), 0) FROM shop.requests WHERE calls > 1
    UNION ALL SELECT 'keys_voided', count(*) FROM shop.requests WHERE body_digest IS NULL
"""


def examine(cursor: Any, *, orders: Sequence[str] | None = None) -> Books:
    """Read the books as they stand at one moment.

    Args:
        cursor: at the beginning of a transaction, which becomes read-only.
        orders: the orders whose workflows have ended; every order when left out.
    """
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    chosen = {alias: CHOSEN.format(alias=alias) for alias in "persf"}
    values = {"orders": None if orders is None else list(orders)}
    findings = []
    for rule in RULES:
        cursor.execute(rule.query.format(**chosen), values)
        findings.append(Finding(rule=rule, breaches=tuple(cursor.fetchall())))
    cursor.execute(FIGURES)
    return Books(figures={name: int(number) for name, number in cursor.fetchall()}, findings=tuple(findings))
