"""The artifacts of one attempt: what ``context.artifacts`` is on a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from workflows_app.activities.artifacts import OCTETS, Content
from workflows_app.artifacts import store


class AttemptArtifacts:
    """``Artifacts`` over the store.

    Args:
        instance_id: the attempt's instance: it keeps what is written, and what is read must be its own or have come
            to it.
        step: path of the step.
        check: called between pieces; raises to give way to a stop request.
    """

    __slots__ = ("_check", "_instance_id", "_step")

    def __init__(self, *, instance_id: UUID, step: str, check: Callable[[], None] = store.nothing) -> None:
        self._instance_id = instance_id
        self._step = step
        self._check = check

    def write(self, content: Content, *, name: str, media_type: str = OCTETS) -> dict[str, Any]:
        kept = store.store(
            content,
            instance_id=self._instance_id,
            step=self._step,
            name=name,
            media_type=media_type,
            check=self._check,
        )
        return kept.as_dict()

    def read(self, reference: Any) -> bytes:
        return b"".join(self.stream(reference))

    def stream(self, reference: Any) -> Iterator[bytes]:
        return store.open(reference, reader=self._instance_id, check=self._check)
