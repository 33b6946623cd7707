"""The page of operations: who is there, what waits or begins later, what is held or in quarantine, services, calls."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.models import Hold
from workflows_app.running import checkup
from workflows_app.running.checkup import Health
from workflows_app.selectors import call_statistics, overview, presence, samples, service_views
from workflows_app.selectors import operations as read
from workflows_app.services import archived, retention
from workflows_app.ui import loads
from workflows_app.ui.access import page_of_instances

RUNNING_SHOWN = 50
PLANNED_SHOWN = 50
QUARANTINED_SHOWN = 20
CALLS_HOURS = 24
"""How far back calls are counted."""
DUE_LOOKED_AT = 200
ARCHIVED_SHOWN = 10
HTMX = "HX-Request"


@page_of_instances
def operations(request: HttpRequest) -> HttpResponse:
    """Workers and sweepers, queues, planned starts, holds, quarantine, services."""
    attempts = read.running()
    planned = read.planned(number=PLANNED_SHOWN + 1)
    there = presence.processes()
    lately = samples.last_hours()
    due = retention.due(limit=DUE_LOOKED_AT)
    context = {
        "now": presence.clock(),
        "processes": read.processes(there, attempts),
        "loads": loads.of_processes(there, lately),
        "hosts": loads.of_hosts(there, lately),
        "hours": samples.HOURS,
        "queues": overview.queues(),
        "running": attempts[:RUNNING_SHOWN],
        "more_running": max(0, len(attempts) - RUNNING_SHOWN),
        "planned": planned[:PLANNED_SHOWN],
        "more_planned": len(planned) > PLANNED_SHOWN,
        "holds": Hold.objects.order_by("id"),
        "quarantined": read.quarantined(number=QUARANTINED_SHOWN),
        "services": service_views.rows(),
        "called": call_statistics.statistics(hours=CALLS_HOURS),
        "due": due,
        "due_most": DUE_LOOKED_AT if sum(each.instances for each in due) >= DUE_LOOKED_AT else None,
        "archived": archived.newest(number=ARCHIVED_SHOWN),
        "flower": settings.ORCHESTRATOR_FLOWER_URL,
    }
    return render(request, "ui/operations.html", context)


@page_of_instances
def broker(request: HttpRequest) -> HttpResponse:
    """Say whether the broker answers; a part of the page, asked for by itself, as a broker that is gone takes its time.

    Where it is and why it does not answer is for administrators: ``doctor`` tells.
    """
    template = "ui/broker.html" if HTMX in request.headers else "ui/broker_page.html"
    return render(request, template, {"answers": checkup.broker().state is Health.OK})
