"""The functions that make state machines: plain mappings, in which only the names of keywords are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows_app.builder.documents import ABSENT, WORKFLOW_KEYS, Document, _given, _refuse_others

STATE_KEYS = ("description", "terminal", "timeout", "on_timeout")
TRANSITION_KEYS = ("name", "description", "when", "do", "then", "set", "compensate")
ACTION_KEYS = ("result", "timeout", "retry", "compensate")


def machine(
    name: str, version: str, /, *transitions: Mapping[str, Any], initial: str, states: Mapping[str, Any], **keys: Any
) -> Document:
    """Return a document of kind ``state_machine``.

    Args:
        name: key ``workflow``.
        version: key ``version``.
        transitions: what ``transition`` returns, in the order in which they are tried.
        initial: the state that an instance begins in.
        states: what ``state`` returns, by name.
        keys: ``WORKFLOW_KEYS``, the other keys of a document.

    Raises:
        TypeError: for an unknown keyword.

    >>> document = machine("door", "1.0.0", transition("open", "shut", "ajar"), initial="shut",
    ...     states={"shut": state(), "ajar": state(terminal=True)})
    >>> document["transitions"]
    [{'from': 'shut', 'to': 'ajar', 'event': 'open'}]
    """
    _refuse_others("machine", keys, WORKFLOW_KEYS)
    return {
        "workflow": name,
        "version": version,
        "kind": "state_machine",
        **keys,
        "initial": initial,
        "states": dict(states),
        "transitions": list(transitions),
    }


def state(**keys: Any) -> Document:
    """Return a state.

    Args:
        keys: ``STATE_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    _refuse_others("state", keys, STATE_KEYS)
    return dict(keys)


def transition(event: str, sources: str | Sequence[str], target: str, /, **keys: Any) -> Document:
    """Return a transition.

    Args:
        event: the type of the event that sets it off.
        sources: the state, or states, that it starts from.
        target: the state that it ends in.
        keys: ``TRANSITION_KEYS``; ``do`` and ``then`` are lists of what ``action`` returns.

    Raises:
        TypeError: for an unknown keyword.
    """
    _refuse_others("transition", keys, TRANSITION_KEYS)
    return {"from": sources if isinstance(sources, str) else list(sources), "to": target, "event": event, **keys}


def action(activity: str, /, *, with_: Mapping[str, Any] = ABSENT, **keys: Any) -> Document:
    """Return an action of a transition.

    Args:
        activity: name of the activity.
        with_: its parameters.
        keys: ``ACTION_KEYS``.

    Raises:
        TypeError: for an unknown keyword.
    """
    _refuse_others("action", keys, ACTION_KEYS)
    return {"activity": activity, **_given(**{"with": with_}), **keys}
