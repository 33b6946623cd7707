"""Reports as text: what ``workflow report`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone

from workflows_app.management.listing import table
from workflows_app.selectors import lists, reports, results
from workflows_app.services import graphs
from workflows_app.spans import duration
from workflows_app.taming import tame


def answer(instance_id: UUID) -> tuple[dict[str, Any], str]:
    """Return an instance's report as a document and as text.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND or INSTANCE_ARCHIVED.
    """
    found = lists.instances().filter(pk=instance_id).first()
    if found is None:
        raise results.missing(instance_id)
    report = reports.report(found, graphs.of_row(found), now=timezone.now())
    return report, text(report)


def text(report: Mapping[str, Any]) -> str:
    """Return a report as people read it in a terminal.

    Args:
        report: what ``selectors.reports.report`` returned.
    """
    totals, took = report["totals"], report["step_seconds"]
    rate = report["completion_rate"]
    lines = [
        f"{report['id']} {report['workflow']} {report['version']} is {report['state']}",
        f"steps: {totals['steps']}, {totals['settled']} settled, {totals['completed']} completed, "
        f"{totals['failed']} failed, {totals['skipped']} skipped, {totals['open']} open",
        f"completion rate: {'-' if rate is None else f'{rate:.1%}'} of the steps that were not skipped",
        f"attempts: {totals['attempts']}, {totals['attempts_failed']} failed, {totals['attempts_lost']} lost",
        f"duration: {_length(report['seconds'])}; last change {_length(report['seconds_since_change'])} ago",
        f"a step took {_length(took['mean'])} in the mean, {_length(took['max'])} at most",
        f"by kind: {_counts(report['by_kind'])}",
        f"by state: {_counts(report['by_state'])}",
    ]
    for head, rows in (
        ("slowest:", report["slowest"]),
        ("more than twice the mean:", report["bottlenecks"]),
        ("failed:", report["failed"]),
    ):
        lines += ["", head, table(rows)] if rows else []
    return "\n".join(lines)


def _length(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _counts(counts: Mapping[str, int]) -> str:
    return tame(", ".join(f"{name} {number}" for name, number in counts.items())) or "-"
