"""Acts on many instances: chosen in the list, confirmed with their consequence, done one by one with a result each."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from workflows_app.engine.errors import InputInvalid
from workflows_app.models import Instance
from workflows_app.services import interventions, many
from workflows_app.ui.access import OPERATE_INSTANCES, VIEW_INSTANCES
from workflows_app.ui.acts import ACTS

MOST = 100
"""How many instances one form may name."""


CONSEQUENCES: Final = {
    "pause": "Running attempts finish and are recorded; nothing new starts until the instance is resumed.",
    "resume": "A paused instance goes on with everything that was held back.",
    "retry": "A failed instance goes on: what failed gets fresh attempts, what it cancelled waits for its turn.",
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
    if request.POST.get("confirmed") != "yes":
        return render(request, "ui/bulk.html", context)
    try:
        interventions.check_reason(reason)
    except InputInvalid as problem:
        return render(request, "ui/bulk.html", {**context, "refusal": problem.message}, status=400)
    actor = request.user.get_username()
    outcomes = many.each(chosen, lambda key: wanted.perform(key, actor, {"reason": reason}))
    refused = sum(1 for outcome in outcomes if outcome.is_refused)
    done = {
        "outcomes": [(known.get(outcome.instance_id), outcome) for outcome in outcomes],
        "refused": refused,
        "done": len(outcomes) - refused,
    }
    return render(request, "ui/bulk.html", {**context, **done})


def _ids(request: HttpRequest) -> list[UUID]:
    """Return the instances that a form names, each once; what is no id is none."""
    found: dict[UUID, None] = {}
    for text in request.POST.getlist("id"):
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)
