"""One expression: compiled once, kept in a bounded cache, evaluated any number of times, from any thread.

Constants and plain references (``input.order.id``) never reach the parser or the interpreter; the others run on
cel-python. Both ways read, fail and answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import parser
from workflows_app.engine.expressions.evaluator import Runner, read
from workflows_app.engine.expressions.kinds import TYPE_NAMES
from workflows_app.engine.expressions.lexer import Token, tokenize
from workflows_app.engine.expressions.limits import MAX_DEPTH, SLOT, Meter
from workflows_app.engine.expressions.parser import SEALED
from workflows_app.engine.expressions.placeholders import placeholder
from workflows_app.engine.expressions.reads import Reference, reads_of, reference
from workflows_app.engine.expressions.results import as_json

_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression.

    Attributes:
        source: its text, without ``${ }``.
        reads: every path that it names.
        is_constant: whether it reads nothing and calls nothing.
        reference: the path that it names, where it does nothing else.
        secret: the secret, or the field of one, or the callback, that it stands for; it is constant then, and its value
            a placeholder.
    """

    source: str
    reads: frozenset[Reference]
    is_constant: bool
    reference: Reference | None = None
    secret: Reference | None = None
    _run: Callable[[Mapping[str, Any], Meter], Any] = field(kw_only=True)

    def evaluate(self, names: Mapping[str, Any], *, should_stop: Callable[[], bool] | None = None) -> Any:
        """The expression's value, as plain JSON.

        Args:
            names: the values of ``input``, ``vars``, ``steps``, ``now`` (an aware time) and so on.
            should_stop: polled at every visited node; true ends the evaluation with ExpressionLimit.

        Raises:
            ExpressionError: it does not evaluate; a missing field is named with its path.
            ExpressionLimit: its budget is spent.
        """
        return self.measure(names, Meter(should_stop))

    def measure(self, names: Mapping[str, Any], meter: Meter) -> Any:
        """As ``evaluate``, on a budget that several expressions share."""
        try:
            return as_json(self._run(names, meter), meter)
        except (RecursionError, MemoryError):
            raise ExpressionLimit("The expression needs more memory than it may.") from None
        except _FAULTS as fault:
            raise ExpressionError(f"The expression cannot be evaluated: {fault}.") from fault


def compile_expression(source: str) -> Expression:
    """Compile an expression, bare or wrapped in ``${ }``.

    Raises:
        ExpressionError: it does not parse, or calls what does not exist.
        ExpressionLimit: it is too long, too deep or too wide.

    >>> compile_expression("input.amount * 2 > 10").evaluate({"input": {"amount": 6}})
    True
    >>> compile_expression("${ 'a' in input.tags ? 1 : 0 }").evaluate({"input": {"tags": ["a"]}})
    1
    """
    if not isinstance(source, str):
        raise ExpressionError("An expression is written as text.")
    text = source.strip()
    if text.startswith("${"):
        _, end = tokenize(text, 2, in_template=True)
        if end != len(text) - 1:
            raise ExpressionError("This place takes one expression; text around '${ }' makes a string.")
        text = text[2:end].strip()
    return _compile(text)


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    tokens, _ = tokenize(source)
    return _constant(source, tokens) or _plain_reference(source, tokens) or compile_cel(source, tokens)


def compile_cel(source: str, tokens: Sequence[Token] | None = None) -> Expression:
    """Compile without the short cuts; ``compile_expression`` answers the same, faster."""
    tree = parser.parse(tokenize(source)[0] if tokens is None else tokens)
    reads = reads_of(tree)
    if any(each.root in SEALED and each.name is not None for each in reads):
        return _sealed(source, tree)
    return Expression(source=source, reads=reads, is_constant=False, _run=Runner(tree).run)


def _sealed(source: str, tree: parser.Tree) -> Expression:
    """Compile what names a secret or a callback: it stands alone, or with a field of the secret behind it.

    So where it stands is fixed, whatever the data, and nothing can be learned of it.
    """
    keys: list[Any] = []
    while tree.data in ("member_dot", "member_index"):
        tree, key = tree.children
        keys.append(key.children[0] if isinstance(key, parser.Tree) and key.data == "constant" else key)
    if tree.data == "callback" and not keys:
        return _placed(source, Reference("callback", tree.children[0].children[0]))
    if any(each.data == "callback" for each in _nodes(tree)):
        raise ExpressionError(
            'callback("step") stands alone in its ${ }, and in `with` only; text may stand around the ${ }.'
        )
    if tree.data != "secret" or not all(type(key) in (str, int) for key in keys):
        raise ExpressionError(
            'secret("name") stands alone in its ${ }, or with a field behind it, and in `with` only; '
            "text may stand around the ${ }, such as \"Bearer ${ secret('name') }\"."
        )
    return _placed(source, Reference("secret", tree.children[0].children[0], tuple(reversed(keys))))


def _nodes(tree: parser.Tree) -> Iterator[parser.Tree]:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(child for child in node.children if isinstance(child, parser.Tree))


def _placed(source: str, named: Reference) -> Expression:
    """An expression that leaves a placeholder."""

    def run(names: Mapping[str, Any], meter: Meter) -> Any:
        meter.produce(SLOT)
        return placeholder(named)

    return Expression(source=source, reads=frozenset({named}), is_constant=True, secret=named, _run=run)


def _constant(source: str, tokens: Sequence[Token]) -> Expression | None:
    negative = len(tokens) == 2 and tokens[0].text == "-" and tokens[0].end == tokens[1].start
    if not (len(tokens) == 1 or (negative and tokens[1].kind == "number")):
        return None
    token = tokens[-1]
    if token.kind == "number":
        value: Any = parser.number(("-" if negative else "") + token.text)
    elif token.kind == "string":
        value = token.value
    elif token.kind == "name" and token.text in _WORDS:
        value = _WORDS[token.text]
    else:
        return None
    return Expression(source=source, reads=frozenset(), is_constant=True, _run=lambda names, meter: value)


def _plain_reference(source: str, tokens: Sequence[Token]) -> Expression | None:
    path = _path(tokens)
    if path is None:
        return None
    root, keys = path

    def run(names: Mapping[str, Any], meter: Meter) -> Any:
        meter.visit(len(keys) + 1)
        return read(names, root, keys)

    named = reference(root, keys)
    return Expression(source=source, reads=frozenset({named}), is_constant=False, reference=named, _run=run)


def _path(tokens: Sequence[Token]) -> tuple[str, tuple[str | int, ...]] | None:
    """The root and keys of ``a.b[0]["c"]``; None for anything else."""
    if not tokens or tokens[0].kind != "name" or tokens[0].text in (*_WORDS, *TYPE_NAMES, "in"):
        return None
    keys: list[str | int] = []
    rest = list(tokens[1:])
    while rest:
        if len(rest) >= 2 and rest[0].text == "." and rest[1].kind == "name":
            keys.append(rest[1].text)
            rest = rest[2:]
        elif len(rest) >= 3 and rest[0].text == "[" and rest[2].text == "]" and _is_key(rest[1]):
            keys.append(rest[1].value if rest[1].kind == "string" else int(rest[1].text))
            rest = rest[3:]
        else:
            return None
    return (tokens[0].text, tuple(keys)) if len(keys) <= MAX_DEPTH else None


def _is_key(token: Token) -> bool:
    return token.kind == "string" or (token.kind == "number" and token.text.isdigit() and len(token.text) < 18)


def check_names(expression: Expression, allowed_roots: Iterable[str]) -> list[Reference]:
    """The references whose root is not among ``allowed_roots``, in a fixed order.

    >>> [each.root for each in check_names(compile_expression("imput.a + vars.b"), {"input", "vars"})]
    ['imput']
    """
    allowed = set(allowed_roots)
    return sorted((each for each in expression.reads if each.root not in allowed), key=repr)
