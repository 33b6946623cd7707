"""The list of instances: filtered and paged by what the address says, each row with what it does or waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode

from workflows_app.models import Instance
from workflows_app.selectors import lists, obstacles, presence
from workflows_app.selectors.lists import Place
from workflows_app.selectors.obstacles import Obstacle
from workflows_app.ui import bulk, saved_views
from workflows_app.ui.access import OPERATE_INSTANCES, page_of_instances
from workflows_app.ui.filters import InstanceFilter, mark

INSTANCES_ON_A_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One instance of the list, and what it waits for."""

    instance: Instance
    why: list[Obstacle]

    @property
    def state(self) -> str:
        return obstacles.state_of(self.instance.state, self.why)

    @property
    def sentence(self) -> str:
        return obstacles.sentence(self.why)

    @property
    def is_stuck(self) -> bool:
        return any(each.stuck for each in self.why)


@page_of_instances
def listing(request: HttpRequest) -> HttpResponse:
    """Instances, the newest first, filtered and paged by what the address says."""
    form = InstanceFilter(request.GET)
    if not form.is_valid():
        return render(request, "ui/instances.html", {"form": form}, status=400)
    now = presence.clock()
    chosen = form.chosen()
    page = lists.page(
        lists.instances(**form.wanted(now)),
        size=INSTANCES_ON_A_PAGE,
        older_than=form.cleaned_data["older"],
        newer_than=form.cleaned_data["newer"],
    )
    why = obstacles.of([row.pk for row in page.rows if row.ended_at is None], now=now)
    context = {
        "form": form,
        "filtered": bool(chosen),
        "page": page,
        "rows": [Row(instance=row, why=why.get(row.pk, [])) for row in page.rows],
        "newest": _address(chosen),
        "newer": _address(chosen, newer=mark(_place(page.rows[0]))) if page.newer and page.rows else None,
        "older": _address(chosen, older=mark(_place(page.rows[-1]))) if page.older else None,
        "is_newest": not (form.cleaned_data["older"] or form.cleaned_data["newer"]),
        "now": now,
        "views": saved_views.seen_by(request.user),
        "query": urlencode(chosen, doseq=True),
        "tags": [(tag, _without(chosen, tag)) for tag in form.cleaned_data["tag"]],
        "may_operate": request.user.has_perm(OPERATE_INSTANCES),
        "acts": bulk.OFFERED,
    }
    return render(request, "ui/instances.html", context)


def _place(row: Instance) -> Place:
    return row.created_at, row.pk


def _without(chosen: dict[str, Any], tag: str) -> str:
    """Return the address of the list without one of its tags."""
    return _address({**chosen, "tag": [each for each in chosen["tag"] if each != tag]})


def _address(chosen: dict[str, Any], **place: str) -> str:
    return f"?{urlencode({**chosen, **place}, doseq=True)}"
