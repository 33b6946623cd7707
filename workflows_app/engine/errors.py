"""One error tree: every refusal has a stable ``code``, a message for people and, where there is one, a place.

The engine never names an HTTP status or an exit code; the shells (pages, commands) translate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault found in a document or an input.

    Args:
        code: stable upper snake case name of the rule.
        path: where, as a path into the document (``steps[2].with.order``); empty for the whole.
        message: the reason, one sentence.
        severity: ``error`` stops the publication, ``warning`` does not.
    """

    code: str
    path: str
    message: str
    severity: str = "error"

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "severity": self.severity, "path": self.path, "message": self.message}

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message} ({self.code})"


class OrchestratorError(Exception):
    """Base of everything this product refuses on purpose.

    Args:
        message: the reason in one sentence, fit for a user.
        code: overrides the class's code.
        details: JSON-like facts about the refusal.
    """

    code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details: dict[str, Any] = dict(details or {})


class Refused(OrchestratorError):
    """A request that breaks a rule; ``problems`` names every fault found, never only the first."""

    code = "REFUSED"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        problems: Sequence[Problem] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.problems = tuple(problems)


class DefinitionInvalid(Refused):
    """A definition document with at least one problem of severity ``error``."""

    code = "DEFINITION_INVALID"


class InputInvalid(Refused):
    """A workflow input that does not meet the definition's schema or the size limit."""

    code = "INPUT_INVALID"


class NotFound(Refused):
    """A definition, version or instance that does not exist (or that the asker may not see)."""

    code = "NOT_FOUND"


class StateForbids(Refused):
    """A command that the instance's state does not allow."""

    code = "STATE_FORBIDS"


class Conflict(Refused):
    """Something else already stands under the same name, version or idempotency key."""

    code = "CONFLICT"


class ExpressionError(OrchestratorError):
    """An expression that does not parse or does not evaluate."""

    code = "EXPRESSION_ERROR"


class ExpressionLimit(ExpressionError):
    """An expression that exceeds its budget of size, depth, visited nodes or produced data."""

    code = "EXPRESSION_LIMIT"


class ActivityError(OrchestratorError):
    """What an activity raises to fail its attempt.

    Args:
        message: what went wrong, one sentence.
        code: stable upper snake case name; ``retry.non_retryable`` compares against it.
        details: JSON-like facts, for example ``{"status": 503}``; ``{"effect": "unknown"}`` says
            that the call may have had its effect, so that the step is undone if the instance fails.
        recoverable: ``False`` forbids another attempt whatever the retry policy says.
    """

    code = "ACTIVITY_FAILED"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        recoverable: bool = True,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.recoverable = recoverable


class NotYet(ActivityError):
    """What an activity raises when its turn has not come: nothing was done, and the attempt counts for nothing.

    Args:
        seconds: after which the step is handed out again.
    """

    code = "NOT_YET"

    def __init__(
        self, message: str, *, seconds: float, code: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.seconds = seconds


class AttemptCancelled(ActivityError):
    """What an activity raises when it stops because ``context.should_stop()`` turned true."""

    code = "CANCELLED"
