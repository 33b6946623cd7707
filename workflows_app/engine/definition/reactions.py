"""Reactions: what a failure beyond the retry policy means, the same whatever failed or one for each case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows_app.engine.definition.model import ActivityBody


class OnError(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"
    GOTO = "goto"
    FALLBACK = "fallback"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows: ``goto`` names a step, ``output`` stands for that of the step, ``fallback`` for its activity.

    Each of them goes with its ``kind``.
    """

    kind: OnError = OnError.FAIL
    goto: str | None = None
    output: Any = None
    fallback: ActivityBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """So many failed attempts of the step, within the last so many seconds (``None``: since it began)."""

    at_least: int
    within: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCase:
    """One case of ``on_error``: what follows where all that it asks for is so.

    Args:
        codes: one of them is the error's; empty: whatever it is.
        when: an expression over the error.
        attempts: how many attempts have failed.
    """

    then: Reaction
    codes: tuple[str, ...] = ()
    when: str | None = None
    attempts: Threshold | None = None

    @property
    def always(self) -> bool:
        """Whether it asks for nothing."""
        return not self.codes and self.when is None and self.attempts is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactions:
    """All of ``on_error``: ``plain``, or where there are ``cases`` the first that fits, and to fail where none does."""

    plain: Reaction = Reaction()
    cases: tuple[ErrorCase, ...] = ()

    @property
    def catch(self) -> bool:
        """Whether some failure need not fail what is around the step."""
        return any(reaction.kind is not OnError.FAIL for _, reaction in self.written())

    def written(self) -> Iterator[tuple[tuple[str | int, ...], Reaction]]:
        """Yield each reaction with the keys that lead to it from the step.

        >>> [keys for keys, _ in Reactions(cases=(ErrorCase(then=Reaction(), codes=("A",)),)).written()]
        [('on_error', 0, 'then')]
        """
        if not self.cases:
            yield ("on_error",), self.plain
        for place, case in enumerate(self.cases):
            yield ("on_error", place, "then"), case.then

    def fallback(self, case: int | None) -> ActivityBody | None:
        """Return what stands in, by the place of its case (``None``: ``on_error`` is no list of cases)."""
        return self.plain.fallback if case is None else self.cases[case].then.fallback


FAILING = Reactions()
"""What a step's failure means where its definition says nothing."""
