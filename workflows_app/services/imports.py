"""Import: many definitions published in the order of their dependencies, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from workflows_app.engine import definition
from workflows_app.engine.definition.dependencies import called, in_order
from workflows_app.engine.errors import DefinitionInvalid, Problem, Refused
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions
from workflows_app.services.bundles import Source
from workflows_app.services.contents import parse_version


class Outcome(StrEnum):
    """What became of one document; of a dry run what would have."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    HELD_BACK = "held_back"
    """Sound, and not published because another was refused."""
    NOT_TRIED = "not_tried"
    """It calls a workflow whose document was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One document's result: its place, what it is called if that could be read, and every problem."""

    place: str
    workflow: str | None
    version: str | None
    outcome: Outcome
    problems: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.place,
            "workflow": self.workflow,
            "version": self.version,
            "outcome": self.outcome.value,
            "problems": [problem.as_dict() for problem in self.problems],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    source: Source
    workflow: str
    version: str
    calls: frozenset[str]


def publish_all(*, sources: Sequence[Source], actor: str, dry_run: bool = False) -> list[Imported]:
    """Publish documents, those that are called before those that call them.

    Args:
        sources: the documents.
        actor: who imports.
        dry_run: undo everything in the end; the results are the same.

    Returns:
        a result for each document, in the order in which they were tried. If any is ``refused``, none is stored.
    """
    with transaction.atomic():
        results = _publish_in_order(sources, actor)
        refused = any(each.outcome in (Outcome.REFUSED, Outcome.NOT_TRIED) for each in results)
        if refused or dry_run:
            transaction.set_rollback(True)
    if not refused:
        return results
    return [_held_back(each) if each.outcome is Outcome.PUBLISHED else each for each in results]


def _publish_in_order(sources: Sequence[Source], actor: str) -> list[Imported]:
    documents, results = _read(sources)
    ordered, circle = in_order([each.workflow for each in documents], [each.calls for each in documents])
    _lock(each.workflow for each in documents)
    spoilt = {each.workflow for each in results if each.workflow}
    for position in ordered:
        result = _publish(documents[position], actor, spoilt)
        if result.outcome in (Outcome.REFUSED, Outcome.NOT_TRIED):
            spoilt.add(documents[position].workflow)
        results.append(result)
    names = ", ".join(sorted({documents[position].workflow for position in circle}))
    reason = Problem(code="IMPORT_CYCLE", path="", message=f"these call each other in a circle: {names}")
    results += [_result(documents[position], Outcome.REFUSED, [reason]) for position in circle]
    return results


def _read(sources: Sequence[Source]) -> tuple[list[_Read], list[Imported]]:
    """Read what the order needs of each document; what cannot be read is refused already."""
    documents: list[_Read] = []
    refused: list[Imported] = []
    for source in sources:
        try:
            raw = definition.load(source.text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES)
            parsed_name, version = raw.get("workflow"), raw.get("version")
            if not isinstance(parsed_name, str) or not isinstance(version, str):
                # It has no name to order it by: parsing says what is wrong.
                definition.parse(raw)
            documents.append(_Read(source=source, workflow=str(parsed_name), version=str(version), calls=called(raw)))
        except DefinitionInvalid as problem:
            refused.append(
                Imported(
                    place=source.place,
                    workflow=None,
                    version=None,
                    outcome=Outcome.REFUSED,
                    problems=problem.problems,
                )
            )
    return sorted(documents, key=_place_in_row), refused


def _place_in_row(each: _Read) -> tuple[str, bool, tuple[int, int, int, bool, str], str]:
    """Versions of one workflow go up, a prerelease before its release."""
    try:
        major, minor, patch, prerelease = parse_version(each.version)
    except ValueError:
        return each.workflow, True, (0, 0, 0, False, ""), each.source.place
    return each.workflow, False, (major, minor, patch, not prerelease, prerelease), each.source.place


def _lock(names: Iterable[str]) -> None:
    """Take the locks that publishing takes, in one order for everybody, so that two imports never wait in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT hashtext('definition:' || name) FROM unnest(%s::text[]) name", [list(set(names))]
        )
        for (key,) in sorted(cursor.fetchall()):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _publish(each: _Read, actor: str, spoilt: set[str]) -> Imported:
    missing = (each.calls & spoilt) - {each.workflow}
    if missing:
        reason = Problem(
            code="IMPORT_DEPENDENCY_REFUSED",
            path="",
            message=f"it calls {', '.join(sorted(missing))}, which is refused",
        )
        return _result(each, Outcome.NOT_TRIED, [reason])
    known = DefinitionVersion.objects.filter(definition__name=each.workflow, version=each.version).exists()
    try:
        definitions.publish(text=each.source.text, actor=actor)
    except Refused as refused:
        problems = refused.problems or [Problem(code=refused.code, path="", message=refused.message)]
        return _result(each, Outcome.REFUSED, problems)
    return _result(each, Outcome.UNCHANGED if known else Outcome.PUBLISHED)


def _result(each: _Read, outcome: Outcome, problems: Iterable[Problem] = ()) -> Imported:
    return Imported(
        place=each.source.place,
        workflow=each.workflow,
        version=each.version,
        outcome=outcome,
        problems=tuple(problems),
    )


def _held_back(each: Imported) -> Imported:
    return Imported(place=each.place, workflow=each.workflow, version=each.version, outcome=Outcome.HELD_BACK)
