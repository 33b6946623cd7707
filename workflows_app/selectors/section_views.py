"""What there is to choose in the ad-hoc sections of an instance, for pages and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q

from workflows_app.engine.definition.shape import written_steps
from workflows_app.engine.paths import chosen, split
from workflows_app.engine.states import StepState
from workflows_app.models import Instance, Step


def views(found: Instance) -> list[dict[str, Any]]:
    """Return the ad-hoc sections of an instance that wait for people, in the order of their opening.

    Returns:
        ``{step, name, description, assign, members}`` each: the path; what people call it, the definition's words for
        it; whom it is assigned to, ``None`` for whoever may operate; and of each member ``{step, name, description,
        planned, runs, state}``: how often it is planned, how often it was picked, and the state of its last run,
        ``None`` before the first.
    """
    written = {step["id"]: step for step in written_steps(found.definition_version.document) if "adhoc" in step}
    if not written or found.ended_at is not None:
        return []
    named = Q(path__in=list(written))
    for name in written:
        named |= Q(path__endswith=f"].{name}")
    rows = found.steps.filter(named, state=StepState.WAITING, stopping=False).order_by("id")
    return [_view(found, row, written[split(row.path)[1]]) for row in rows]


def _view(found: Instance, row: Step, step: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = row.input or {}
    latest = dict(_latest(row.path, kept["runs"]))
    states = dict(found.steps.filter(path__in=list(latest.values())).values_list("path", "state"))
    return {
        "step": row.path,
        "name": step.get("name") or step["id"],
        "description": step.get("description"),
        "assign": kept["assign"],
        "members": [
            {
                "step": member["id"],
                "name": member.get("name") or member["id"],
                "description": member.get("description"),
                "planned": kept["plan"].count(member["id"]),
                "runs": kept["runs"].get(member["id"], 0),
                "state": states.get(latest.get(member["id"], "")),
            }
            for member in step["adhoc"]["steps"]
        ],
    }


def _latest(section: str, runs: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the members that were picked with the path of what each did last."""
    for member, times in runs.items():
        yield member, f"{chosen(section, member)}[{times - 1}].{member}"


def assigned_words(assign: Mapping[str, Any] | None) -> str:
    """Say who may choose.

    >>> assigned_words({"group": "adjusters"}), assigned_words({"users": ["ann", "bob"]}), assigned_words(None)
    ('the group adjusters', 'ann, bob', 'whoever may operate instances')
    """
    if assign is None:
        return "whoever may operate instances"
    ((how, whom),) = assign.items()
    if how == "group":
        return f"the group {whom}"
    return whom if isinstance(whom, str) else ", ".join(map(str, whom)) or "nobody"
