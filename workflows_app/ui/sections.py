"""The page on which people choose what is done next in the ad-hoc sections of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from workflows_app.engine.errors import Refused
from workflows_app.engine.transitions import Act
from workflows_app.engine.transitions.adhoc import is_assigned
from workflows_app.selectors import portions, section_views
from workflows_app.services import sections
from workflows_app.ui.access import OPERATE_INSTANCES, VIEW_INSTANCES

DONE = {Act.PICK: "has begun", Act.ADD: "is planned once more", Act.SKIP: "is not planned any more"}
REFUSED = 409


def may_choose(user: Any, section: Mapping[str, Any]) -> bool:
    """Say whether a user may choose in a section: those it is assigned to, else those who may operate instances."""
    if section["assign"] is None:
        return bool(user.has_perm(OPERATE_INSTANCES))
    return is_assigned(section["assign"], user.get_username(), _groups(user))


def _groups(user: Any) -> list[str]:
    return list(user.groups.values_list("name", flat=True))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """Show what a user may choose in an instance, and take a choice.

    To whom nothing is assigned, and who may not view instances, there is no such instance.
    """
    instance = portions.overview(instance_id, length=0)
    waiting = section_views.views(instance) if instance is not None else []
    mine = [section for section in waiting if may_choose(request.user, section)]
    if instance is None or not (mine or request.user.has_perm(VIEW_INSTANCES)):
        raise Http404(f"There is no instance {instance_id}.")
    refusal = ""
    if request.method == "POST":
        try:
            _take(request, instance_id, mine)
            return redirect("choose", instance_id=instance_id)
        except Refused as refused:
            refusal = refused.message
    context = {
        "instance": instance,
        "title": instance.definition_version.document.get("title"),
        "sections": mine,
        "refusal": refusal,
    }
    return render(request, "ui/choose.html", context, status=REFUSED if refusal else 200)


def _take(request: HttpRequest, instance_id: UUID, mine: list[dict[str, Any]]) -> None:
    wanted = request.POST.get("section", "")
    member, act = request.POST.get("member", ""), request.POST.get("act", "")
    if act not in set(Act):
        raise Refused("Choose one of the buttons.", code="INVALID_ACT")
    if wanted not in {section["step"] for section in mine}:
        # It may have ended meanwhile, which is worth a word; whether it is somebody else's is not told.
        raise Refused("This part of the work does not wait for you any more.")
    sections.choose(
        instance_id=instance_id,
        section=wanted,
        member=member,
        act=Act(act),
        person=request.user.get_username(),
        groups=_groups(request.user),
        reason=request.POST.get("reason", ""),
    )
    names = {each["step"]: each["name"] for section in mine for each in section["members"]}
    messages.success(request, f"{names[member]} {DONE[Act(act)]}.")
