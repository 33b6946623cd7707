"""Pages of definitions: what is published, and what one version is and does."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion
from workflows_app.selectors import figures, reused
from workflows_app.selectors.figures import Of
from workflows_app.services import definitions, documentation
from workflows_app.ui import graphs
from workflows_app.ui.access import VIEW_INSTANCES, page_of_definitions

VERSIONS_ON_A_PAGE = 50
SECTIONS_SHOWN = 500
BLOCK_LENGTH = 20_000
PROBLEMS_SHOWN = 50


@page_of_definitions
def listing(request: HttpRequest) -> HttpResponse:
    """Every published version by name, the highest first."""
    rows = DefinitionVersion.objects.select_related("definition").defer("source", "activities", "calls")
    ordered = rows.order_by("definition__name", "-major", "-minor", "-patch", "-prerelease", "-pk")
    page = Paginator(ordered, VERSIONS_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "ui/definitions.html", {"page": page})


@page_of_definitions
def one(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """One version: its graph, problems and figures, purpose, input, steps with their policies, output."""
    try:
        found = definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem
    page = documentation.page(version=found)
    see_instances = request.user.has_perm(VIEW_INSTANCES)
    context = {
        "page": page,
        "found": found,
        "name": name,
        "tab": "overview",
        "drawing": graphs.of_version(found.pk, opened=request.GET.getlist("open")),
        "graph_title": f"{name} {version}",
        "problems": definitions.validate(text=found.source)[:PROBLEMS_SHOWN],
        "statistics": figures.figures(Of(workflow=name, version=version)) if see_instances else None,
        "reused": (
            reused.of_version(workflow=name, version_id=found.pk, document=found.document) if see_instances else []
        ),
        "steps": page.steps[:SECTIONS_SHOWN],
        "steps_cut": len(page.steps) > SECTIONS_SHOWN,
        "block_length": BLOCK_LENGTH,
    }
    return render(request, "ui/definition.html", context)
