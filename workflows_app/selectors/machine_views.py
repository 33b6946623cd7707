"""How a state machine stands, for pages and commands: its state, what may happen in it, what is under way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows_app.engine.definition.machine import MACHINE, MOVE
from workflows_app.models import Instance, Step


def view(found: Instance) -> dict[str, Any] | None:
    """Return what is shown of a state machine's instance; ``None`` of a flow's.

    Returns:
        ``{state, since, until, sequence, transition, waiting, events}``: since when the machine is in its state, and
        until when it may stay; the length of the history, for senders that expect a version; the path of the transition
        under way; the types of the events that wait; and the transitions that are possible in the state, in the order
        in which they are tried, as ``{event, to, when}``. Times are ``datetime``.
    """
    if found.machine_state is None:
        return None
    due = found.steps.filter(path=MACHINE).values_list("due_at", flat=True).first() if found.ended_at is None else None
    return {
        "state": found.machine_state,
        "since": found.machine_since,
        "until": due,
        "sequence": found.sequence,
        "transition": found.machine_transition,
        "waiting": [event["type"] for event in found.machine_queue or ()],
        "events": [] if found.ended_at else list(possible(found.definition_version.document, found.machine_state)),
    }


def possible(document: Mapping[str, Any], state: str) -> Iterator[dict[str, Any]]:
    """Yield the transitions that a document has for a state.

    >>> transition = {"from": ["a", "b"], "to": "c", "event": "go", "when": "vars.n > 1"}
    >>> list(possible({"transitions": [transition]}, "b"))
    [{'event': 'go', 'to': 'c', 'when': 'vars.n > 1'}]
    """
    for each in document["transitions"]:
        if state in ([each["from"]] if isinstance(each["from"], str) else each["from"]):
            yield {"event": each["event"], "to": each["to"], "when": each.get("when")}


def step_states(rows: Mapping[str, Step]) -> dict[str, str]:
    """Return the state of every action that a machine has come to, in the order in which it came to them.

    The machine itself, its transitions and their moves are no steps.
    """
    return {path: row.state for path, row in rows.items() if "." in path and not path.endswith(f".{MOVE}")}
