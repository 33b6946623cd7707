"""Text of strangers that goes to a terminal."""

from __future__ import annotations


def tame(text: str) -> str:
    r"""Write out what would move a terminal's cursor, change its colours or begin a line: errors quote strangers.

    >>> tame("a\x1b[2J\nb é")
    'a\\x1b[2J\\nb é'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
