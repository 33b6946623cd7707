"""``workflow choose``: a person says what is done next in an ad-hoc section."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from workflows_app.engine.errors import Refused
from workflows_app.engine.transitions import Act
from workflows_app.management.reading import read_input
from workflows_app.selectors import results, section_views
from workflows_app.services import sections
from workflows_app.taming import tame

_DONE = {Act.PICK: "is begun", Act.ADD: "is planned once more", Act.SKIP: "is not planned any more"}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("section", metavar="SECTION", help="path of the ad-hoc section (`show` lists what waits)")
    parser.add_argument("member", metavar="STEP", help="the step in it that is to begin")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--add", dest="act", action="store_const", const=Act.ADD, help="plan it once more instead")
    act.add_argument("--skip", dest="act", action="store_const", const=Act.SKIP, help="take it off the plan instead")
    parser.add_argument("--user", metavar="U", help="who chooses; needed where the section is assigned to people")
    parser.add_argument("--data", default="null", help="JSON, or @FILE, that the step reads as item.data")
    parser.add_argument("--reason", default="")


def choose(
    *,
    instance_id: UUID,
    section: str,
    member: str,
    act: Act | None,
    user: str | None,
    data: str,
    reason: str,
    actor: str,
) -> tuple[dict[str, Any], str]:
    """Do what was chosen; return what waits for people now, as a document and as text."""
    act = act or Act.PICK
    groups = [] if user is None else _groups_of(user)
    sections.choose(
        instance_id=instance_id,
        section=section,
        member=member,
        act=act,
        person=user or actor,
        groups=groups,
        data=read_input(data, "data"),
        reason=reason,
    )
    waiting = section_views.views(results.instance(instance_id))
    document = {"id": str(instance_id), "section": section, "step": member, "act": act.value, "sections": waiting}
    return document, f"{tame(member)} in {tame(section)} {_DONE[act]}"


def _groups_of(user: str) -> list[str]:
    found = get_user_model().objects.filter(username=user, is_active=True).first()
    if found is None:
        raise Refused(f"there is no active user {user}", code="UNKNOWN_USER")
    return list(found.groups.values_list("name", flat=True))
