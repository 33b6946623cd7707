"""Statistics of a workflow: how its instances went in a stretch of time, beside the stretch before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app import spans
from workflows_app.engine.errors import InputInvalid, NotFound
from workflows_app.selectors import presence, published, windows
from workflows_app.selectors.overview import Interval
from workflows_app.services import statistics, versions
from workflows_app.ui import charts, graphs
from workflows_app.ui.access import page_of_statistics

STRETCHES = {"1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
DEFAULT = "7d"
CHOICES = 200
WAYS_SHOWN = 30
NAMED_STRETCHES = {3600: "hour", 86_400: "day"}
"""Lengths of intervals in seconds that have a name."""
STEPS_SHOWN = 100
LONGEST = 60
"""Characters of what stands in the address."""


@page_of_statistics
def one(request: HttpRequest, name: str) -> HttpResponse:
    """The statistics of a workflow, of all its versions or of one (``?version=``), since and until a time."""
    version = request.GET.get("version", "")
    since, until = request.GET.get("since") or DEFAULT, request.GET.get("until", "")
    try:
        found = versions.find(name=name, version=version) if version else published.highest(name)
    except NotFound as problem:
        raise Http404(problem.message) from problem
    context = {
        "name": name,
        "found": found,
        "tab": "statistics",
        "version": version,
        "since": since[:LONGEST],
        "until": until[:LONGEST],
        "stretches": STRETCHES if since in STRETCHES else {since[:LONGEST]: since[:LONGEST], **STRETCHES},
        "choices": list(published.versions(name).values_list("version", flat=True)[:CHOICES]),
    }
    try:
        window = windows.read(since, until, now=presence.clock())
    except InputInvalid as problem:
        return render(request, "ui/statistics.html", {**context, "problem": problem.message}, status=400)
    said = statistics.read(workflow=name, version=version or None, window=window)
    kept = {"version": version, "since": since, "until": until}
    opened = request.GET.getlist("open")
    context["said"] = said.document
    context["compared"] = _compared(said.document["figures"], said.document["baseline"])
    context["chart"] = charts.throughput([_interval(row) for row in said.document["trend"]])
    seconds = said.document["interval_seconds"]
    context["each_interval"] = f"each {NAMED_STRETCHES.get(seconds) or spans.duration(seconds)}"
    context["steps"] = said.document["steps"][:STEPS_SHOWN]
    context["ways"] = [each for each in said.document["ways"] if each["condition"] is not None][:WAYS_SHOWN]
    context["graph_title"] = f"The ways that {name} {said.document['steps_of']} took"
    if said.version_id is not None and said.ways is not None:
        context["drawing"] = graphs.of_ways(
            said.version_id, said.ways, opened=opened, kept={key: value for key, value in kept.items() if value}
        )
    return render(request, "ui/statistics.html", context)


def _interval(row: Mapping[str, Any]) -> Interval:
    otherwise = row["started"] - row["completed"] - row["failed"]
    return Interval(begin=row["begin"], completed=row["completed"], failed=row["failed"], otherwise=otherwise)


def _compared(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return each figure as people read it, beside the one of the stretch before."""
    rows: Sequence[tuple[str, Callable[[Mapping[str, Any]], Any], Callable[[Any], str]]] = (
        ("Instances", lambda of: of["instances"], lambda value: f"{value:,}"),
        ("Completed an hour", lambda of: of["per_hour"], lambda value: f"{value:,.2f}"),
        ("Completed of those that ended", lambda of: of["completion_rate"], lambda value: f"{value:.1%}"),
        ("Failed of those that ended", lambda of: of["failure_rate"], lambda value: f"{value:.1%}"),
        ("Mean duration", lambda of: of["seconds"]["mean"], spans.duration),
        ("Half take at most", lambda of: of["seconds"]["p50"], spans.duration),
        ("95 of 100 take at most", lambda of: of["seconds"]["p95"], spans.duration),
        ("99 of 100 take at most", lambda of: of["seconds"]["p99"], spans.duration),
        ("Longest", lambda of: of["seconds"]["max"], spans.duration),
    )
    return [
        {
            "label": label,
            "now": _written(of(now), words),
            "before": _written(of(before), words),
            "change": change(of(now), of(before)),
        }
        for label, of, words in rows
    ]


def _written(value: Any, words: Callable[[Any], str]) -> str:
    return "–" if value is None else words(value)


def change(now: float | None, before: float | None) -> str:
    """Say by how much a figure differs from the one before, as a share of that.

    >>> change(30, 20), change(0.05, 0.1), change(5, 5), change(5, 0), change(None, 3)
    ('+50%', '−50%', 'the same', '–', '–')
    """
    if now is None or not before:
        return "the same" if now == before and now is not None else "–"
    share = (now - before) / before
    if abs(share) < 0.005:
        return "the same"
    return f"+{share:.0%}" if share > 0 else f"−{-share:.0%}"
