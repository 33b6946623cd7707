"""The log of one instance on a page of its own: the last lines of all attempts, of one step, or of one attempt."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.selectors import log_views, portions
from workflows_app.ui import archived
from workflows_app.ui.access import page_of_instances

LONGEST = 20_000
"""Characters of a line that are shown, whatever the setting was when it was kept."""


@page_of_instances
def one(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """What the attempts of an instance said; ``step`` and ``attempt`` in the address choose."""
    step, number = request.GET.get("step", "").replace("\x00", ""), request.GET.get("attempt", "")
    attempt = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
    instance = portions.overview(instance_id, length=0)
    if instance is None:
        return archived.log(request, instance_id, step=step, attempt=attempt)
    lines, is_cut = log_views.last_lines(instance_id, step=step or None, attempt=attempt)
    context = {
        "instance": instance,
        "title": instance.definition_version.document.get("title"),
        "tab": "log",
        "is_open": instance.state not in INSTANCE_ENDED,
        "step": step,
        "attempt": attempt,
        "lines": lines,
        "is_cut": is_cut,
        "log_length": LONGEST,
    }
    return render(request, "ui/instance_log.html", context)
