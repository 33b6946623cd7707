"""Paths of nodes: a step inside ``foreach`` or ``loop`` is named after its iterations: ``each[3].again[12].inc``.

A step that people chose in an ad-hoc section is named after the section, itself, and how often it was chosen before:
``claim-inspect[1].inspect``. No id has a hyphen, so that no other path looks like that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ITERATION = "[]"
"""Ends the name under which ``Graph.written`` has the iteration of a ``foreach`` or ``loop``."""
_INDEX = re.compile(r"[a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)?\[(0|[1-9][0-9]{0,8})\]")


def split(path: str) -> tuple[str, str]:
    """Return the iteration that a path is in, empty outside, and the name there, empty for an iteration itself.

    >>> split("each[3].square"), split("again[2]"), split("pay")
    (('each[3]', 'square'), ('again[2]', ''), ('', 'pay'))
    """
    around, bracket, name = path.rpartition("]")
    return around + bracket, name.removeprefix(".")


def iteration_of(path: str) -> str | None:
    """Return the innermost iteration that a path is in, or is; ``None`` outside."""
    return split(path)[0] or None


def chosen(section: str, member: str) -> str:
    """Return what the choices of one member of an ad-hoc section are named after.

    >>> chosen("each[3].claim", "inspect")
    'each[3].claim-inspect'
    """
    return f"{section}-{member}"


def indexes(path: str) -> list[int]:
    """Return the indexes of the iterations around a path, outer before inner.

    Raises:
        KeyError: the path is none.

    >>> indexes("each[3].again[12].inc")
    [3, 12]
    """
    around, _ = split(path)
    found = [_INDEX.fullmatch(part) for part in around.split(".")] if around else []
    if not all(found):
        raise KeyError(path)
    return [int(match[1]) for match in found if match]


def iterations(path: str) -> Iterator[str]:
    """Yield the iterations that a path is in, or is, inner before outer.

    >>> list(iterations("each[3].again[12].inc"))
    ['each[3].again[12]', 'each[3]']
    """
    around, _ = split(path)
    while around:
        yield around
        around, _ = split(around[: around.rindex("[")])
