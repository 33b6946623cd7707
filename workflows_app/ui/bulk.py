"""Acts on many instances: chosen in the list, confirmed with their consequence, done one by one with a result each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from workflows_app.engine.errors import InputInvalid
from workflows_app.models import Instance
from workflows_app.services import interventions, many, migrating, versions
from workflows_app.ui.access import OPERATE_INSTANCES, VIEW_INSTANCES
from workflows_app.ui.act_forms import renames_of
from workflows_app.ui.acts import ACTS

MOST = 100
"""How many instances one form may name."""


CONSEQUENCES: Final = {
    "pause": "Running attempts finish and are recorded; nothing new starts until the instance is resumed.",
    "resume": "A paused instance goes on with everything that was held back.",
    "retry": "A failed instance goes on: what failed gets fresh attempts, what it cancelled waits for its turn.",
    "migrate": "An instance goes on by another version: what is done stays, what begins then is what that says.",
    "cancel": "What runs is stopped, and completed steps are undone where the definition says so.",
    "terminate": "The instance ends at once: nothing is awaited, and nothing is undone.",
}
"""The acts that many may have at once, and what follows for each of them."""
OFFERED: Final = {name: ACTS[name].label for name in CONSEQUENCES}


@never_cache
@require_POST
@permission_required((VIEW_INSTANCES, OPERATE_INSTANCES), raise_exception=True)
def act(request: HttpRequest) -> HttpResponse:
    """Ask for a reason and say what will happen; once confirmed, do it and show what came of each."""
    name, chosen = request.POST.get("act", ""), _ids(request)
    if name not in CONSEQUENCES or not chosen or len(chosen) > MOST:
        problem = (
            "Choose what is to be done."
            if name not in CONSEQUENCES
            else "Choose at least one instance in the list."
            if not chosen
            else f"Choose at most {MOST} instances at once."
        )
        return render(request, "ui/bulk.html", {"problem": problem}, status=400)
    wanted, reason = ACTS[name], request.POST.get("reason", "")
    known = Instance.objects.only("id", "workflow", "state", "correlation_id").in_bulk(chosen)
    context = {
        "name": name,
        "act": wanted,
        "consequence": CONSEQUENCES[name],
        "reason": reason,
        "rows": [known.get(key) or key for key in chosen],
    }
    given: dict[str, Any] = {"reason": reason}
    if name == "migrate":
        workflows = {found.workflow for found in known.values()}
        if len(workflows) != 1:
            problem = "Choose instances of one workflow: a version belongs to one."
            return render(request, "ui/bulk.html", {"problem": problem}, status=400)
        given |= _migration(request, workflows.pop())
        if not given["to"]:
            return render(request, "ui/bulk.html", {"problem": "There is no version to migrate to."}, status=400)
        context |= given
    if request.POST.get("confirmed") != "yes":
        if name == "migrate":
            context |= _foreseen(chosen, known, given)
        return render(request, "ui/bulk.html", context)
    if "refusal" in given:
        return render(request, "ui/bulk.html", {**context, **_foreseen(chosen, known, given)}, status=400)
    try:
        interventions.check_reason(reason)
    except InputInvalid as problem:
        return render(request, "ui/bulk.html", {**context, "refusal": problem.message}, status=400)
    actor = request.user.get_username()
    outcomes = many.each(chosen, lambda key: wanted.perform(key, actor, given))
    refused = sum(1 for outcome in outcomes if outcome.is_refused)
    done = {
        "outcomes": [(known.get(outcome.instance_id), outcome) for outcome in outcomes],
        "refused": refused,
        "done": len(outcomes) - refused,
    }
    return render(request, "ui/bulk.html", {**context, **done})


def _migration(request: HttpRequest, workflow: str) -> dict[str, Any]:
    """Return the version to go on by, those that could be chosen, and what steps are called there."""
    choices = versions.others(workflow, "")
    asked = request.POST.get("to", "")
    to = asked if asked in choices else next(iter(choices), "")
    text = request.POST.get("map", "")
    try:
        renames = renames_of(text)
    except ValidationError as wrong:
        return {"to": to, "choices": choices, "map": {}, "map_text": text, "refusal": wrong.messages[0]}
    return {"to": to, "choices": choices, "map": renames, "map_text": text}


def _foreseen(chosen: list[UUID], known: Mapping[UUID, Instance], given: Mapping[str, Any]) -> dict[str, Any]:
    """Say of each instance whether it could go, and why not."""
    found = {
        key: migrating.foresee(instance_id=key, version=given["to"], renames=given["map"])
        for key in chosen
        if key in known
    }
    possible = sum(each.is_possible for each in found.values())
    rows = [(known.get(key) or key, found.get(key)) for key in chosen]
    return {"foreseen": rows, "possible": possible, "impossible": len(chosen) - possible}


def _ids(request: HttpRequest) -> list[UUID]:
    """Return the instances that a form names, each once; what is no id is none."""
    found: dict[UUID, None] = {}
    for text in request.POST.getlist("id"):
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)
