"""What an expression reads: every path it names, as far as the path is fixed in the text.

The verifier holds these against the graph, and the engine loads no more than these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.expressions.parser import SEALED, Tree

NAMED_ROOTS = ("steps", "vars")
"""Roots whose first field is the name of a step or a variable."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One path: the root, the step's or variable's or secret's name, and the fields below.

    A reference to a secret has a name; the word ``secret`` alone is a path like any other. So with ``callback``.

    ``steps.x.output.id`` is ``Reference("steps", "x", ("output", "id"))``; ``input.a`` is
    ``Reference("input", None, ("a",))``; a computed field or index ends the path before it.
    """

    root: str
    name: str | None = None
    path: tuple[str | int, ...] = ()


def reference(root: str, keys: tuple[str | int, ...]) -> Reference:
    """The reference of a path that begins at ``root``.

    >>> reference("vars", ("total", 0))
    Reference(root='vars', name='total', path=(0,))
    """
    if root in NAMED_ROOTS and keys and isinstance(keys[0], str):
        return Reference(root, keys[0], keys[1:])
    return Reference(root, None, keys)


def reads_of(tree: Tree) -> frozenset[Reference]:
    """Every reference in a tree of ``parser.parse``; variables of macros are none."""
    return frozenset(_walk(tree, frozenset()))


def _walk(tree: Tree, bound: frozenset[str]) -> Iterator[Reference]:
    if tree.data in SEALED:
        yield Reference(tree.data, tree.children[0].children[0])
    elif tree.data == "member_dot_arg":
        items, _, variable, *bodies = tree.children
        yield from _walk(items, bound)
        for body in bodies:
            yield from _walk(body, bound | {variable})
    elif tree.data in ("ident", "member_dot", "member_index"):
        yield from _path(tree, bound)
    else:
        for child in tree.children:
            if isinstance(child, Tree):
                yield from _walk(child, bound)


def _path(tree: Tree, bound: frozenset[str]) -> Iterator[Reference]:
    keys: list[Any] = []
    while tree.data in ("member_dot", "member_index"):
        parent, key = tree.children
        if isinstance(key, Tree):
            if key.data == "constant" and type(key.children[0]) in (str, int):
                key = key.children[0]
            else:
                yield from _walk(key, bound)
        keys.append(key)
        tree = parent
    if tree.data != "ident":
        yield from _walk(tree, bound)
    elif tree.children[0] not in bound:
        fixed: list[str | int] = []
        for key in reversed(keys):
            if isinstance(key, Tree):
                break
            fixed.append(key)
        yield reference(tree.children[0], tuple(fixed))
