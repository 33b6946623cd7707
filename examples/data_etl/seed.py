"""Make the log of events, the table for analysis and the file of places, or add events.

``python -m examples.data_etl.seed`` begins anew with 4,500 events; ``--add 300`` appends to the log that is there.
Every fiftieth event or so is faulty. The same numbers give the same events.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from examples.file_root import file_root

FOLDER = "data_etl"
FIRST_EVENTS = 4_500

LOG = """
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, kind TEXT, place TEXT, amount REAL,
                     happened_at TEXT);
"""
# Understood by SQLite and by PostgreSQL.
ANALYSIS = """
CREATE TABLE events_processed (seq BIGINT PRIMARY KEY, event_id TEXT, kind TEXT, amount DOUBLE PRECISION,
                               happened_at TEXT, place TEXT, city TEXT, country TEXT, latitude DOUBLE PRECISION,
                               longitude DOUBLE PRECISION, rejected JSON);
"""
PLACES = (
    {"code": "BER", "city": "Berlin", "country": "DE", "latitude": 52.52, "longitude": 13.405},
    {"code": "LIS", "city": "Lisbon", "country": "PT", "latitude": 38.722, "longitude": -9.139},
    {"code": "OSL", "city": "Oslo", "country": "NO", "latitude": 59.913, "longitude": 10.752},
    {"code": "TYO", "city": "Tokyo", "country": "JP", "latitude": 35.69, "longitude": 139.692},
)
KINDS = ("view", "cart", "purchase", "refund")
FAULTS: tuple[dict[str, Any], ...] = (
    {"event_id": ""},
    {"place": "XXX"},
    {"happened_at": "12 o'clock"},
    {"amount": "much"},
)


def event(number: int) -> dict[str, Any]:
    """The event with this number, from 1; the log numbers them the same."""
    zone = timezone(timedelta(hours=(-5, 0, 1, 9)[number % 4]))
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=37 * number)
    sound = {
        "event_id": f"e-{number:06}",
        "kind": KINDS[number % len(KINDS)],
        "place": PLACES[number % len(PLACES)]["code"],
        "amount": number % 97 * 0.5,
        "happened_at": at.astimezone(zone).isoformat(),
    }
    return sound | (fault(number) or {})


def fault(number: int) -> dict[str, Any] | None:
    """What is wrong with an event, if anything is."""
    return FAULTS[number // 49 % len(FAULTS)] if number % 49 == 0 else None


def seed(root: Path, *, events: int = FIRST_EVENTS) -> Path:
    """Make everything anew below ``root``; returns the folder."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, tables in {"source.db": LOG, "analysis.db": ANALYSIS}.items():
        (folder / name).unlink(missing_ok=True)
        with closing(sqlite3.connect(folder / name)) as database, database:
            database.executescript(tables)
    with (folder / "places.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(PLACES[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(PLACES)
    add(root, events)
    return folder


def add(root: Path, count: int) -> int:
    """Append so many events to the log below ``root``; returns how many it has then."""
    with closing(sqlite3.connect(f"{(root / FOLDER / 'source.db').as_uri()}?mode=rw", uri=True)) as log, log:
        (there,) = log.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        log.executemany(
            "INSERT INTO events (event_id, kind, place, amount, happened_at)"
            " VALUES (:event_id, :kind, :place, :amount, :happened_at)",
            [event(there + number) for number in range(1, count + 1)],
        )
    return int(there) + count


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.data_etl.seed", description="Make a log of events.")
    parser.add_argument("--add", type=int, metavar="N", help="append N events to the log that is there")
    options = parser.parse_args(arguments)
    root = file_root().resolve()
    if options.add is None:
        print(f"seeded {seed(root)} with {FIRST_EVENTS} events")
        return 0
    try:
        print(f"the log has {add(root, options.add)} events")
    except sqlite3.OperationalError as error:
        print(f"seed: no log in {root / FOLDER}: {error}; run it without --add first", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
