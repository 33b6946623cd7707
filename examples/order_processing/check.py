"""Do the shop's books balance? ``python -m examples.order_processing.check`` says yes (0) or no (1)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

import psycopg2

from examples.order_processing.shop import books

SHOWN = 5  # breaches of one rule in the table; JSON has them all


def examine(database_url: str, *, orders: Sequence[str] | None = None) -> books.Books:
    """Read the books once.

    Args:
        database_url: PostgreSQL URL or DSN of the shop's database.
        orders: ids of the orders whose workflows have ended; every order when left out.

    Raises:
        psycopg2.Error: when the database does not answer or holds no shop.
    """
    connection = psycopg2.connect(database_url, connect_timeout=5, application_name="shop-check")
    try:
        with connection, connection.cursor() as cursor:
            return books.examine(cursor, orders=orders)
    finally:
        connection.close()


def table(result: books.Books) -> str:
    """The result for people: the figures, then one line per rule with what breaks it below."""
    figures = result.figures
    lines = [
        f"payments      {figures['payments']:>7}   refunded {figures['refunds']}, "
        f"takings {figures['takings_cents'] / 100:.2f}",
        f"shipments     {figures['shipments']:>7}   cancelled {figures['shipments_cancelled']}, "
        f"confirmed {figures['confirmations']}",
        f"units         {figures['units_initial']:>7}   = {figures['units_on_hand']} on hand "
        f"+ {figures['units_reserved']} reserved + {figures['units_shipped']} shipped",
        f"requests      {figures['requests']:>7}   repeated {figures['requests_repeated']}, "
        f"voided before they came {figures['keys_voided']}",
        "",
    ]
    for finding in result.findings:
        count = len(finding.breaches)
        lines.append(f"{'ok    ' if not count else 'BROKEN'}  {finding.rule.title}" + (f": {count}" if count else ""))
        lines += [f"          {subject}: {detail}" for subject, detail in finding.breaches[:SHOWN]]
        if count > SHOWN:
            lines.append(f"          and {count - SHOWN} more")
    lines += ["", "The books balance." if result.balanced else "The books do not balance."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 balanced, 1 not or not readable, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.order_processing.check",
        description="Check that the shop's books balance. Without orders, no order may be under way.",
        fromfile_prefix_chars="@",
    )
    parser.add_argument("orders", nargs="*", help="ids of ended orders; @FILE reads them, one a line (default: all)")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    options = parser.parse_args(arguments)
    if not options.database_url:
        parser.error("say --database-url or set DATABASE_URL")
    try:
        result = examine(options.database_url, orders=options.orders or None)
    except psycopg2.Error as error:
        print(f"check: cannot read the shop's books: {error}".rstrip(), file=sys.stderr)
        return 1
    print(json.dumps(result.as_dict(), indent=2) if options.format == "json" else table(result))
    return 0 if result.balanced else 1


if __name__ == "__main__":
    sys.exit(main())
