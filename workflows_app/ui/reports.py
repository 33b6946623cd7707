"""The report of one instance on a page of its own: it is counted only for those who ask."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from workflows_app.selectors import portions, reports
from workflows_app.services import graphs
from workflows_app.ui.access import page_of_instances


@page_of_instances
def one(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """Totals, durations, bottlenecks and failures of an instance."""
    instance = portions.overview(instance_id, length=0)
    if instance is None:
        raise Http404(f"There is no instance {instance_id}.")
    graph = graphs.of_row(instance)
    context = {
        "instance": instance,
        "title": instance.definition_version.document.get("title"),
        "report": reports.report(instance, graph, now=timezone.now()),
        "tab": "report",
    }
    return render(request, "ui/instance_report.html", context)
