"""Priority: which of the steps that a full queue holds back leaves first, and why none of them waits for ever.

A step leaves as if it had been there for ``HEAD_START`` seconds longer for every level above ``normal``. So of two that
came at about the same time the more urgent one goes first, and one that has waited so much longer goes first whatever
its priority. The order never changes while steps wait: it is one column and one index, and nothing has to be aged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEVELS: Final[Mapping[str, int]] = {"critical": 2, "high": 1, "normal": 0, "low": -1}
"""The words of the language, each with its level; a step's own beats its document's."""
HEAD_START: Final = 300.0
"""Seconds by which a step overtakes those of the next lower level."""
