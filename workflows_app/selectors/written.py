"""What published versions say of their steps: read once by a process, as a version never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workflows_app.engine.definition.shape import written_steps
from workflows_app.engine.paths import split
from workflows_app.models import DefinitionVersion

MOST_KNOWN: Final = 1_000
"""Of more versions those that were asked for first are read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one version says.

    Args:
        names: what people call the steps, by id; only of those that have a name.
        attempts: how many attempts steps have that say it, by id.
        place: the template of the concurrency key.
    """

    names: Mapping[str, str]
    attempts: Mapping[str, int]
    place: str | None

    def named(self, path: str) -> str:
        """Return a step as sentences name it: ``“Take it” (take)``, or ``“take”``."""
        name = self.names.get(split(path)[1], path)
        return f"“{path}”" if name == path else f"“{name}” ({path})"

    def most(self, path: str) -> int | None:
        """Return how many attempts a step has, if that is written."""
        return self.attempts.get(split(path)[1])


_known: dict[int, Written] = {}


def of_versions(wanted: Iterable[int]) -> Mapping[int, Written]:
    """Return what versions say, by primary key; those that are not known yet are read with one statement."""
    keys = set(wanted)
    missing = keys - _known.keys()
    if missing:
        for pk, document in DefinitionVersion.objects.filter(pk__in=missing).values_list("pk", "document"):
            _known[pk] = _read(document)
    found = {key: _known[key] for key in keys}
    while len(_known) > MOST_KNOWN:
        _known.pop(next(iter(_known)))
    return found


def _read(document: Mapping[str, Any]) -> Written:
    steps = {str(step["id"]): step for step in written_steps(document) if "id" in step}
    return Written(
        names={name: str(step["name"]) for name, step in steps.items() if step.get("name")},
        attempts={
            name: int(step["retry"].get("max_attempts", 3))
            for name, step in steps.items()
            if isinstance(step.get("retry"), dict)
        },
        place=document.get("concurrency", {}).get("key"),
    )
