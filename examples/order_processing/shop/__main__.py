"""Run the shop: ``python -m examples.order_processing.shop --port 8090``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

import psycopg2

from examples.order_processing.shop.database import Database, prepare
from examples.order_processing.shop.server import Shop


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code: 0 after a clean end, 1 without a database or a port."""
    options = _parser().parse_args(arguments)
    if not options.database_url:
        print("shop: say --database-url or set DATABASE_URL", file=sys.stderr)
        return 2
    database = Database(options.database_url)
    try:
        prepare(database, reset=options.reset)
    except psycopg2.Error as error:
        print(f"shop: cannot prepare the database: {error}".rstrip(), file=sys.stderr)
        return 1
    try:
        shop = Shop((options.host, options.port), database, late_seconds=options.late_seconds, verbose=options.verbose)
    except OSError as error:
        print(f"shop: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=shop.serve_forever, name="shop", daemon=True).start()
    print(f"shop: listening on {shop.url}", flush=True)
    stop.wait()
    shop.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.order_processing.shop", description="A small shop to run workflows against."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any free one (default: %(default)s)")
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument("--reset", action="store_true", help="drop the shop's tables and begin anew")
    parser.add_argument(
        "--late-seconds", type=float, default=2.5, help="how late a late answer is (default: %(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="log every call")
    return parser


if __name__ == "__main__":
    sys.exit(main())
