"""Problems: a refusal, or what the engine finds wrong, as the error that a step keeps."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.errors import OrchestratorError


def error_of(problem: OrchestratorError) -> dict[str, Any]:
    """Write a refusal as a step's error."""
    return {
        "code": problem.code,
        "message": problem.message,
        "details": problem.details,
        "recoverable": getattr(problem, "recoverable", False),
    }


def error(code: str, message: str, *, recoverable: bool = False, **details: Any) -> dict[str, Any]:
    return {"code": code, "message": message, "details": details, "recoverable": recoverable}
