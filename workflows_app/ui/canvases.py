"""The Celery canvas that a version compiles to, as ``workflow plan`` prints it."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine import canvas
from workflows_app.engine.errors import NotFound
from workflows_app.selectors import canvases
from workflows_app.services import definitions, graphs
from workflows_app.ui.access import page_of_definitions


@page_of_definitions
def one(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """The canvas of one version as text."""
    try:
        found = definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem
    text = _text(found.pk, settings.ORCHESTRATOR_FUSION)
    return render(request, "ui/definition_canvas.html", {"found": found, "name": name, "text": text, "tab": "canvas"})


@lru_cache(maxsize=32)
def _text(version_id: int, fusing: bool) -> str:
    graph = graphs.of_version(version_id)
    return canvases.text(graph, canvas.survey(graph, fusing=fusing), fusing=fusing)
