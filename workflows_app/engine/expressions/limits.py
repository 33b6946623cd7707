"""What an expression may cost: bounds on its text, and a deterministic meter while it runs.

Nothing here reads a clock, so that the same expression on the same values stops at the same node on every machine.
The numbers are chosen so that the worst expression within them ends well within a second; 300,000 steps take about
0.2 s.
"""

from __future__ import annotations

from collections.abc import Callable

from workflows_app.engine.errors import ExpressionLimit

MAX_LENGTH = 4_000
"""Characters of one expression."""
MAX_DEPTH = 50
"""Levels of nesting: brackets, prefix operators, conditionals, function calls, the fields of one path."""
MAX_MACRO_DEPTH = 3
"""Macros (``map``, ``filter``, ``all`` ...) inside macros."""
MAX_LITERAL = 500
"""Elements of one list or map literal, arguments of one call, operands of one chain of operators."""
MAX_STEPS = 300_000
"""Nodes visited in one evaluation; walking over an element of a value counts like a node."""
MAX_PRODUCED = 4_000_000
"""Bytes of new text and of new list or map slots in one evaluation."""
MAX_PATTERN = 500
"""Characters of a regular expression."""
MAX_TEMPLATE_EXPRESSIONS = 1_000
"""Expressions in one value (for example in one ``with``)."""
MAX_VALUE_DEPTH = 100
"""Nesting of a value that holds expressions, and of a computed result."""
SLOT = 16
"""Bytes that one place in a new list or map counts for."""
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Meter:
    """Counts what one evaluation has cost, and stops it at the bound.

    Args:
        should_stop: polled at every visited node; a true answer ends the evaluation.

    >>> meter = Meter()
    >>> meter.visit(MAX_STEPS)
    >>> meter.visit()
    Traceback (most recent call last):
    ...
    workflows_app.engine.errors.ExpressionLimit: The expression takes more than 300,000 steps.
    """

    __slots__ = ("produced", "should_stop", "steps")

    def __init__(self, should_stop: Callable[[], bool] | None = None) -> None:
        self.steps = 0
        self.produced = 0
        self.should_stop = should_stop

    def visit(self, count: int = 1) -> None:
        """Charge ``count`` nodes or elements.

        Raises:
            ExpressionLimit: the budget is spent, or the caller wants to stop.
        """
        self.steps += count
        if self.steps > MAX_STEPS:
            raise ExpressionLimit(f"The expression takes more than {MAX_STEPS:,} steps.")
        if self.should_stop is not None and self.should_stop():
            raise ExpressionLimit("The evaluation was stopped.")

    def scan(self, characters: int) -> None:
        """Charge reading through a text: 256 characters count like a node."""
        self.visit(characters >> 8)

    def produce(self, size: int) -> None:
        """Charge ``size`` bytes of new data, before they are made.

        Raises:
            ExpressionLimit: the budget is spent.
        """
        self.produced += size
        if self.produced > MAX_PRODUCED:
            raise ExpressionLimit(f"The expression produces more than {MAX_PRODUCED:,} bytes.")
