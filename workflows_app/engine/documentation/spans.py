"""Sentences made of prose and code, kept apart until somebody writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a sentence; ``code`` is shown as it is written in the definition."""

    text: str
    code: bool = False


Sentence = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is said of a step or a document: a label and a sentence."""

    label: str
    says: Sentence

    @property
    def is_long(self) -> bool:
        """Whether it wants a line of its own."""
        return sum(len(span.text) for span in self.says) > 60


@dataclass(frozen=True, slots=True)
class Block:
    """Several lines of the definition under a label."""

    label: str
    text: str


def code(text: object) -> Span:
    return Span(str(text), code=True)


def sentence(*pieces: str | Span) -> Sentence:
    """Make a sentence; text is prose.

    >>> sentence("Performs ", code("core.echo"), ".")
    (Span(text='Performs ', code=False), Span(text='core.echo', code=True), Span(text='.', code=False))
    """
    return tuple(Span(piece) if isinstance(piece, str) else piece for piece in pieces if piece)


def listed(names: Iterable[object]) -> list[str | Span]:
    """Return names as code with commas between them.

    >>> [piece if isinstance(piece, str) else piece.text for piece in listed(["a", "b"])]
    ['a', ', ', 'b']
    """
    pieces: list[str | Span] = []
    for name in names:
        pieces += [", ", code(name)] if pieces else [code(name)]
    return pieces
