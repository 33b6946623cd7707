"""A JSON value whose strings may hold ``${ ... }``: compiled as a whole, evaluated on one budget.

A string that is one ``${ ... }`` (spaces around it allowed) gives the typed value. With text around, each expression
is written into the text: strings as they are, null as nothing, everything else as JSON. ``$${`` writes ``${``.
Keys of objects are never expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions.expression import Expression, compile_expression
from workflows_app.engine.expressions.lexer import tokenize
from workflows_app.engine.expressions.limits import MAX_TEMPLATE_EXPRESSIONS, MAX_VALUE_DEPTH, Meter
from workflows_app.engine.expressions.placeholders import Path, Reveal, SealedText, places, reveal, text_of
from workflows_app.engine.expressions.reads import Reference
from workflows_app.engine.expressions.results import as_text


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A compiled JSON value.

    Attributes:
        reads: every path that its expressions name.
        is_constant: whether it holds no expression that needs evaluating.
        secrets: the secrets and the addresses of callbacks in it; an evaluation leaves placeholders in their places.
    """

    reads: frozenset[Reference]
    is_constant: bool
    secrets: frozenset[Reference] = frozenset()
    _tree: Any

    def evaluate(self, names: Mapping[str, Any], *, should_stop: Callable[[], bool] | None = None) -> Any:
        """The JSON value with every expression in its place; its own lists and objects are new each time.

        Raises:
            ExpressionError: an expression does not evaluate.
            ExpressionLimit: the budget of the whole value is spent.
        """
        return self.measure(names, Meter(should_stop))

    def measure(self, names: Mapping[str, Any], meter: Meter) -> Any:
        """As ``evaluate``, on a budget that several values share."""
        return _fill(self._tree, names, meter)

    @property
    def reference(self) -> Reference | None:
        """The path that it names, where it is one string that does nothing else."""
        return self._tree.reference if isinstance(self._tree, Expression) else None

    def sealed(self) -> list[Path]:
        """The path of every place that an evaluation leaves a placeholder in."""
        return list(places(self._tree)) if self.secrets else []

    def reveal(self, stored: Any, lookup: Reveal, *, own: Value | None = None) -> Any:
        """A value that this one was evaluated to, with the secrets in their places; see ``placeholders``.

        Args:
            own: what ``with`` was evaluated from, where this value may repeat it.

        Raises:
            LookupError, TypeError, ValueError: ``stored`` was not evaluated from this value.
        """
        return reveal(self._tree, stored, lookup, None if own is None else own._tree)

    def holes(self) -> tuple[Any, tuple[Hole, ...]] | None:
        """The value with null in the places of its references, and these places.

        Returns:
            ``None`` if it is more than references below named keys: then it has to be evaluated.

        >>> compile_value({"to": "${ input.to }", "n": 1}).holes()
        ({'to': None, 'n': 1}, (Hole(at=('to',), reference=Reference(root='input', name=None, path=('to',))),))
        """
        found: list[Hole] = []
        try:
            return _hollow(self._tree, (), found), tuple(found)
        except _NoHole:
            return None


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a value that is filled with what a plain reference names."""

    at: tuple[str, ...]
    reference: Reference


def compile_value(value: Any) -> Value:
    """Compile a JSON value.

    Raises:
        ExpressionError: an expression in it does not parse, or it is not JSON.
        ExpressionLimit: an expression is too large, or there are too many, or the value nests too deep.

    >>> compile_value({"to": "${ input.to }", "text": "Order ${ input.id }: $${x}"}).evaluate(
    ...     {"input": {"to": ["a"], "id": 7}})
    {'to': ['a'], 'text': 'Order 7: ${x}'}
    """
    compiler = _Compiler()
    tree = compiler.tree(value, 0)
    return Value(
        reads=frozenset().union(*(expression.reads for expression in compiler.found)),
        secrets=frozenset(expression.secret for expression in compiler.found if expression.secret is not None),
        is_constant=all(expression.is_constant for expression in compiler.found),
        _tree=tree,
    )


class _Compiler:
    """Compiles one value; ``found`` are its expressions so far, counted so that a huge value is refused early."""

    def __init__(self) -> None:
        self.found: list[Expression] = []

    def tree(self, value: Any, depth: int) -> Any:
        if depth > MAX_VALUE_DEPTH:
            raise ExpressionLimit(f"The value nests deeper than {MAX_VALUE_DEPTH} levels.")
        if isinstance(value, str):
            return self._text(value) if "${" in value else value
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {key: self.tree(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tree(item, depth + 1) for item in value]
        raise ExpressionError(f"A value of type {type(value).__name__} is not JSON.")

    def _text(self, text: str) -> str | Expression | Template | SealedText:
        parts = self._split(text)
        solid = [part for part in parts if isinstance(part, Expression) or part.strip()]
        if len(solid) == 1 and isinstance(solid[0], Expression):
            return solid[0]
        if any(isinstance(part, Expression) and part.secret is not None for part in parts):
            return SealedText(tuple(parts))
        if any(isinstance(part, Expression) for part in parts):
            return Template(tuple(parts))
        return "".join(part for part in parts if isinstance(part, str))

    def _split(self, text: str) -> list[str | Expression]:
        """Literal texts and expressions in turn, with ``$${`` resolved."""
        parts: list[str | Expression] = []
        position = 0
        while (found := text.find("${", position)) >= 0:
            if found > position and text[found - 1] == "$":
                parts.append(text[position : found - 1] + "${")
                position = found + 2
                continue
            parts.append(text[position:found])
            _, end = tokenize(text, found + 2, in_template=True)
            parts.append(self._expression(text[found + 2 : end]))
            position = end + 1
        parts.append(text[position:])
        return [part for part in parts if part != ""]

    def _expression(self, source: str) -> Expression:
        if len(self.found) >= MAX_TEMPLATE_EXPRESSIONS:
            raise ExpressionLimit(f"The value holds more than {MAX_TEMPLATE_EXPRESSIONS:,} expressions.")
        self.found.append(compile_expression(source))
        return self.found[-1]


class _NoHole(Exception):
    """An expression stands where no hole can be."""


def _hollow(tree: Any, at: tuple[str, ...], found: list[Hole]) -> Any:
    if isinstance(tree, dict):
        return {key: _hollow(child, (*at, key), found) for key, child in tree.items()}
    if isinstance(tree, Expression) and not tree.is_constant:
        if tree.reference is None or not at:
            raise _NoHole
        found.append(Hole(at, tree.reference))
        return None
    if isinstance(tree, (list, Expression, Template, SealedText)):
        # A list may hold constants only.
        value = _fill(tree, {}, Meter(None)) if _is_constant(tree) else None
        if value is None:
            raise _NoHole
        return value
    return tree


def _is_constant(tree: Any) -> bool:
    if isinstance(tree, list):
        return all(_is_constant(child) for child in tree)
    if isinstance(tree, dict):
        return all(_is_constant(child) for child in tree.values())
    if isinstance(tree, SealedText):
        return all(_is_constant(part) for part in tree.parts)
    if isinstance(tree, Template):
        return False
    return tree.is_constant if isinstance(tree, Expression) else True


def _fill(tree: Any, names: Mapping[str, Any], meter: Meter) -> Any:
    if isinstance(tree, Expression):
        return tree.measure(names, meter)
    if isinstance(tree, Template):
        return "".join(_part(part, names, meter) for part in tree.parts)
    if isinstance(tree, SealedText):
        return text_of([_sealed(part, names, meter) for part in tree.parts])
    if isinstance(tree, dict):
        return {key: _fill(child, names, meter) for key, child in tree.items()}
    if isinstance(tree, list):
        return [_fill(child, names, meter) for child in tree]
    return tree


def _part(part: str | Expression, names: Mapping[str, Any], meter: Meter) -> str:
    if isinstance(part, str):
        meter.produce(len(part))
        return part
    return as_text(part.measure(names, meter), meter)


def _sealed(part: str | Expression, names: Mapping[str, Any], meter: Meter) -> Any:
    """One part of a text with secrets in it: text, or the placeholder of a secret."""
    if isinstance(part, Expression) and part.secret is not None:
        return part.measure(names, meter)
    return _part(part, names, meter)
