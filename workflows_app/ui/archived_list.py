"""The list of archived instances: filtered and paged by what the address says; each leads to its own page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode

from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.models import ArchivedInstance
from workflows_app.selectors import lists
from workflows_app.ui.access import page_of_instances
from workflows_app.ui.filters import ListFilter, StatesField, mark

ARCHIVED_ON_A_PAGE = 50
NAMES = ("workflow", "state", "q")


class ArchivedFilter(ListFilter):
    """Which archived instances, and which page of them."""

    state = StatesField(state for state in InstanceState if state in INSTANCE_ENDED)


@page_of_instances
def listing(request: HttpRequest) -> HttpResponse:
    """Archived instances, the last archived first; only what this installation knows of them, no archive is opened."""
    form = ArchivedFilter(request.GET)
    if not form.is_valid():
        return render(request, "ui/archived_list.html", {"form": form}, status=400)
    given = form.cleaned_data
    chosen = {name: given[name] for name in NAMES if given[name]}
    page = lists.page(
        lists.archived(workflow=given["workflow"], states=given["state"], text=given["q"]),
        size=ARCHIVED_ON_A_PAGE,
        older_than=given["older"],
        newer_than=given["newer"],
        by="archived_at",
    )
    context = {
        "form": form,
        "filtered": bool(chosen),
        "page": page,
        "newest": _address(chosen),
        "newer": _address(chosen, newer=_mark(page.rows[0])) if page.newer and page.rows else None,
        "older": _address(chosen, older=_mark(page.rows[-1])) if page.older else None,
    }
    return render(request, "ui/archived_list.html", context)


def _mark(row: ArchivedInstance) -> str:
    return mark((row.archived_at, row.pk))


def _address(chosen: Mapping[str, Any], **place: str) -> str:
    return f"?{urlencode({**chosen, **place}, doseq=True)}"
