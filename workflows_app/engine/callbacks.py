"""Callbacks: a step waits for the answer to a call, at an address that the step which makes the call hands out.

An answer is an event like any other, matched by type and key. The type is none that a definition or a person may write,
and the key names one step of one instance: only the address reaches it.
"""

from __future__ import annotations

import hashlib

from workflows_app.engine.paths import split

EVENT = "callback()"
"""The type of answers; what people write as a type has no brackets."""


def key_of(instance_id: str, path: str, rerun: int) -> str:
    """Return the key under which the answers for one waiting step are published.

    Args:
        instance_id: of its instance.
        path: of the step that waits.
        rerun: how often it has been run again: what was answered to an earlier run is no answer to this one.

    >>> len(key_of("7f", "each[3].answer", 0)), key_of("7f", "a", 0) == key_of("7f", "a", 1)
    (64, False)
    """
    return hashlib.sha256(f"{instance_id}/{path}/{rerun}".encode()).hexdigest()


def path_of(sender: str, name: str) -> str:
    """Return the path of the step that waits: it stands in the same iteration as the one that hands out its address.

    >>> path_of("each[3].ask", "answer"), path_of("ask", "answer")
    ('each[3].answer', 'answer')
    """
    around, _ = split(sender)
    return f"{around}.{name}" if around else name
