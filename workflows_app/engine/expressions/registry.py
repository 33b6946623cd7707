"""The register of functions: how each is written, the sentence that documents it, and its code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions.kinds import a, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: how it is written, what it does in one sentence, how many arguments it takes, and its code."""

    name: str
    signature: str
    sentence: str
    least: int
    most: int
    apply: Callable[..., Any]


REGISTRY: dict[str, Function] = {}
"""Filled once, when ``sequences``, ``conversions`` and ``structures`` are imported."""


def function(signature: str, sentence: str, *, most: int | None = None) -> Callable[[Callable[..., Any]], Any]:
    name, _, rest = signature.partition("(")
    arguments = [part for part in rest.partition(")")[0].split(",") if part.strip()]
    required = [part for part in arguments if "?" not in part]

    def register(apply: Callable[..., Any]) -> Callable[..., Any]:
        REGISTRY[name] = Function(
            name=name,
            signature=signature,
            sentence=sentence,
            least=len(required),
            most=most or len(arguments),
            apply=apply,
        )
        return apply

    return register


def need(value: Any, kinds: str | Sequence[str], name: str) -> Any:
    allowed = (kinds,) if isinstance(kinds, str) else kinds
    kind = kind_of(value)
    if kind not in allowed:
        raise ExpressionError(f"{name}() needs {' or '.join(map(a, allowed))}, not {a(kind)}.")
    return value


MACROS: tuple[tuple[str, str, str], ...] = (
    ("has", "has(a.b.c) -> bool", "Whether a path exists; false where any part of it is missing."),
    ("default", "default(x, y)", "x, or y when x is null or does not exist; y is evaluated only then."),
    ("all", "list.all(e, condition) -> bool", "Whether the condition holds for every element (of a map: every key)."),
    ("exists", "list.exists(e, condition) -> bool", "Whether the condition holds for any element."),
    ("exists_one", "list.exists_one(e, condition) -> bool", "Whether the condition holds for exactly one element."),
    ("filter", "list.filter(e, condition) -> list", "The elements for which the condition holds."),
    ("map", "list.map(e, x) or list.map(e, condition, x)", "x for every element (for which the condition holds)."),
    (
        "secret",
        'secret("name")',
        "A stored secret, alone in its `${ }` and in `with` only; the worker gets it.",
    ),
    (
        "callback",
        'callback("step")',
        "The address at which a `receive` with `callback` is answered; alone in its `${ }` and in `with` only.",
    ),
)
"""What looks like a function but decides itself what is evaluated."""


def functions() -> list[tuple[str, str, str]]:
    """Every function and macro as (name, signature, sentence), by name; the documentation lists them.

    >>> [row for row in functions() if row[0] == "lower"]
    [('lower', 'lower(s) -> string', 'The string in lower case.')]
    """
    rows = [(entry.name, entry.signature, entry.sentence) for entry in REGISTRY.values()]
    return sorted([*rows, *MACROS])
