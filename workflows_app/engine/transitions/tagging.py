"""Tagging: an operator adds words by which an instance is found, or takes some away, whatever its state."""

from __future__ import annotations

from workflows_app.engine import tags
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import ChangeTags


def change(draft: Draft, occurrence: ChangeTags) -> None:
    """Record the tags that the instance has from now on.

    Raises:
        StateForbids: it has those that are to be added, and none that is to be removed; or they would be too many.
    """
    before = draft.instance.tags
    kept = [tag for tag in before if tag not in occurrence.remove]
    wanted = [*kept, *(tag for tag in occurrence.add if tag not in kept)]
    if len(wanted) > tags.MOST:
        raise StateForbids(f"the instance would have {len(wanted)} tags; at most {tags.MOST} are possible")
    if wanted == list(before):
        named = ", ".join([*occurrence.add, *occurrence.remove])
        raise StateForbids(f"the instance {'has' if occurrence.add else 'does not have'} {named}: nothing changes")
    draft.actor = occurrence.actor
    draft.emit(EventType.INSTANCE_TAGGED, tags=wanted, reason=occurrence.reason)
