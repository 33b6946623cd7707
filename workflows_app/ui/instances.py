"""Pages of instances: the list, and everything about one."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from workflows_app import machine_views, section_views, selectors
from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.ui import machines, outline, sections, sentences
from workflows_app.ui.access import VIEW_ARTIFACTS, page_of_instances
from workflows_app.ui.filters import InstanceFilter, mark
from workflows_app.ui.iterations import Unfolding
from workflows_app.ui.pages import pages_of_history

INSTANCES_ON_A_PAGE = 50
EVENTS_ON_A_PAGE = 50
ATTEMPTS_SHOWN = 100
ACTS_SHOWN = 50
CHILDREN_SHOWN = 100
ARTIFACTS_SHOWN = 100
EFFECTS_SHOWN = 100
STEPS_SHOWN = 500
VALUE_LENGTH = 20_000
EVENT_LENGTH = 4_000
REFRESH_SECONDS = 5


@page_of_instances
def listing(request: HttpRequest) -> HttpResponse:
    """Instances, the newest first, filtered and paged by what the address says."""
    form = InstanceFilter(request.GET)
    if not form.is_valid():
        return render(request, "ui/instances.html", {"form": form}, status=400)
    chosen = form.chosen()
    wanted = {"text" if name == "q" else name: value for name, value in chosen.items()}
    page = selectors.page(
        selectors.instances(**wanted),
        size=INSTANCES_ON_A_PAGE,
        older_than=form.cleaned_data["older"],
        newer_than=form.cleaned_data["newer"],
    )
    context = {
        "form": form,
        "filtered": bool(chosen),
        "page": page,
        "newest": f"?{urlencode(chosen)}",
        "newer": f"?{urlencode({**chosen, 'newer': mark(page.rows[0])})}" if page.newer and page.rows else None,
        "older": f"?{urlencode({**chosen, 'older': mark(page.rows[-1])})}" if page.older else None,
        "now": timezone.now(),
    }
    return render(request, "ui/instances.html", context)


@page_of_instances
def one(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """One instance: how it stands and why, steps, attempts, data, history and what operators did to it."""
    instance = selectors.overview(instance_id, length=VALUE_LENGTH)
    if instance is None:
        raise Http404(f"There is no instance {instance_id}.")
    now = timezone.now()
    document = instance.definition_version.document
    machine = machine_views.view(instance)
    if machine is None:
        lines = outline.lines(document["steps"], limit=STEPS_SHOWN)
    else:
        lines = list(machines.lines(selectors.last_paths(instance_id, number=STEPS_SHOWN)))
    rows = selectors.step_rows(instance_id, (line.path for line in lines))
    acts = selectors.audit_of(str(instance_id), number=ACTS_SHOWN)
    attempts = selectors.last_attempts(instance_id, number=ATTEMPTS_SHOWN + 1)
    pages = pages_of_history(request.GET.get("from", ""), total=instance.sequence, size=EVENTS_ON_A_PAGE)
    children = selectors.children(instance_id, number=CHILDREN_SHOWN + 1)
    is_open = instance.state not in INSTANCE_ENDED
    waiting = section_views.views(instance)
    tree = outline.tree(lines, rows)
    inner = Unfolding(instance_id, rows, is_open=is_open, undo_failed=instance.undo_failed)
    inner.unfold(lines)
    every = [*lines, *inner.inside]
    quiet = request.GET.get("refresh") == "off"
    context = {
        "instance": instance,
        "title": document.get("title"),
        "sentence": sentences.sentence(
            instance,
            steps={line.path: line.row for line in every if line.row},
            names={line.path: line.name for line in every if line.is_named},
            repeats={line.path: line.progress for line in lines if line.repeats_by_itself and line.is_open},
            whole=inner.whole,
            unclaimed=selectors.unclaimed(instance_id, number=sentences.NAMED + 1) if is_open else [],
            awaited=selectors.awaited(instance_id, number=sentences.NAMED + 1) if is_open else [],
            acts=acts,
            now=now,
            wait=selectors.waits_for(instance),
            called=children[:CHILDREN_SHOWN],
            machine=machine,
            sections=waiting,
            held_up=selectors.standstill_of(instance),
        ),
        "machine": machine,
        "sections": waiting,
        "may_choose": any(sections.may_choose(request.user, section) for section in waiting),
        "steps": tree,
        "steps_cut": len(lines) >= STEPS_SHOWN,
        "children": children[:CHILDREN_SHOWN],
        "children_cut": len(children) > CHILDREN_SHOWN,
        "attempts": attempts[-ATTEMPTS_SHOWN:],
        "attempts_cut": len(attempts) > ATTEMPTS_SHOWN,
        "values": [
            ("Input", instance.input_text),
            ("Variables", instance.variables_text),
            ("Output", instance.output_text),
        ],
        "value_length": VALUE_LENGTH,
        "events": selectors.history_page(instance_id, first=pages.first, size=EVENTS_ON_A_PAGE, length=EVENT_LENGTH),
        "event_length": EVENT_LENGTH,
        "pages": pages,
        "acts": acts,
        "effects": selectors.effects_of(instance_id, number=EFFECTS_SHOWN),
        "artifacts": selectors.artifacts_of(instance_id, number=ARTIFACTS_SHOWN),
        "may_download": request.user.has_perm(VIEW_ARTIFACTS),
        "is_open": is_open,
        "refresh": REFRESH_SECONDS if is_open and not quiet else None,
        "here": reverse("instance", args=[instance_id]),
        "quiet": quiet,
        "refresh_kept": "off" if quiet else "",
        "now": now,
    }
    return render(request, "ui/instance.html", context)
