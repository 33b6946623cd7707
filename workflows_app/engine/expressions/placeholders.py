"""Placeholders: what stands for a secret in a stored value, and how a value gets its secrets on the worker.

The address of a callback is a secret in this sense: who knows it may answer.

The definition decides where a secret stands, never the data. A secret stands alone in its ``${ }``, so its place is
fixed in the compiled value: the evaluation writes a placeholder there, for people to read, and ``reveal`` walks the
same compiled value beside the stored one and fills in exactly these places. What came out of an expression is never
looked into, so an input that looks like a placeholder stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workflows_app.engine.expressions.reads import Reference

Path = tuple[str | int, ...]


class Reveal(Protocol):
    """Gives the value of a secret; ``in_text`` asks for the text that stands for it between other text."""

    def __call__(self, named: Reference, *, in_text: bool) -> Any: ...


@dataclass(frozen=True, slots=True)
class SealedText:
    """Text with at least one secret in it, and maybe with other expressions."""

    parts: tuple[Any, ...]


def placeholder(named: Reference) -> dict[str, Any]:
    """What is stored in the place of a secret.

    >>> placeholder(Reference("secret", "bank", ("password",))), placeholder(Reference("callback", "answer"))
    ({'$secret': 'bank', 'path': ['password']}, {'$callback': 'answer'})
    """
    return {f"${named.root}": named.name, **({"path": list(named.path)} if named.path else {})}


def text_of(parts: Sequence[Any]) -> dict[str, Any]:
    """What is stored in the place of a text with secrets in it: its parts, in order."""
    return {"$text": list(parts)}


def places(tree: Any) -> Iterator[Path]:
    """Yield the path of every secret in a compiled value."""
    stack: list[tuple[Path, Any]] = [((), tree)]
    while stack:
        at, node = stack.pop()
        if isinstance(node, SealedText) or _secret(node) is not None:
            yield at
        elif isinstance(node, dict):
            stack.extend(((*at, key), child) for key, child in node.items())
        elif isinstance(node, list):
            stack.extend(((*at, index), child) for index, child in enumerate(node))


def reveal(tree: Any, stored: Any, lookup: Reveal, own: Any = None) -> Any:
    """The stored value with every secret in its place.

    Args:
        tree: the compiled value that ``stored`` was evaluated from.
        stored: with placeholders in it.
        lookup: gives the value of a secret.
        own: what ``with`` was evaluated from, where the value may repeat it.

    Raises:
        LookupError, TypeError, ValueError: ``stored`` was not evaluated from ``tree``.
    """
    if isinstance(tree, dict):
        return {key: reveal(child, stored[key], lookup, own) for key, child in tree.items()}
    if isinstance(tree, list):
        return [reveal(child, part, lookup, own) for child, part in zip(tree, stored, strict=True)]
    if isinstance(tree, SealedText):
        written = zip(tree.parts, stored["$text"], strict=True)
        return "".join(_part(part, kept, lookup) for part, kept in written)
    named = _secret(tree)
    if named is not None:
        return lookup(named, in_text=False)
    repeated = getattr(tree, "reference", None)
    if own is not None and repeated is not None and repeated.root == "with":
        return reveal(_below(own, repeated.path), stored, lookup)
    return stored


def _part(part: Any, kept: Any, lookup: Reveal) -> str:
    if isinstance(part, str):
        return part
    named = _secret(part)
    text: Any = kept if named is None else lookup(named, in_text=True)
    if not isinstance(text, str):
        raise TypeError("a part of a text is no text")
    return text


def _secret(node: Any) -> Reference | None:
    found: Reference | None = getattr(node, "secret", None)
    return found


def _below(tree: Any, path: Path) -> Any:
    """The part of a compiled value at a path; ``None`` where it is not fixed: no secret can stand there."""
    for key in path:
        fits = isinstance(tree, dict if isinstance(key, str) else list)
        if not fits:
            return None
        try:
            tree = tree[key]
        except LookupError:
            return None
    return tree
