"""Ad-hoc sections: a person chooses which step is done next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings

from workflows_app.engine import stored, values
from workflows_app.engine.errors import InputInvalid, OrchestratorError, Problem
from workflows_app.engine.transitions import Act, MemberChosen
from workflows_app.services import decisions

REASON_LENGTH = 2000
"""Characters that a reason may have."""


def choose(
    *,
    instance_id: UUID,
    section: str,
    member: str,
    act: Act,
    person: str,
    groups: Iterable[str] = (),
    data: Any = None,
    reason: str = "",
) -> None:
    """Begin, plan or skip a member of an ad-hoc section, in one transaction. The history keeps who did it.

    Whether somebody may choose in a section that is assigned to nobody is for the caller to say.

    Args:
        instance_id: the instance.
        section: path of the section.
        member: id of the step in it.
        act: what is to become of it.
        person: user name.
        groups: the groups that the person is in.
        data: JSON that a step that is begun reads as ``item.data``.
        reason: in the person's words.

    Raises:
        NotFound: there is no such instance.
        InputInvalid: the data, or the reason, cannot be stored.
        StateForbids: the section does not wait for people, or the member is under way.
        Refused: NOT_ASSIGNED, UNKNOWN_STEP, NOT_PLANNED.
    """
    try:
        text = values.encode(data, limit_bytes=settings.ORCHESTRATOR_MAX_INPUT_BYTES, what="the data")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="data", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused
    if len(reason) > REASON_LENGTH or "\x00" in reason:
        problem = Problem(code="INVALID_REASON", path="reason", message=f"at most {REASON_LENGTH:,} characters of text")
        raise InputInvalid(f"the reason must be {problem.message}", problems=[problem])
    occurrence = MemberChosen(
        section=section,
        member=member,
        act=act,
        person=person[:150],
        groups=frozenset(groups),
        data=stored.as_stored(text),
        reason=reason,
    )
    decisions.take(instance_id=instance_id, occurrence=occurrence)
