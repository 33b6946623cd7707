"""The pages of an archived instance, and of its log: what its archive says, after every hash in it was found right."""

from __future__ import annotations

import heapq
import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import BinaryField, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from workflows_app.archives.faults import ArchiveFault
from workflows_app.archives.reading import Archive
from workflows_app.engine.errors import NotFound
from workflows_app.engine.events import EventType
from workflows_app.engine.paths import split
from workflows_app.engine.states import EffectState
from workflows_app.models import ArchivedInstance, Artifact, Attempt, Effect, Instance, LogLine, Step
from workflows_app.selectors import log_views, portions
from workflows_app.services import archived, versions
from workflows_app.ui import graphs, machines, outline, sentences, timelines
from workflows_app.ui.pages import Pages, pages_of_history

Row = TypeVar("Row", bound=Model)

EVENTS_ON_A_PAGE = 50
ATTEMPTS_DRAWN = 400
ATTEMPTS_SHOWN = 100
STEPS_SHOWN = 500
ACTS_READ = 50
FEW = 100
"""Artifacts, effects and called instances that are shown."""
LOG_LINES, LOG_LENGTH = 20, 3_000
"""How many lines of an attempt are shown, the last ones, and characters of each; the page of the log has more."""
LINE_LENGTH = 20_000
VALUE_LENGTH = 20_000
EVENT_LENGTH = 4_000


def page(request: HttpRequest, instance_id: UUID) -> HttpResponse:
    """Answer for an instance that the database has no rows of; the caller has checked who asks.

    Raises:
        Http404: it was not archived either.
    """
    row = _found(instance_id)
    pages = pages_of_history(request.GET.get("from", ""), total=row.events, size=EVENTS_ON_A_PAGE)
    context: dict[str, Any] = {"row": row, "pages": pages, "here": reverse("instance", args=[instance_id])}
    try:
        with archived.opened(row) as archive:
            context |= _contents(archive, row, pages, opened=request.GET.getlist("open"))
    except ArchiveFault as fault:
        context |= {"fault": fault.message}
    return render(request, "ui/archived.html", context)


def log(request: HttpRequest, instance_id: UUID, *, step: str, attempt: int | None) -> HttpResponse:
    """Answer for the log of such an instance, of one of its steps, or of one attempt.

    Raises:
        Http404: it was not archived either.
    """
    row = _found(instance_id)
    context: dict[str, Any] = {"row": row, "step": step, "attempt": attempt, "log_length": LINE_LENGTH}
    try:
        with archived.opened(row) as archive:
            said = (
                each
                for each in archive.rows(row.pk, "loglines")
                if (not step or each["path"] == step) and attempt in (None, each["number"])
            )
            # As many as are shown are at hand, however many there are.
            last = heapq.nlargest(log_views.MOST_LINES + 1, said, key=_order)
            lines = [_made(LogLine, each) for each in reversed(last)]
            context |= {"lines": lines[-log_views.MOST_LINES :], "is_cut": len(lines) > log_views.MOST_LINES}
    except ArchiveFault as fault:
        context |= {"fault": fault.message}
    return render(request, "ui/archived_log.html", context)


def _order(line: Mapping[str, Any]) -> tuple[datetime, str, int, int]:
    """Return what lines of several attempts are ordered by: when they were said."""
    return datetime.fromisoformat(line["at"]), line["path"], line["number"], line["ordinal"]


def _found(instance_id: UUID) -> ArchivedInstance:
    try:
        return archived.find(instance_id)
    except NotFound:
        raise Http404(f"There is no instance {instance_id}.") from None


def _contents(archive: Archive, row: ArchivedInstance, pages: Pages, *, opened: Sequence[str]) -> dict[str, Any]:
    stored = archive.instance(row.pk)
    instance = _made(Instance, stored)
    document = json.loads(archive.definition(row.pk)["document"])
    is_machine = document.get("kind") == "state_machine"
    lines = [] if is_machine else outline.lines(document["steps"], limit=STEPS_SHOWN)
    wanted = {line.path for line in lines}
    steps: deque[dict[str, Any]] = deque(maxlen=STEPS_SHOWN)
    inside: dict[str, str] = {}
    for each in archive.rows(row.pk, "steps"):
        if is_machine or each["path"] in wanted:
            steps.append(each)
        else:
            _note(inside, each["path"], each["state"])
    rows = {each["path"]: _made(Step, each) for each in steps}
    if is_machine:
        lines = list(machines.lines(list(rows)))
    tree = outline.tree(lines, rows)
    attempts = [_made(Attempt, each) for each in deque(archive.rows(row.pk, "attempts"), ATTEMPTS_DRAWN)]
    attempts.sort(key=lambda each: (each.started_at, each.pk))
    timeline, timeline_cut = timelines.of_instance(instance, attempts, lines, now=row.ended_at)
    effects = [_made(Effect, each) for each in deque(archive.rows(row.pk, "effects"), FEW)]
    for effect in effects:
        # No attempt runs that could say what came of it.
        effect.state = EffectState.UNKNOWN if effect.state == EffectState.PLANNED else effect.state
    events, needless = _history(archive, row, pages)
    for line in lines:
        line.undo_is_needless = line.path in needless
    machine = {"state": stored["machine_state"]} if is_machine else None
    shown = attempts[-ATTEMPTS_SHOWN:]
    _give_logs(shown, archive, row)
    called = [(key, each) for key, each in archive.instances.items() if each["parent"] == str(row.pk)]
    return {
        "instance": instance,
        "title": document.get("title"),
        "sentence": sentences.sentence(
            instance,
            steps=rows,
            names={line.path: line.name for line in lines if line.is_named},
            acts=portions.audit_of(str(row.pk), number=ACTS_READ),
            whole=not inside,
            machine=machine,
            needless=needless,
        ),
        "drawing": _drawing(
            row, lines=lines, machine=machine, passed=rows, others=inside, opened=opened, needless=needless
        ),
        "graph_title": f"How {row.workflow} {row.version} ended",
        "error_code": (stored["error"] or {}).get("code"),
        "steps": tree,
        "steps_cut": len(lines) >= STEPS_SHOWN,
        "is_machine": is_machine,
        "timeline": timeline,
        "timeline_cut": timeline_cut,
        "attempts": shown,
        "log_length": LOG_LENGTH,
        "attempts_cut": len(attempts) > ATTEMPTS_SHOWN,
        "effects": effects,
        "artifacts": [_made(Artifact, each) for each in deque(archive.rows(row.pk, "artifacts"), FEW)],
        "called": called[:FEW],
        "values": [(name, _text(stored[name.lower()])) for name in ("Input", "Variables", "Output", "Error")],
        "value_length": VALUE_LENGTH,
        "events": events,
        "event_length": EVENT_LENGTH,
    }


def _note(inside: dict[str, str], path: str, state: str) -> None:
    """Keep how a step inside a repetition stands, by its id: as in the last iteration, or in one that failed."""
    name = split(path)[1]
    if name and inside.get(name) not in graphs.FAILED:
        inside[name] = state


def _history(archive: Archive, row: ArchivedInstance, pages: Pages) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the events of a page, and which steps needed no undo.

    All of it is read: its end proves that nothing is missing.
    """
    shown = range(pages.first, pages.last + 1)
    events: list[dict[str, Any]] = []
    needless: list[str] = []
    for each in archive.history(row.pk):
        if each.type == EventType.INSTANCE_COMPENSATING:
            needless.clear()
        elif each.type == EventType.STEP_UNDO_UNNEEDED and len(needless) < sentences.MOST_NEEDLESS:
            needless.append(each.step)
        if each.sequence in shown:
            events.append(_event(each))
    return events, needless


def _drawing(row: ArchivedInstance, **laid: Any) -> graphs.Drawing | None:
    """Return the picture of its version, which never changes; ``None`` as well where that is not here any more."""
    try:
        version = versions.find(name=row.workflow, version=row.version)
    except NotFound:
        return None
    return graphs.of_instance(version.pk, **laid)


def _give_logs(attempts: list[Any], archive: Archive, row: ArchivedInstance) -> None:
    """Give each attempt the end of its log, as pages of other instances show it; ``None`` where it said nothing."""
    ends: dict[tuple[str, int], deque[Mapping[str, Any]]] = {
        (each.path, each.number): deque(maxlen=LOG_LINES) for each in attempts
    }
    totals = Counter[tuple[str, int]]()
    for line in archive.rows(row.pk, "loglines"):
        key = line["path"], line["number"]
        if key in ends:
            ends[key].append({**line, "path": ""})
            totals[key] += 1
    for each in attempts:
        key = each.path, each.number
        lines = tuple(_made(LogLine, line) for line in ends[key])
        each.log = log_views.Excerpt(total=totals[key], lines=lines) if lines else None


def _made(model: type[Row], stored: Mapping[str, Any]) -> Row:
    """Return the object that a row was, which the database does not have any more."""
    fields = [each for each in model._meta.concrete_fields if each.attname in stored]
    made = model(
        **{each.attname: each.to_python(stored[each.attname]) for each in fields if not isinstance(each, BinaryField)}
    )
    for name in ("error", "undo_error"):
        found = stored.get(name) or {}
        setattr(made, f"{name}_code", found.get("code"))
        setattr(made, f"{name}_message", found.get("message"))
    return made


def _event(event: Any) -> dict[str, Any]:
    at: datetime = event.at
    text = json.dumps(event.data, ensure_ascii=False)[: EVENT_LENGTH + 1]
    known = {name: getattr(event, name) for name in ("sequence", "type", "step", "actor")}
    return {**known, "at": at, "text": text}


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)[: VALUE_LENGTH + 1]
