"""The versions of one workflow: who published them, what changed from one to the next, and two of them compared."""

from __future__ import annotations

import json
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine.definition.comparing import Change, Difference
from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion
from workflows_app.selectors import published
from workflows_app.services import definitions
from workflows_app.ui.access import page_of_definitions

VERSIONS_ON_A_PAGE = 20
CHOICES = 200
DIFFERENCES_SHOWN = 500
VALUE_LENGTH = 4_000


@page_of_definitions
def listing(request: HttpRequest, name: str) -> HttpResponse:
    """The versions of a workflow, the highest first, each with what differs from the one below."""
    page = Paginator(published.versions(name), VERSIONS_ON_A_PAGE).get_page(request.GET.get("page"))
    try:
        rows = published.rows(name, first=max(0, page.start_index() - 1), number=VERSIONS_ON_A_PAGE)
    except NotFound as problem:
        raise Http404(problem.message) from problem
    context = {
        "name": name,
        "found": rows[0].version,
        "rows": rows,
        "page": page,
        "choices": list(published.versions(name).values_list("version", flat=True)[:CHOICES]),
        "tab": "versions",
    }
    return render(request, "ui/definition_versions.html", context)


@page_of_definitions
def compare(request: HttpRequest, name: str) -> HttpResponse:
    """What differs in meaning between two versions, that of a step together."""
    old, new = (_one(name, request.GET.get(which, "")) for which in ("old", "new"))
    found = published.differences(old.pk, new.pk)
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in found[:DIFFERENCES_SHOWN]:
        groups.setdefault(_heading(each), []).append(_shown(each))
    context = {
        "name": name,
        "found": new,
        "old": old,
        "new": new,
        "groups": groups,
        "number": len(found),
        "cut": len(found) > DIFFERENCES_SHOWN,
        "choices": list(published.versions(name).values_list("version", flat=True)[:CHOICES]),
        "value_length": VALUE_LENGTH,
        "tab": "versions",
    }
    return render(request, "ui/definition_compare.html", context)


def _one(name: str, version: str) -> DefinitionVersion:
    try:
        return definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem


def _heading(found: Difference) -> str:
    """Return the step that a difference is about, or what else.

    >>> _heading(Difference(Change.CHANGED, "steps.pay.timeout", "30s", "1m"))
    'pay'
    """
    head, _, rest = found.path.partition(".")
    return rest.partition(".")[0] if head == "steps" and rest else ""


def _shown(found: Difference) -> dict[str, Any]:
    heading = _heading(found)
    place = found.path.removeprefix(f"steps.{heading}").removeprefix(".") if heading else found.path
    return {
        "kind": found.kind.value,
        "place": place,
        "old": None if found.kind is Change.ADDED else _written(found.old),
        "new": None if found.kind is Change.REMOVED else _written(found.new),
    }


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= VALUE_LENGTH else f"{text[:VALUE_LENGTH]}…"
