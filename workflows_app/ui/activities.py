"""The catalogue of activities: what definitions may name, with what it takes and returns, and which workers have it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.activities import registry
from workflows_app.activities.registered import RegisteredActivity
from workflows_app.engine.errors import OrchestratorError
from workflows_app.selectors import presence
from workflows_app.ui.access import page_of_definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One activity at one version, as the page shows it."""

    activity: RegisteredActivity
    workers: int

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Its parameters, those that are required first."""
        schema = self.activity.parameters
        required = set(schema.get("required", ()))
        named: Mapping[str, Any] = schema.get("properties", {})
        rows = [
            {
                "name": name,
                "type": _type(each),
                "required": name in required,
                "default": json.dumps(each["default"], ensure_ascii=False) if "default" in each else "",
                "description": each.get("description", ""),
            }
            for name, each in named.items()
            if isinstance(each, Mapping)
        ]
        return sorted(rows, key=lambda row: not row["required"])

    @property
    def schema(self) -> str:
        """The schemas of parameters and result, as JSON."""
        both = {"parameters": self.activity.parameters, "result": self.activity.result}
        return json.dumps(both, indent=2, ensure_ascii=False, default=str)


def _type(schema: Mapping[str, Any]) -> str:
    """Say what a value may be.

    >>> _type({"type": ["string", "null"]}), _type({"enum": ["a", "b"]}), _type({})
    ('string or null', '"a" or "b"', 'any')
    """
    if "enum" in schema:
        return " or ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    kinds = schema.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


@page_of_definitions
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every activity that this installation has, by category."""
    problem = ""
    try:
        registry.discover()
    except OrchestratorError as broken:
        problem = broken.message
    there = [each for each in presence.processes() if each.kind == "worker" and each.is_there]  # type: ignore[attr-defined]
    having = Counter(key for each in there for key in each.activities)
    wanted = request.GET.get("q", "").strip()[:100].casefold()
    groups: dict[str, list[Entry]] = defaultdict(list)
    for activity in registry.all():
        if wanted in f"{activity.name} {activity.description} {activity.category}".casefold():
            groups[activity.category].append(Entry(activity=activity, workers=having[activity.key]))
    context = {
        "groups": sorted(groups.items()),
        "problem": problem,
        "workers": len(there),
        "q": request.GET.get("q", "")[:100],
    }
    return render(request, "ui/activities.html", context)
