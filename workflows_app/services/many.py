"""Many at once: an operator's act on each of some instances, in a transaction of its own, with a result for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from workflows_app.engine.errors import OrchestratorError
from workflows_app.models import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one: its state, or why it was refused."""

    instance_id: UUID
    state: str | None = None
    code: str = ""
    message: str = ""

    @property
    def is_refused(self) -> bool:
        return self.state is None

    def as_dict(self) -> dict[str, Any]:
        """Return it as documents have it."""
        if self.is_refused:
            return {"id": str(self.instance_id), "error": {"code": self.code, "message": self.message}}
        return {"id": str(self.instance_id), "state": self.state}


def each(instances: Iterable[UUID], act: Callable[[UUID], Instance]) -> list[Outcome]:
    """Do it to one after the other; a refusal stops none of the others."""
    return [_one(key, act) for key in instances]


def _one(key: UUID, act: Callable[[UUID], Instance]) -> Outcome:
    try:
        return Outcome(instance_id=key, state=act(key).state)
    except OrchestratorError as refused:
        return Outcome(instance_id=key, code=refused.code, message=refused.message)
