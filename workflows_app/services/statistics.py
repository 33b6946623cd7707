"""Statistics: all that is said of how a workflow went in a window of time; the same for pages and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from workflows_app.drawing.chart import Chart
from workflows_app.drawing.ways import Passage, Ways, counted
from workflows_app.models import Definition
from workflows_app.selectors import figures, step_figures
from workflows_app.selectors.figures import Of
from workflows_app.selectors.windows import Window
from workflows_app.services import graphs, versions

OF_STEPS: Final = ("steps", "activities", "failing", "slowest", "ways")
SHOWN: Final = 5
"""How many steps are named as those that fail most, and as the slowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What is said, as data, and the ways that were taken on the graph of one version (``None``: nothing ran).

    ``document`` has ``workflow``, ``version`` (``None``: all), ``since``, ``until``, ``figures`` of the window and
    ``baseline`` of the one before, ``versions``, ``trend`` by ``interval_seconds``; and of ``steps_of``, the version
    asked for or the one that ran most, ``steps``, ``activities``, ``failing``, ``slowest`` and ``ways``: links and
    branches with the ``number`` of instances that took them and their ``share``. See ``selectors.figures`` and
    ``step_figures``.
    """

    document: dict[str, Any]
    version_id: int | None = None
    ways: Ways | None = None


def read(*, workflow: str, version: str | None, window: Window) -> Statistics:
    """Return the statistics of a workflow.

    Args:
        version: one version; ``None``: all.
        window: the time in which the instances were created.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
    """
    if version is not None or not Definition.objects.filter(name=workflow).exists():
        versions.find(name=workflow, version=version)
    of = Of(workflow=workflow, version=version, window=window)
    by_version = figures.versions(of)
    shown = version or (by_version[0]["version"] if by_version else None)
    document = {
        "workflow": workflow,
        "version": version,
        "since": window.since,
        "until": window.until,
        "figures": figures.figures(of),
        "baseline": figures.figures(replace(of, window=window.before)),
        "versions": by_version,
        "interval_seconds": int(window.interval.total_seconds()),
        "trend": figures.trend(of, window),
        "steps_of": shown,
    }
    if shown is None:
        return Statistics(document={**document, **{name: [] for name in OF_STEPS}})
    key = versions.find(name=workflow, version=shown).pk
    of = replace(of, version=shown)
    chart = graphs.chart(key)
    taken = counted(chart, map(_passage, step_figures.passages(of)))
    of_steps = _of_steps(step_figures.steps(of, graphs.of_version(key)))
    return Statistics(document={**document, **of_steps, "ways": _listed(chart, taken)}, version_id=key, ways=taken)


def _of_steps(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    failing = [each for each in found["steps"] if each["failed"]]
    timed = [each for each in found["steps"] if each["seconds"]["p95"] is not None]
    return {
        **found,
        "failing": sorted(failing, key=lambda each: (-each["failed"], each["step"]))[:SHOWN],
        "slowest": sorted(timed, key=lambda each: (-each["seconds"]["p95"], each["step"]))[:SHOWN],
    }


def _passage(row: Mapping[str, list[str]]) -> Passage:
    return Passage(
        begun=frozenset(row["begun"]),
        settled=frozenset(row["settled"]),
        failed=frozenset(row["failed"]),
        transitions=frozenset(row["outermost"]),
    )


def _listed(chart: Chart, found: Ways) -> list[dict[str, Any]]:
    links = [
        {
            "from": edge.source,
            "to": edge.target,
            "condition": edge.condition if edge.failure is None else f"on {edge.failure}",
            **_share(found, found.links.get(edge, 0)),
        }
        for edge in chart.edges
    ]
    branches = [
        {"from": name, "to": group.members[0], "condition": group.heading, **_share(found, number)}
        for name, vertex in chart.vertices.items()
        for group in vertex.groups
        if group.heading and group.members
        for number in [found.branches.get(group.members, 0)]
    ]
    return sorted(links + branches, key=lambda each: -each["number"])


def _share(found: Ways, number: int) -> dict[str, Any]:
    return {"number": number, "share": round(found.share(number), 4)}
