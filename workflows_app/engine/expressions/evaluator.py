"""cel-python's interpreter, metered: every node it visits is charged before it runs.

Differences from cel-python 0.5, each because a workflow needs it: values are plain JSON objects (nothing is converted),
errors are raised instead of carried along as values, ``&&``, ``||`` and ``?:`` evaluate only what they need, and no
message prints the data. The state of an evaluation lives in its ``Evaluator``, so evaluations never meet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import celpy
from celpy.evaluation import Activation
from celpy.evaluation import Evaluator as CelEvaluator

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions.kinds import Missing, NewList, NewMap, a, kind_of, path_text, select
from workflows_app.engine.expressions.limits import SLOT, Meter
from workflows_app.engine.expressions.operators import BINARY, invert, negate
from workflows_app.engine.expressions.parser import Tree
from workflows_app.engine.expressions.registry import REGISTRY

_NOTHING = object()


class Runner(celpy.InterpretedRunner):
    """cel-python's interpreting runner with the metered evaluator in it; one per compiled expression."""

    def __init__(self, tree: Any) -> None:
        super().__init__(_environment(), tree, {})
        self.tree = tree

    def run(self, names: Mapping[str, Any], meter: Meter) -> Any:
        """The value of the expression, still with times, durations and the evaluator's own containers in it."""
        return Evaluator(self.tree, self.new_activation(), names, meter).visit(self.tree)


@lru_cache(maxsize=1)
def _environment() -> celpy.Environment:
    """An environment without protobuf types. Making one sets the interpreter's recursion limit; that is undone."""
    limit = sys.getrecursionlimit()
    try:
        environment = celpy.Environment(runner_class=celpy.InterpretedRunner)
    finally:
        sys.setrecursionlimit(limit)
    environment.annotations = {}
    return environment


class Evaluator(CelEvaluator):
    """One evaluation over the tree of ``parser.parse``; its methods are named after the tree's nodes.

    Args:
        ast: the tree.
        activation: cel-python's; it holds no data here, so that nothing of the data is ever logged.
        names: what the expression may read.
        meter: charged at every node.
    """

    def __init__(self, ast: Tree, activation: Activation, names: Mapping[str, Any], meter: Meter) -> None:
        super().__init__(ast, activation)
        self.names = names
        self.bound: dict[str, Any] = {}
        self.meter = meter

    def visit(self, tree: Any) -> Any:
        self.meter.visit()
        return getattr(self, tree.data)(tree)

    def constant(self, tree: Any) -> Any:
        return tree.children[0]

    def ident(self, tree: Any) -> Any:
        name = tree.children[0]
        return self.bound[name] if name in self.bound else read(self.names, name, ())

    def member_dot(self, tree: Any) -> Any:
        parent, name = tree.children
        return select(self.visit(parent), name, lambda: _text(parent))

    def member_index(self, tree: Any) -> Any:
        parent, key = tree.children
        value = self.visit(parent)
        return select(value, self.visit(key), lambda: _text(parent))

    def expr(self, tree: Any) -> Any:
        condition, chosen, otherwise = tree.children
        return self.visit(chosen if _boolean(self.visit(condition), "The condition of ?:") else otherwise)

    def conditionaland(self, tree: Any) -> bool:
        return self._first(self._operand, tree.children, decisive=False)

    def conditionalor(self, tree: Any) -> bool:
        return self._first(self._operand, tree.children, decisive=True)

    def _operand(self, tree: Any) -> bool:
        return _boolean(self.visit(tree), "An operand of && or ||")

    def _first(self, holds: Callable[[Any], bool], candidates: Any, decisive: bool) -> bool:
        """Stops at the first decisive candidate; an error counts only when no later one decides (CEL's rule)."""
        failure: ExpressionError | None = None
        for candidate in candidates:
            try:
                if holds(candidate) is decisive:
                    return decisive
            except ExpressionLimit:
                raise
            except ExpressionError as fault:
                failure = failure or fault
        if failure is not None:
            raise failure
        return not decisive

    def relation(self, tree: Any) -> Any:
        operands = iter(tree.children)
        value = self.visit(next(operands))
        for sign in operands:
            value = BINARY[sign](self.meter, value, self.visit(next(operands)))
        return value

    addition = relation
    multiplication = relation

    def unary_not(self, tree: Any) -> bool:
        return invert(self.visit(tree.children[0]))

    def unary_neg(self, tree: Any) -> Any:
        return negate(self.visit(tree.children[0]))

    def list_lit(self, tree: Any) -> Any:
        self.meter.produce(SLOT * len(tree.children))
        items = NewList()
        for child in tree.children:
            items.append(self.visit(child))
        return items

    def map_lit(self, tree: Any) -> Any:
        self.meter.produce(SLOT * len(tree.children))
        entries = NewMap()
        children = iter(tree.children)
        for key_tree in children:
            key, value = self.visit(key_tree), self.visit(next(children))
            if kind_of(key) != "string":
                raise ExpressionError(f"The keys of a map are strings, not {a(kind_of(key))}.")
            if key in entries:
                raise ExpressionError(f"The key {key[:80]!r} stands twice in one map.")
            entries[key] = value
        return entries

    def ident_arg(self, tree: Any) -> Any:
        name, *arguments = tree.children
        values = []
        for argument in arguments:
            values.append(self.visit(argument))
        return REGISTRY[name].apply(self.meter, *values)

    def has(self, tree: Any) -> bool:
        try:
            self.visit(tree.children[0])
        except Missing:
            return False
        return True

    def default(self, tree: Any) -> Any:
        wanted, replacement = tree.children
        try:
            value = self.visit(wanted)
        except Missing:
            value = None
        return self.visit(replacement) if value is None else value

    def member_dot_arg(self, tree: Any) -> Any:
        """A macro over the elements of a list, or the keys of a map."""
        items_tree, macro, variable, *bodies = tree.children
        items = self.visit(items_tree)
        if kind_of(items) not in ("list", "map"):
            raise ExpressionError(f"{macro}() needs a list or a map, not {a(kind_of(items))}.")
        if kind_of(items) == "map":
            # The database keeps keys in an order of its own; the answer must not depend on where the map comes from.
            items = sorted(items)
        shadowed = self.bound.get(variable, _NOTHING)
        try:
            if macro in ("all", "exists"):
                return self._first(lambda item: self._test(variable, item, bodies[0], macro), items, macro == "exists")
            if macro == "exists_one":
                return sum(self._test(variable, item, bodies[0], macro) for item in items) == 1
            return self._collect(macro, variable, items, bodies)
        finally:
            if shadowed is _NOTHING:
                self.bound.pop(variable, None)
            else:
                self.bound[variable] = shadowed

    def _test(self, variable: str, item: Any, body: Tree, macro: str) -> bool:
        self.bound[variable] = item
        return _boolean(self.visit(body), f"The condition of {macro}()")

    def _collect(self, macro: str, variable: str, items: Any, bodies: list[Tree]) -> Any:
        collected = NewList()
        condition = bodies[0] if macro == "filter" or len(bodies) == 2 else None
        for item in items:
            if condition is not None and not self._test(variable, item, condition, macro):
                continue
            self.bound[variable] = item
            value = item if macro == "filter" else self.visit(bodies[-1])
            self.meter.produce(SLOT)
            collected.append(value)
        return collected


def read(names: Mapping[str, Any], root: str, path: tuple[str | int, ...]) -> Any:
    """The value at a fixed path; the short cut of plain references, with the evaluator's own rules.

    Raises:
        Missing: the root or a field is not there; the message names the path.
    """
    if root not in names:
        raise Missing(f"`{root[:80]}` is not known here.", details={"path": root[:80]})
    value = names[root]
    for depth, key in enumerate(path):
        value = select(value, key, lambda depth=depth: path_text(root, path[:depth]))  # type: ignore[misc]
    return value


def _boolean(value: Any, what: str) -> bool:
    if value is True or value is False:
        return bool(value)
    raise ExpressionError(f"{what} is {a(kind_of(value))}, not a bool.")


def _text(tree: Any) -> str:
    """The source of a path, for messages."""
    keys: list[Any] = []
    while tree.data in ("member_dot", "member_index"):
        tree, key = tree.children
        constant = key.children[0] if isinstance(key, Tree) and key.data == "constant" else key
        keys.append("…" if isinstance(constant, Tree) else constant)
    return path_text(str(tree.children[0])[:80] if tree.data == "ident" else "(…)", reversed(keys))
