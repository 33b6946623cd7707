"""From source to tree: cel-python's grammar parses, this module checks and tidies what comes out.

The parser is given the tokens of ``lexer`` with every string replaced by its number, so that no user text reaches its
regular expressions. The tree keeps cel-python's shape and node names, with four changes that make it small enough to
walk under a budget: nodes that only wrap another are dropped, literals become ``constant`` nodes, a run of operators
of one rank becomes one node, and ``x.f(y)`` becomes ``f(x, y)``. What the language does not have (protobuf messages,
unsigned integers, unknown functions) is refused here, at publish.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import lark
from celpy.celparser import CELParseError, CELParser

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import (  # noqa: F401 - most of them fill the registry
    conversions,
    limits,
    sequences,
    structures,
)
from workflows_app.engine.expressions.kinds import TYPE_NAMES, TypeName
from workflows_app.engine.expressions.lexer import Token
from workflows_app.engine.expressions.operators import checked
from workflows_app.engine.expressions.registry import REGISTRY


class Tree(lark.Tree[Any]):
    """A node of the tidied tree: ``data`` names it, ``children`` are nodes, names and values."""

    children: list[Any]


COMPREHENSIONS = {"all": 2, "exists": 2, "exists_one": 2, "filter": 2, "map": 3}
"""Macros over the elements of a list -> how many arguments they take at most."""
SEALED = {"secret": "shop", "callback": "answer"}
"""What stands for something that only the worker knows, by name, each with an example of its argument."""

_WORDS = ("in", "true", "false", "null")
_RENAMED = "__word_"
_WRAPPERS = frozenset(
    [
        "expr",
        "conditionalor",
        "conditionaland",
        "relation",
        "addition",
        "multiplication",
        "unary",
        "member",
        "primary",
        "paren_expr",
    ]
)


def parse(tokens: Sequence[Token]) -> Tree:
    """The tidied tree of an expression.

    Raises:
        ExpressionError: a syntax error, or something that the language does not have.
        ExpressionLimit: too deep, too many elements in a literal, macros nested too deep.
    """
    if not tokens:
        raise ExpressionError("The expression is empty.")
    text, places = _numbered(tokens)
    try:
        tree = _grammar().parse(text)
    except CELParseError as fault:
        raise _syntax_error(fault, tokens, places) from None
    strings = [token.value for token in tokens if token.kind == "string"]
    return _Tidy(strings).node(tree, 0, 0, frozenset())


@lru_cache(maxsize=1)
def _grammar() -> CELParser:
    return CELParser()


def _numbered(tokens: Sequence[Token]) -> tuple[str, list[int]]:
    """The text for the parser, and where in it each token begins."""
    parts: list[str] = []
    places: list[int] = []
    length = strings = 0
    for index, token in enumerate(tokens):
        previous = tokens[index - 1] if index else None
        text = token.text
        if token.kind == "string":
            text, strings = f'"{strings}"', strings + 1
        elif text in _WORDS and previous is not None and previous.text == ".":
            text = _RENAMED + text
        if previous is not None and previous.end != token.start:
            text = " " + text
        places.append(length)
        parts.append(text)
        length += len(text)
    return "".join(parts), places


def _syntax_error(fault: CELParseError, tokens: Sequence[Token], places: list[int]) -> ExpressionError:
    position = getattr(fault.__context__, "pos_in_stream", None)
    unexpected = getattr(fault.__context__, "token", None)
    if position is None or getattr(unexpected, "type", "") == "$END":
        return ExpressionError("The expression is not complete.")
    token = tokens[max(0, bisect.bisect_right(places, position) - 1)]
    where = token.start - tokens[0].start + 1
    return ExpressionError(f"Syntax error at character {where}: {token.text[:40]!r} does not fit there.")


class _Tidy:
    """One walk over cel-python's tree; ``strings`` are the values that the parser saw as numbers."""

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = strings

    def node(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        while tree.data in _WRAPPERS and len(tree.children) == 1:
            tree = tree.children[0]
        if depth > limits.MAX_DEPTH:
            raise ExpressionLimit(f"The expression nests deeper than {limits.MAX_DEPTH} levels.")
        tidy: Callable[[Any, int, int, frozenset[str]], Tree] | None = getattr(self, f"_{tree.data}", None)
        if tidy is None:
            raise ExpressionError("Messages and package names are not part of the language.")
        return tidy(tree, depth + 1, macros, bound)

    def _several(self, trees: Sequence[Any], depth: int, macros: int, bound: frozenset[str]) -> list[Any]:
        if len(trees) > limits.MAX_LITERAL:
            raise ExpressionLimit(f"More than {limits.MAX_LITERAL} elements in one place.")
        return [self.node(tree, depth, macros, bound) for tree in trees]

    def _literal(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        token = tree.children[0]
        return Tree("constant", [self._constant(str(token.type), str(token))])

    def _constant(self, kind: str, text: str) -> Any:
        if kind == "STRING_LIT":
            return self.strings[int(text[1:-1])]
        if kind in ("BOOL_LIT", "NULL_LIT"):
            return {"true": True, "false": False, "null": None}[text]
        return number(text)

    def _expr(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        return Tree("expr", self._several(tree.children, depth, macros, bound))

    def _conditionalor(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        operands: list[Any] = []
        rank = tree.data
        while tree.data == rank and len(tree.children) == 2:
            operands.append(tree.children[1])
            tree = tree.children[0]
        return Tree(rank, self._several([tree, *reversed(operands)], depth, macros, bound))

    _conditionaland = _conditionalor

    def _relation(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        """``a + b - c`` -> [a, "addition_add", b, "addition_sub", c]."""
        rank = tree.data
        signs: list[str] = []
        operands: list[Any] = []
        while tree.data == rank and len(tree.children) == 2:
            sign, operand = tree.children
            signs.append(str(sign.data))
            operands.append(operand)
            tree = sign.children[0]
        first, *rest = self._several([tree, *reversed(operands)], depth, macros, bound)
        children: list[Any] = [first]
        for name, operand in zip(reversed(signs), rest, strict=True):
            children += [name, operand]
        return Tree(rank, children)

    _addition = _relation
    _multiplication = _relation

    def _unary(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        sign, operand = tree.children
        return Tree(str(sign.data), [self.node(operand, depth, macros, bound)])

    def _member_dot(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        parent = self.node(tree.children[0], depth, macros, bound)
        name = _name(tree.children[1])
        if parent.data == "constant":
            raise ExpressionError(f"A literal has no field {name[:40]!r}.")
        return Tree("member_dot", [parent, name])

    def _member_index(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        return Tree("member_index", self._several(tree.children, depth, macros, bound))

    def _member_dot_arg(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        parent, name = tree.children[0], _name(tree.children[1])
        arguments = tree.children[2].children if len(tree.children) == 3 else []
        if name not in COMPREHENSIONS:
            return self._call(name, [parent, *arguments], depth, macros, bound)
        if not 2 <= len(arguments) <= COMPREHENSIONS[name]:
            raise ExpressionError(f"{name}() needs a variable and a condition or value.")
        if macros >= limits.MAX_MACRO_DEPTH:
            raise ExpressionLimit(f"Macros nest deeper than {limits.MAX_MACRO_DEPTH} levels.")
        items = self.node(parent, depth, macros, bound)
        variable = self.node(arguments[0], depth, macros, bound | TYPE_NAMES.keys())
        if variable.data != "ident":
            raise ExpressionError(f"The first argument of {name}() is the name of a variable.")
        bodies = self._several(arguments[1:], depth, macros + 1, bound | {variable.children[0]})
        return Tree("member_dot_arg", [items, name, variable.children[0], *bodies])

    def _ident_arg(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        arguments = tree.children[1].children if len(tree.children) == 2 else []
        return self._call(_name(tree.children[0]), arguments, depth, macros, bound)

    def _call(self, name: str, trees: Sequence[Any], depth: int, macros: int, bound: frozenset[str]) -> Tree:
        arguments = self._several(trees, depth, macros, bound)
        if name == "has":
            if len(arguments) != 1 or arguments[0].data not in ("member_dot", "member_index"):
                raise ExpressionError("has() needs one path, such as has(input.customer.email).")
        elif name == "default":
            if len(arguments) != 2:
                raise ExpressionError("default() needs a value and its replacement.")
        elif name in SEALED:
            if len(arguments) != 1 or arguments[0].data != "constant" or not isinstance(arguments[0].children[0], str):
                raise ExpressionError(f'{name}() needs one name in quotes, such as {name}("{SEALED[name]}").')
        else:
            function = REGISTRY.get(name)
            if function is None:
                raise ExpressionError(f"There is no function {name[:40]!r}.")
            if not function.least <= len(arguments) <= function.most:
                raise ExpressionError(f"{name}() is called with {len(arguments)} arguments; use {function.signature}.")
            return Tree("ident_arg", [name, *arguments])
        return Tree(name, arguments)

    def _ident(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        name = _name(tree.children[0])
        if name in TYPE_NAMES and name not in bound:
            return Tree("constant", [TypeName(TYPE_NAMES[name])])
        return Tree("ident", [name])

    def _list_lit(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        items = tree.children[0].children if tree.children else []
        return Tree("list_lit", self._several(items, depth, macros, bound))

    def _map_lit(self, tree: Any, depth: int, macros: int, bound: frozenset[str]) -> Tree:
        items = tree.children[0].children if tree.children else []
        return Tree("map_lit", self._several(items, depth, macros, bound))


def _name(token: Any) -> str:
    return str(token).removeprefix(_RENAMED)


def number(text: str) -> int | float:
    """The value of a number literal.

    Raises:
        ExpressionError: beyond 64 bit, or beyond the doubles.

    >>> number("0x10"), number("-7"), number("1e3")
    (16, -7, 1000.0)
    """
    digits = text.lstrip("-")
    if digits.startswith("0x"):
        return checked(int(digits, 16) * (-1 if text.startswith("-") else 1))
    if digits.isdigit():
        if len(digits) > 400:
            raise ExpressionError("An integer leaves the range of 64 bit.")
        return checked(int(text))
    value = float(text)
    if not math.isfinite(value):
        raise ExpressionError("A double leaves its range.")
    return value
