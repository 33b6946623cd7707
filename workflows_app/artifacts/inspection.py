"""What an administrator should know about where artifacts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from workflows_app.artifacts import backends
from workflows_app.artifacts.objects import Objects
from workflows_app.engine.errors import ActivityError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found.

    Args:
        detail: one sentence.
        mend: what to do about it, empty where nothing is to be done.
        is_broken: whether steps fail because of it.
    """

    detail: str
    mend: str = ""
    is_broken: bool = False


def inspect() -> Inspection:
    """Look at the place that ``ORCHESTRATOR_ARTIFACTS`` names, without making it."""
    if not settings.ORCHESTRATOR_ARTIFACTS:
        return Inspection(
            detail="Steps keep no artifacts: ORCHESTRATOR_ARTIFACTS is not set.",
            mend="Set it to a folder that all workers and the web process share, or to s3://bucket/prefix.",
        )
    try:
        backend = backends.chosen()
    except ActivityError as error:
        return Inspection(detail=error.message, mend="Correct ORCHESTRATOR_ARTIFACTS.", is_broken=True)
    problem = backend.problem()
    if problem is not None:
        return Inspection(
            detail=f"They cannot be kept in {backend}: {problem}.",
            mend="Let the account of the workers write there, or correct ORCHESTRATOR_ARTIFACTS.",
            is_broken=True,
        )
    if isinstance(backend, Objects):
        return Inspection(detail=f"They are kept in {backend}, which answers.")
    if overlaps(str(settings.ORCHESTRATOR_ARTIFACTS), settings.ORCHESTRATOR_FILE_ROOT):
        return Inspection(
            detail=f"{backend} and ORCHESTRATOR_FILE_ROOT lie one in the other: steps could rewrite artifacts.",
            mend="Give artifacts a folder of their own.",
            is_broken=True,
        )
    return Inspection(detail=f"They are kept in {backend}, which is writable.")


def overlaps(one: str, other: str | None) -> bool:
    """Whether one of two folders lies in the other, or is it."""
    if not other:
        return False
    first, second = Path(one).resolve(), Path(other).resolve()
    return first == second or first in second.parents or second in first.parents
