"""The dashboard: what needs somebody, what is under way, what ended; every number leads to the list behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine.states import InstanceState
from workflows_app.models import Definition, Instance
from workflows_app.selectors import obstacles, overview, presence
from workflows_app.selectors.attention import Concern
from workflows_app.ui import charts
from workflows_app.ui.access import page_of_instances

HEADINGS = (Concern.STUCK, Concern.RETRYING, Concern.NEAR_TIMEOUT)
SHOWN = 5
"""How many instances stand under each heading."""
WORKFLOWS_SHOWN = 8
DAY = timedelta(hours=24)


@page_of_instances
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show how everything stands."""
    now = presence.clock()
    states = overview.by_state()
    found = {concern: overview.concerned(concern, number=SHOWN) for concern in HEADINGS}
    lines = _lines(found)
    queues = overview.queues()
    workers, sweepers = overview.there()
    context = {
        "now": now,
        "states": [(state, count) for state, count in states.items() if count.number],
        "most": max(count.number for count in states.values()),
        "failed": overview.ended_since(now - DAY, overview.FAILED),
        "last_failed": overview.last_failed(now - DAY, number=SHOWN),
        "stuck": found[Concern.STUCK][0],
        "stuck_lines": lines[Concern.STUCK],
        "retrying": found[Concern.RETRYING][0],
        "retrying_lines": lines[Concern.RETRYING],
        "near": found[Concern.NEAR_TIMEOUT][0],
        "near_lines": lines[Concern.NEAR_TIMEOUT],
        "queues": queues,
        "oldest": min((each.oldest for each in queues if each.oldest), default=None),
        "chart": charts.throughput(overview.throughput(now)),
        "workflows": overview.of_workflows(now - DAY, number=WORKFLOWS_SHOWN),
        "completed": overview.ended_since(now - DAY, [InstanceState.COMPLETED]),
        "workers": workers,
        "sweepers": sweepers,
        "empty": not any(count.number for count in states.values()),
    }
    if context["empty"]:
        context["nothing_published"] = not Definition.objects.exists()
    return render(request, "ui/dashboard.html", context)


def _lines(found: dict[Concern, tuple[Any, list[tuple[UUID, datetime]]]]) -> dict[Concern, list[dict[str, Any]]]:
    """Return the instances under each heading with why they do not move: three statements for all headings."""
    keys = {key for _, rows in found.values() for key, _ in rows}
    known = Instance.objects.only("id", "workflow", "state", "correlation_id").in_bulk(keys)
    why = obstacles.of(keys) if keys else {}
    return {
        concern: [_line(concern, known[key], since, why.get(key, [])) for key, since in rows if key in known]
        for concern, (_, rows) in found.items()
    }


def _line(concern: Concern, instance: Instance, since: datetime, why: Sequence[obstacles.Obstacle]) -> dict[str, Any]:
    """Return an instance under a heading, with what puts it there first."""
    if concern is Concern.STUCK:
        why = sorted(why, key=lambda each: not each.stuck)
    if concern is Concern.RETRYING:
        why = sorted(why, key=lambda each: each.kind not in (obstacles.Kind.RETRY, obstacles.Kind.NO_ACTIVITY))
    state = obstacles.state_of(instance.state, why)
    return {"instance": instance, "state": state, "since": since, "sentence": why[0].sentence if why else ""}
