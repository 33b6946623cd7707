"""Rewinds: an operator takes an instance back to a step, or has it run again from one; what came after is undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from workflows_app.engine import stored, values
from workflows_app.engine.errors import InputInvalid, OrchestratorError, Problem
from workflows_app.engine.transitions import Rewind, foreseeing
from workflows_app.engine.transitions.foreseeing import Foreseen
from workflows_app.models import Instance
from workflows_app.services import decisions, interventions


@transaction.atomic
def rewind(*, instance_id: UUID, step: str, actor: str, variables: Any = None, reason: str = "") -> Instance:
    """Undo everything that came after a step, in the legal order; the instance stands paused there.

    Args:
        step: path of a step of the outermost list.
        variables: new values of declared variables, by name, once the instance stands there.

    Raises:
        NotFound: no such instance, or STEP_NOT_FOUND.
        StateForbids: the instance cannot be taken back, or something that has happened in it cannot be.
        InputInvalid: as for ``interventions.resume``.
    """
    occurrence = _occurrence(instance_id, step, actor=actor, variables=variables, reason=reason)
    return interventions.take(instance_id, occurrence, "instance.rewound", step=step, **_named(occurrence))


@transaction.atomic
def rerun(
    *, instance_id: UUID, step: str, actor: str, parameters: Any = None, variables: Any = None, reason: str = ""
) -> Instance:
    """Undo a step and everything that came after it, and let the instance go on from there.

    Args:
        step: path of a step of the outermost list.
        parameters: what the step runs with instead of what its ``with`` comes to; ``None``: it is evaluated anew.
        variables: new values of declared variables, by name, before the instance goes on.

    Raises:
        NotFound, StateForbids: as for ``rewind``.
        InputInvalid: parameters that are no object, or cannot be stored; variables as for ``rewind``.
    """
    again = _occurrence(instance_id, step, actor=actor, variables=variables, reason=reason)
    occurrence = replace(again, including=True, resume=True, parameters=_checked(parameters))
    return interventions.take(instance_id, occurrence, "instance.rerun", step=step, **_named(occurrence))


@transaction.atomic
def foresee(
    *, instance_id: UUID, step: str, including: bool, parameters: Any = None, variables: Any = None
) -> Foreseen:
    """Tell what a rewind to a step, or ``including`` it a rerun from it, would do; nothing happens.

    Raises:
        NotFound, StateForbids, InputInvalid: as the act would.
    """
    plain = _occurrence(instance_id, step, actor="", variables=variables, reason="")
    occurrence = replace(plain, including=including, parameters=_checked(parameters))
    return decisions.ask(instance_id=instance_id, question=lambda at, now: foreseeing.rewind(at, occurrence, now=now))


def _occurrence(instance_id: UUID, step: str, *, actor: str, variables: Any, reason: str) -> Rewind:
    return Rewind(
        step=step,
        including=False,
        resume=False,
        actor=actor,
        reason=reason,
        evidence=interventions.evidence_of(instance_id),
        variables=interventions.stored_variables(variables),
    )


def _named(occurrence: Rewind) -> dict[str, Any]:
    """Return what the audit trail says of the variables: their names."""
    return {"variables": sorted(occurrence.variables)} if occurrence.variables else {}


def _checked(parameters: Any) -> Any:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise _refused("INPUT_INVALID", "must be an object: parameters by name, as in `with`")
    try:
        text = values.encode(parameters, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the parameters")
    except OrchestratorError as refused:
        raise _refused(refused.code, refused.message) from refused
    return stored.as_stored(text)


def _refused(code: str, message: str) -> InputInvalid:
    problem = Problem(code=code, path="input", message=message)
    return InputInvalid(f"the input {message}" if code == "INPUT_INVALID" else message, code=code, problems=[problem])
