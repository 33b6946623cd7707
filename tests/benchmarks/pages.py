"""``python -m tests.benchmarks.pages``: how long lists and the dashboard take with 100,000 instances in the database.

The instances are copies of some that really ran (``fill``): most have ended, some fail and are tried again, wait for
events, for workers or for people. Each page is asked for by a logged-in user, in this process: the time is the
server's, from the request to the last byte of the answer. A 95th percentile above the bound fails the command.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import fill, servers

BOUND_MS: Final = 300.0
WARM: Final = 2
SHARES: Final[Mapping[str, float]] = {
    "completed": 0.84,
    "failed": 0.05,
    "waiting": 0.05,
    "retrying": 0.03,
    "queued": 0.02,
    "paused": 0.01,
}
"""How the instances are divided."""
CHAIN: Final = "".join(f"\n  - {{id: s{n}, activity: core.echo, with: {{n: {n}}}}}" for n in range(7))


def main() -> int:
    """Fill a database, ask for the pages, print what they took; return 1 if one takes too long."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pages", description=__doc__)
    parser.add_argument("--fill", type=int, default=100_000, help="instances in the database (100000)")
    parser.add_argument("--repeat", type=int, default=40, help="how often each page is asked for (40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="bench-pages-", dir="/var/tmp") as folder,
        servers.databases(Path(folder)) as cluster,
    ):
        database = servers.fresh(cluster)
        use(database.url)
        counts = prepare(database, options.fill)
        print(f"{counts['instances']:,} instances, {counts['events']:,} events")
        rows = [measured(name, address, options.repeat) for name, address in addresses().items()]
        from django.db import connection

        connection.close()
    print(table(rows))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"counts": counts, "bound_ms": BOUND_MS, "pages": rows}, indent=2))
    slow = [row["page"] for row in rows if row["p95_ms"] > BOUND_MS]
    if slow:
        print(f"Slower than {BOUND_MS:g} ms: {', '.join(slow)}")
    return 1 if slow else 0


def use(url: str) -> None:
    """Set Django up for this database."""
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "orchestrator.settings.test"}
    import django

    django.setup()


def prepare(database: servers.Database, number: int) -> dict[str, int]:
    """Let one instance of each kind come to where it stands, and copy it; return how many rows there are."""
    for kind, model in models().items():
        began = time.monotonic()
        fill.with_copies(database, model=model, count=int(number * SHARES[kind]))
        print(f"  {kind}: {int(number * SHARES[kind]):,} copies in {time.monotonic() - began:.0f} s")
    [(instances, events)] = database.execute(
        "SELECT (SELECT count(*) FROM workflows_app_instance), (SELECT count(*) FROM workflows_app_event)"
    )
    return {"instances": instances, "events": events}


def models() -> dict[str, Any]:
    """Return ids of one instance of each kind."""
    from django.utils import timezone

    from tests.integration.driver import Driver
    from tests.integration.engine.outcomes import fail, flow
    from workflows_app.activities import registry
    from workflows_app.services import interventions, presence

    registry.discover()
    driver = Driver(bad=fail())
    driver.set_clock(timezone.now() - timedelta(minutes=5))
    completed = driver.start(flow(CHAIN, name="orders"), tags=["shop", "region=eu"])
    driver.run(completed)
    failed = driver.start(flow("\n  - {id: bad, activity: core.echo}", name="payments"), tags=["shop", "region=us"])
    driver.run(failed)
    retry = "retry: {max_attempts: 9, initial_interval: 1h, max_interval: 1h, jitter: 0}"
    retrying = driver.start(flow(f"\n  - {{id: bad, activity: core.echo, {retry}}}", name="rates"))
    waiting = driver.start(
        flow('\n  - {id: paid, receive: {event: paid, correlate: "x"}}', head="timeout: 15m", name="invoices")
    )
    driver.drain()
    paused = driver.start(flow(CHAIN, name="reports"), tags=["yearly", "region=eu"])
    interventions.pause(instance_id=paused.pk, actor="ada", reason="the auditors")
    queued = driver.start(flow("\n  - {id: render, activity: core.echo, queue: gpu}", name="films"))
    driver.set_clock(timezone.now())
    presence.Sign(kind="worker", name="default@host", queues=["default"]).give()
    found = {"completed": completed, "failed": failed, "waiting": waiting, "retrying": retrying, "queued": queued}
    return {kind: each.pk for kind, each in (*found.items(), ("paused", paused))}


def addresses() -> dict[str, str]:
    """Return what is asked for, by name."""
    from workflows_app.models import Instance
    from workflows_app.ui.filters import mark

    middle = Instance.objects.order_by("-created_at", "-id")[50_000 if Instance.objects.count() > 60_000 else 50]
    return {
        "dashboard": "/",
        "instances": "/instances/",
        "page 1,000": f"/instances/?older={mark((middle.created_at, middle.pk))}",
        "one state": "/instances/?state=failed",
        "several states": "/instances/?state=failed&state=paused&state=cancelled",
        "rare state": "/instances/?state=compensated",
        "of a workflow": "/instances/?workflow=invoices&state=running",
        "ended today": "/instances/?ended=24h&state=failed",
        "correlation id": f"/instances/?correlation={middle.correlation_id}",
        "tag of most": "/instances/?tag=region%3Deu",
        "tag of few": "/instances/?tag=yearly",
        "several tags": "/instances/?tag=shop&tag=region%3Dus&state=failed",
        "tags of none": "/instances/?tag=yearly&tag=shop",
        "search": f"/instances/?q={middle.correlation_id[:12]}",
        "search, nothing": "/instances/?q=nothing-of-that-kind",
        "stuck": "/instances/?only=stuck",
        "retrying": "/instances/?only=retrying",
        "near time-out": "/instances/?only=near-timeout",
        "stuck, nothing": "/instances/?only=stuck&workflow=invoices",
        "operations": "/operations/",
        "definitions": "/definitions/",
        "activities": "/activities/",
    }


def measured(name: str, address: str, repeat: int) -> dict[str, Any]:
    """Ask for a page again and again; return what it took, in milliseconds."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    users = get_user_model().objects
    user = users.filter(username="root").first() or users.create_superuser("root", "root@localhost", "x")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    times = []
    for turn in range(WARM + repeat):
        began = time.perf_counter()
        answer = client.get(address)
        took = (time.perf_counter() - began) * 1000
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}")
        if turn >= WARM:
            times.append(took)
    times.sort()
    return {
        "page": name,
        "address": address,
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(times[max(0, -(-len(times) * 95 // 100) - 1)], 1),
        "kilobytes": round(len(answer.content) / 1000),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows for people."""
    lines = [f"{'page':<18} {'p50':>8} {'p95':>8} {'kB':>6}"]
    lines += [f"{row['page']:<18} {row['p50_ms']:>6} ms {row['p95_ms']:>5} ms {row['kilobytes']:>5}" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
