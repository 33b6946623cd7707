"""What is photographed: the pages of an installation in which something has gone well, badly, and nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

Manage = Callable[..., str]
"""Runs ``manage.py ARGUMENTS`` and returns what it printed."""

WORKFLOWS: Final = {
    "render-film": """
workflow: render-film
version: 1.0.0
title: Render a film
steps:
  - {id: render, name: Render the frames, activity: core.echo, queue: gpu}
""",
    "settle-invoice": """
workflow: settle-invoice
version: 1.0.0
title: Settle an invoice
timeout: 12m
input: {type: object, properties: {invoice: {type: string}}}
steps:
  - {id: remind, name: Send the invoice, activity: core.echo}
  - {id: paid, name: Wait for the payment, receive: {event: payment.received, correlate: "${ input.invoice }"}}
""",
    "fetch-rates": """
workflow: fetch-rates
version: 1.0.0
title: Fetch exchange rates
steps:
  - id: fetch
    name: Ask the bank
    activity: core.fail
    with: {code: BANK_BUSY, message: the bank answers nobody before nine}
    retry: {max_attempts: 5, initial_interval: 10m}
""",
    "count-stock": """
workflow: count-stock
version: 1.0.0
title: Count the stock
steps:
  - id: shelves
    foreach:
      items: "${ [1, 2, 3, 4] }"
      as: shelf
      steps:
        - {id: count, activity: core.log, with: {message: "shelf ${ shelf } has ${ shelf * 12 } boxes of blue mugs"}}
""",
    "check-credit": """
workflow: check-credit
version: 1.0.0
title: Check the credit
steps:
  - id: ask
    name: Ask the agency
    activity: core.fail
    with: {code: NO_ANSWER, message: the agency does not answer}
    on_error: [{codes: [NO_ANSWER], then: {goto: decide}}]
    compensate: {activity: core.echo, when: output != null}
  - {id: score, name: Compute the score, activity: core.echo}
  - {id: grant, name: Grant the credit, activity: core.echo, compensate: {activity: core.echo, when: "false"}}
  - {id: decide, name: Let the clerk decide, activity: core.echo, compensate: {activity: core.echo, when: "false"}}
  - {id: close, name: Close the file, activity: core.fail, with: {code: FILE_LOST, message: the file is lost}}
""",
    "yearly-report": """
workflow: yearly-report
version: 1.0.0
title: The yearly report
steps:
  - {id: collect, wait: {for: 30d}}
  - {id: publish, activity: core.echo}
""",
}


NEWER: Final = """
workflow: yearly-report
version: 1.1.0
title: The yearly report
variables: {language: en}
steps:
  - {id: announce, name: Tell everybody, activity: core.echo}
  - {id: collect, wait: {for: 30d}}
  - {id: check, name: Check the sums, activity: core.echo}
  - {id: publish, activity: core.echo}
"""
"""Published once an instance of the version before runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One page: the name of its pictures, where it is, and what it answers."""

    name: str
    address: str
    status: int = 200
    needs_log_in: bool = True


def prepare(manage: Manage) -> Mapping[str, str]:
    """Start what waits, fails and stands still; return ids by what they show."""
    publish(manage, *WORKFLOWS.values())
    found = {}
    for name, input in (
        ("render-film", {}),
        ("settle-invoice", {"invoice": "R-2026-118"}),
        ("settle-invoice", {"invoice": "R-2026-119"}),
        ("fetch-rates", {}),
        ("count-stock", {}),
        ("check-credit", {}),
        ("yearly-report", {}),
    ):
        started = manage("workflow", "start", name, "--input", json.dumps(input), "--format", "json")
        found[name] = json.loads(started)["id"]
    given = ("--in", "36h", "--tag", "quarter=4", "--tag", "for-the-auditors", "--instance-timeout", "2d")
    own = ("--step-timeout", "publish=30s", "--retry", "publish=5", "--step-priority", "publish=high")
    planned = manage("workflow", "start", "yearly-report", *given, *own, "--format", "json")
    found["planned"] = json.loads(planned)["id"]
    manage("workflow", "tag", found["fetch-rates"], "add", "for-the-auditors")
    manage("workflow", "pause", found["yearly-report"], "--reason", "the auditors ask for last year's figures")
    publish(manage, NEWER)
    for state in ("compensated", "failed", "completed"):
        listed = json.loads(manage("workflow", "list", "--state", state, "--limit", "20", "--format", "json"))
        found[state] = next(each["id"] for each in listed["instances"] if each["workflow"] not in WORKFLOWS)
    return found


def publish(manage: Manage, *texts: str) -> None:
    """Publish definitions, one after the other."""
    with TemporaryDirectory() as folder:
        for text in texts:
            file = Path(folder) / "definition.yaml"
            file.write_text(text)
            manage("workflow", "publish", str(file))


def pages(found: Mapping[str, str]) -> list[Scene]:
    """Return every page."""
    instances = [Scene(name=f"instance-{name}", address=f"/instances/{key}/") for name, key in found.items() if key]
    return [
        Scene(name="login", address="/login/", needs_log_in=False),
        Scene(name="dashboard", address="/"),
        Scene(name="instances", address="/instances/"),
        Scene(name="instances-filtered", address="/instances/?state=failed&state=compensated&ended=24h"),
        Scene(name="instances-tagged", address="/instances/?tag=example&tag=orders"),
        Scene(name="instances-none", address="/instances/?q=nothing-of-that-name"),
        Scene(name="instances-refused", address="/instances/?state=exploded", status=400),
        *instances,
        Scene(name="instance-cancel", address=f"/instances/{found['settle-invoice']}/acts/cancel/"),
        Scene(name="instance-rewind", address=f"/instances/{found['completed']}/acts/rewind/?step=validate"),
        Scene(name="instance-migrate", address=f"/instances/{found['yearly-report']}/acts/migrate/"),
        Scene(name="instance-report", address=f"/instances/{found['compensated']}/report/"),
        Scene(name="instance-log", address=f"/instances/{found['count-stock']}/log/"),
        Scene(name="archived-none", address="/archived/"),
        Scene(name="definitions", address="/definitions/"),
        Scene(name="versions", address="/definitions/order-processing/"),
        Scene(name="definition", address="/definitions/order-processing/1.0.0/"),
        Scene(name="statistics", address="/definitions/order-processing/statistics/?since=24h"),
        Scene(name="canvas", address="/definitions/order-processing/1.0.0/canvas/"),
        Scene(name="start", address="/definitions/order-processing/start/"),
        Scene(name="operations", address="/operations/"),
        Scene(name="activities", address="/activities/"),
        Scene(name="docs", address="/docs/"),
        Scene(name="docs-getting-started", address="/docs/getting-started/"),
        Scene(name="docs-language", address="/docs/language/"),
        Scene(name="docs-reference", address="/docs/reference/"),
        Scene(name="admin", address="/admin/"),
        Scene(name="admin-instances", address="/admin/workflows_app/instance/"),
        Scene(name="not-found", address="/nothing/here/", status=404),
    ]


def archived(manage: Manage, found: Mapping[str, str]) -> list[Scene]:
    """Archive everything that has ended, and return the pages that show it."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    manage("workflow", "archive", "--before", tomorrow.date().isoformat())
    return [
        Scene(name="archived", address="/archived/"),
        Scene(name="archived-filtered", address="/archived/?state=failed&workflow=order-processing"),
        Scene(name="instance-archived", address=f"/instances/{found['compensated']}/"),
        Scene(name="instance-archived-log", address=f"/instances/{found['count-stock']}/log/"),
    ]
