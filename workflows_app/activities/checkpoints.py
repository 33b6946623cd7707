"""What an activity keeps for the next attempt of its step: how far it has come, so that a retry need not begin anew."""

from __future__ import annotations

from typing import Any, Protocol

from workflows_app.engine import stored, values

LIMIT_BYTES = 262_144
"""How large a checkpoint outside an installation may be; a worker asks the installation's settings."""


class Checkpoint(Protocol):
    """One value for each step and role: all attempts share it; an undo and a fallback have one of their own."""

    def load(self) -> Any:
        """Return what was saved last, by this attempt or one before it; ``None`` if nothing was."""
        ...

    def save(self, value: Any) -> None:
        """Keep a JSON value, committed at once, in the place of what was kept before.

        Raises:
            OrchestratorError: the value is no JSON, or too large; the former one stays.
            AttemptCancelled: the attempt is over: another one may have begun, whose value this must not replace.
        """
        ...


class OwnCheckpoint:
    """The checkpoint of an attempt outside an installation: it lasts as long as the object."""

    def __init__(self) -> None:
        self._text: str | None = None

    def load(self) -> Any:
        return None if self._text is None else stored.loads(self._text)

    def save(self, value: Any) -> None:
        self._text = values.encode(value, limit_bytes=LIMIT_BYTES, what="the checkpoint")
