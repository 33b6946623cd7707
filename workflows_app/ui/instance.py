"""The page of one instance: everything about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from workflows_app.engine import overrides
from workflows_app.engine.states import INSTANCE_ENDED, AttemptState, InstanceState
from workflows_app.models import Instance
from workflows_app.selectors import log_views, machine_views, obstacles, portions, section_views, standing
from workflows_app.services.graphs import chart, of_version
from workflows_app.ui import acts as operators_acts
from workflows_app.ui import archived, graphs, machines, outline, sections, sentences, timelines
from workflows_app.ui.access import OPERATE_INSTANCES, VIEW_ARTIFACTS, page_of_instances
from workflows_app.ui.iterations import Unfolding
from workflows_app.ui.pages import pages_of_history

EVENTS_ON_A_PAGE = 50
ATTEMPTS_SHOWN = 100
ATTEMPTS_DRAWN = 400
"""Of how many attempts the timeline is made."""
ATTEMPT_FAILED = (AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.LOST)
LOG_LINES, LOG_LENGTH = 20, 3_000
"""How many lines of an attempt are shown, the last ones, and characters of each; a page of its own has more."""
ACTS_SHOWN = 50
CHILDREN_SHOWN = 100
ARTIFACTS_SHOWN = 100
EFFECTS_SHOWN = 100
STEPS_SHOWN = 500
UNDONE = (
    InstanceState.COMPENSATING,
    InstanceState.COMPENSATED,
    InstanceState.COMPENSATION_FAILED,
    InstanceState.FAILED,
    InstanceState.CANCELLED,
)
"""States of an instance that was perhaps undone."""
VALUE_LENGTH = 20_000
EVENT_LENGTH = 4_000
REFRESH_SECONDS = 5
LARGE = 150
"""A page with so many steps is asked for less often while it is live."""
PACE, PACE_OF_LARGE = 1_000, 4_000
"""Milliseconds between two of its new forms at least."""


@page_of_instances
def one(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """One instance: how it stands and why, steps, attempts, data, history and what operators did to it."""
    instance = portions.overview(instance_id, length=VALUE_LENGTH)
    if instance is None:
        return archived.page(request, instance_id)
    now, starts_at = timezone.now(), standing.starts_at(instance)
    document = instance.definition_version.document
    machine = machine_views.view(instance)
    passed = [] if machine is None else portions.last_paths(instance_id, number=STEPS_SHOWN)
    lines = list(machines.lines(passed)) if machine else outline.lines(document["steps"], limit=STEPS_SHOWN)
    rows = portions.step_rows(instance_id, (line.path for line in lines))
    acts = portions.audit_of(str(instance_id), number=ACTS_SHOWN)
    attempts = portions.last_attempts(instance_id, number=max(ATTEMPTS_SHOWN + 1, ATTEMPTS_DRAWN))
    pages = pages_of_history(request.GET.get("from", ""), total=instance.sequence, size=EVENTS_ON_A_PAGE)
    children = portions.children(instance_id, number=CHILDREN_SHOWN + 1)
    is_open = instance.state not in INSTANCE_ENDED
    why = obstacles.of_one(instance_id) if is_open else []
    may_operate = request.user.has_perm(OPERATE_INSTANCES)
    waiting = section_views.views(instance)
    tree = outline.tree(lines, rows)
    inner = Unfolding(instance_id, rows, is_open=is_open, undo_failed=instance.undo_failed)
    inner.unfold(lines)
    every = [*lines, *inner.inside]
    needless = _needless_undos(instance)
    for line in every:
        line.undo_is_needless = line.path in needless
    effects = portions.effects_of(instance_id, number=EFFECTS_SHOWN)
    queries = portions.effects_of(instance_id, number=EFFECTS_SHOWN, queries=True)
    if may_operate:
        operators_acts.offer_on(every, instance)
        operators_acts.offer_on_calls(sorted([*effects, *queries], key=lambda each: each.pk), instance)
    only_failed = request.GET.get("attempts") == "failed"
    listed = [each for each in attempts if each.state in ATTEMPT_FAILED] if only_failed else attempts
    shown: list[Any] = listed[-ATTEMPTS_SHOWN:]
    logs = log_views.excerpts(
        instance_id, [(each.path, each.number) for each in shown], number=LOG_LINES, length=LOG_LENGTH
    )
    for each in shown:
        each.log = logs.get((each.path, each.number))
    quiet = request.GET.get("refresh") == "off"
    timeline, timeline_cut = timelines.of_instance(instance, attempts, every, now=now)
    # The graph has more steps than the list, where a definition is long.
    is_cut = machine is None and len(lines) >= STEPS_SHOWN
    others = portions.step_states(instance_id, chart(instance.definition_version_id).vertices) if is_cut else {}
    context = {
        "instance": instance,
        "state": obstacles.state_of(instance.state, why),
        "title": document.get("title"),
        "sentence": sentences.sentence(
            instance,
            steps={line.path: line.row for line in every if line.row},
            names={line.path: line.name for line in every if line.is_named},
            repeats={line.path: line.progress for line in lines if line.repeats_by_itself and line.is_open},
            whole=inner.whole,
            acts=acts,
            why=why,
            machine=machine,
            needless=needless,
        ),
        "drawing": graphs.of_instance(
            instance.definition_version_id,
            lines=every,
            machine=machine,
            passed=passed,
            others=others,
            opened=request.GET.getlist("open"),
            needless=needless,
        ),
        "graph_title": f"How {instance.workflow} {instance.version} stands",
        "tab": "overview",
        "offered": operators_acts.offered(instance) if may_operate else [],
        "is_stuck": any(each.stuck for each in why),
        "timeline": timeline,
        "timeline_cut": timeline_cut,
        "starts_at": starts_at,
        "overrides": list(overrides.lines(instance.overrides or {})),
        "machine": machine,
        "sections": waiting,
        "may_operate": may_operate,
        "may_choose": any(sections.may_choose(request.user, section) for section in waiting),
        "steps": tree,
        "steps_cut": len(lines) >= STEPS_SHOWN,
        "children": children[:CHILDREN_SHOWN],
        "children_cut": len(children) > CHILDREN_SHOWN,
        "attempts": shown,
        "log_length": LOG_LENGTH,
        "failed_last": shown[-1].pk if shown and shown[-1].state in ATTEMPT_FAILED else None,
        "attempts_cut": len(listed) > ATTEMPTS_SHOWN or len(attempts) >= ATTEMPTS_DRAWN,
        "only_failed": only_failed,
        "values": [
            ("Input", instance.input_text),
            ("Variables", instance.variables_text),
            ("Output", instance.output_text),
        ],
        "value_length": VALUE_LENGTH,
        "events": portions.history_page(instance_id, first=pages.first, size=EVENTS_ON_A_PAGE, length=EVENT_LENGTH),
        "event_length": EVENT_LENGTH,
        "pages": pages,
        "acts": acts,
        "effects": effects,
        "queries": queries,
        "artifacts": portions.artifacts_of(instance_id, number=ARTIFACTS_SHOWN),
        "may_download": request.user.has_perm(VIEW_ARTIFACTS),
        "is_open": is_open,
        "refresh": REFRESH_SECONDS if is_open and not quiet else None,
        "pace": PACE if len(every) < LARGE else PACE_OF_LARGE,
        "here": reverse("instance", args=[instance_id]),
        "quiet": quiet,
        "refresh_kept": "off" if quiet else "",
        "now": now,
    }
    return render(request, "ui/instance.html", context)


def _needless_undos(instance: Instance) -> list[str]:
    """Return paths of steps that need no undo as its condition says; asks only where there is such a condition."""
    if instance.state not in UNDONE or not instance.undo:
        return []
    if not of_version(instance.definition_version_id).undo_may_be_needless:
        return []
    return portions.needless_undos(instance.pk, number=sentences.MOST_NEEDLESS)
