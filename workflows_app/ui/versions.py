"""The versions of one workflow: who published them, what changed from one to the next, and two of them compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from workflows_app.engine import definition
from workflows_app.engine.definition.comparing import Change, Difference, differences
from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions
from workflows_app.ui.access import page_of_definitions

VERSIONS_ON_A_PAGE = 20
CHOICES = 200
DIFFERENCES_SHOWN = 500
VALUE_LENGTH = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A version, the one published as its predecessor, and what changed, in a few words."""

    version: DefinitionVersion
    before: str = ""
    changes: str = ""


@page_of_definitions
def listing(request: HttpRequest, name: str) -> HttpResponse:
    """The versions of a workflow, the highest first, each with what differs from the one below."""
    page = Paginator(_of(name), VERSIONS_ON_A_PAGE).get_page(request.GET.get("page"))
    versions = list(page.object_list)
    if not versions:
        raise Http404(f"There is no workflow {name}.")
    after = _of(name)[page.end_index() : page.end_index() + 1]
    context = {
        "name": name,
        "found": versions[0],
        "rows": _rows([*versions, *after])[: len(versions)],
        "page": page,
        "choices": list(_of(name).values_list("version", flat=True)[:CHOICES]),
        "tab": "versions",
    }
    return render(request, "ui/definition_versions.html", context)


@page_of_definitions
def compare(request: HttpRequest, name: str) -> HttpResponse:
    """What differs in meaning between two versions, that of a step together."""
    old, new = (_one(name, request.GET.get(which, "")) for which in ("old", "new"))
    found = _differences(old.pk, new.pk)
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in found[:DIFFERENCES_SHOWN]:
        groups.setdefault(_heading(each), []).append(_shown(each))
    context = {
        "name": name,
        "found": new,
        "old": old,
        "new": new,
        "groups": groups,
        "number": len(found),
        "cut": len(found) > DIFFERENCES_SHOWN,
        "choices": list(_of(name).values_list("version", flat=True)[:CHOICES]),
        "value_length": VALUE_LENGTH,
        "tab": "versions",
    }
    return render(request, "ui/definition_compare.html", context)


def _of(name: str) -> Any:
    rows = DefinitionVersion.objects.filter(definition__name=name).defer("source", "document", "activities", "calls")
    return rows.order_by("-major", "-minor", "-patch", "-prerelease", "-pk")


def _one(name: str, version: str) -> DefinitionVersion:
    try:
        return definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem


def _rows(versions: Sequence[DefinitionVersion]) -> list[Row]:
    rows = []
    for version, before in zip(versions, [*versions[1:], None], strict=True):
        changes = "the first one" if before is None else _summary(_differences(before.pk, version.pk))
        rows.append(Row(version=version, before=before.version if before else "", changes=changes))
    return rows


@lru_cache(maxsize=256)
def _differences(old: int, new: int) -> tuple[Difference, ...]:
    """Versions never change, so neither does what differs between two of them."""
    return differences(_parsed(old), _parsed(new))


@lru_cache(maxsize=64)
def _parsed(version_id: int) -> definition.Definition:
    return definition.parse(DefinitionVersion.objects.values_list("document", flat=True).get(pk=version_id))


def _summary(found: Sequence[Difference]) -> str:
    """Count differences by their kinds.

    >>> _summary([Difference(Change.ADDED, "steps.a", None, {}), Difference(Change.CHANGED, "title", "a", "b")])
    '1 added, 1 changed'
    """
    counts = Counter(each.kind for each in found)
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in Change if counts[kind]) or "nothing in meaning"


def _heading(found: Difference) -> str:
    """Return the step that a difference is about, or what else.

    >>> _heading(Difference(Change.CHANGED, "steps.pay.timeout", "30s", "1m"))
    'pay'
    """
    head, _, rest = found.path.partition(".")
    return rest.partition(".")[0] if head == "steps" and rest else ""


def _shown(found: Difference) -> dict[str, Any]:
    heading = _heading(found)
    place = found.path.removeprefix(f"steps.{heading}").removeprefix(".") if heading else found.path
    return {
        "kind": found.kind.value,
        "place": place,
        "old": None if found.kind is Change.ADDED else _written(found.old),
        "new": None if found.kind is Change.REMOVED else _written(found.new),
    }


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= VALUE_LENGTH else f"{text[:VALUE_LENGTH]}…"
