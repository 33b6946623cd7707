"""Splits an expression into tokens, in linear time and before any parser sees it.

cel-python's grammar finds string literals with a regular expression that backtracks exponentially on an unfinished
one, and knows no bound of length or depth. Here strings are read and decoded first (CEL language definition, "String
and bytes values"), brackets are matched, and the bounds of ``limits`` are held; the same scan finds where a
``${ ... }`` ends, whatever braces and quotes it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import limits

_SPACE = re.compile(r"(?:[ \t\n\f\r]|//[^\n]*)+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SIGN = re.compile(r"&&|\|\||[=!<>]=|[-+*/%<>!?:,.()\[\]{}]")
_STRING = re.compile(
    r'''(?P<prefix>[rRbB]{0,2})(?P<quote>"""|\'\'\'|"|')''',
)
_BODY = {
    ('"""', False): re.compile(r'((?:[^\\]|\\.)*?)"""', re.DOTALL),
    ("'''", False): re.compile(r"((?:[^\\]|\\.)*?)'''", re.DOTALL),
    ('"', False): re.compile(r'((?:[^"\\\r\n]|\\[^\r\n])*)"'),
    ("'", False): re.compile(r"((?:[^'\\\r\n]|\\[^\r\n])*)'"),
    ('"""', True): re.compile(r'(.*?)"""', re.DOTALL),
    ("'''", True): re.compile(r"(.*?)'''", re.DOTALL),
    ('"', True): re.compile(r'([^"\r\n]*)"'),
    ("'", True): re.compile(r"([^'\r\n]*)'"),
}
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_PLAIN_ESCAPES = dict(zip("abfnrtv\\\"'`?", "\a\b\f\n\r\t\v\\\"'`?", strict=True))
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (``name``, ``number``, ``string``, ``sign``), text, place, and a string's value."""

    kind: str
    text: str
    start: int
    end: int
    value: Any = None

    @property
    def is_operand(self) -> bool:
        """Whether a value ends here, so that an operator must follow."""
        if self.kind == "sign":
            return self.text in _PAIRS
        return self.text != "in" or self.kind == "string"


def tokenize(text: str, start: int = 0, *, in_template: bool = False) -> tuple[list[Token], int]:
    """The tokens of the expression that begins at ``start``, and where it ends.

    Args:
        text: the source.
        start: index of the expression's first character.
        in_template: stop at the first ``}`` that closes nothing, rather than at the end of the text.

    Returns:
        The tokens, and the index of the closing ``}`` (or of the end).

    Raises:
        ExpressionError: an unknown character, an unfinished string, an unmatched bracket, a private name.
        ExpressionLimit: too long or too deep.

    >>> [token.text for token in tokenize("a.b >= 1")[0]]
    ['a', '.', 'b', '>=', '1']
    >>> tokenize("{'}': 1} } tail", in_template=True)[1]
    9
    """
    limit = min(len(text), start + limits.MAX_LENGTH)
    if not in_template and limit < len(text):
        raise _too_long()
    tokens: list[Token] = []
    opened: list[str] = []
    prefixes = 0
    position = start
    while True:
        space = _SPACE.match(text, position, limit)
        position = space.end() if space else position
        if position >= limit:
            break
        if in_template and not opened and text[position] == "}":
            return tokens, position
        token = _token(text, position, limit, start)
        previous = tokens[-1] if tokens else None
        if token.kind == "sign":
            _match_bracket(token, opened, start)
            prefixes = prefixes + 1 if token.text in ("!", "-") else 0
            if max(prefixes, len(opened)) > limits.MAX_DEPTH:
                raise ExpressionLimit(f"The expression nests deeper than {limits.MAX_DEPTH} levels.")
        else:
            prefixes = 0
            if previous and previous.is_operand and not (token.kind == "name" and token.text == "in"):
                raise ExpressionError(f"An operator is missing before {_show(token)} {_place(position, start)}.")
        tokens.append(token)
        position = token.end
    if limit < len(text):
        raise _too_long()
    if in_template:
        raise ExpressionError("A '${' has no closing '}'; write '$${' for a literal '${'.")
    if opened:
        raise ExpressionError(f"A {opened[-1]!r} is never closed.")
    return tokens, position


def _token(text: str, position: int, limit: int, start: int) -> Token:
    if (opening := _STRING.match(text, position, limit)) is not None:
        return _string(text, position, opening, limit, start)
    for kind, pattern in (("name", _NAME), ("number", _NUMBER), ("sign", _SIGN)):
        if (found := pattern.match(text, position, limit)) is not None:
            if found.group().startswith("__"):
                raise ExpressionError(f"The name {found.group()[:40]!r} is not allowed: names do not begin with '__'.")
            return Token(kind, found.group(), position, found.end())
    raise ExpressionError(f"Unexpected character {text[position]!r} {_place(position, start)}.")


def _string(text: str, position: int, opening: re.Match[str], limit: int, start: int) -> Token:
    prefix, quote = opening["prefix"].lower(), opening["quote"]
    if "b" in prefix or len(prefix) > 1:
        raise ExpressionError(f"Bytes are not part of the language {_place(position, start)}.")
    body = _BODY[quote, prefix == "r"].match(text, opening.end(), limit)
    if body is None:
        if limit < len(text):
            raise _too_long()
        raise ExpressionError(f"The string that begins {_place(position, start)} is never closed.")
    value = body[1] if prefix else _ESCAPE.sub(_unescape, body[1])
    return Token("string", text[position : body.end()], position, body.end(), value)


def _unescape(found: re.Match[str]) -> str:
    hexadecimal = found[1] or found[2] or found[3]
    if found[5] is not None:
        if found[5] not in _PLAIN_ESCAPES:
            raise ExpressionError(f"Unknown escape '\\{found[5]}' in a string.")
        return _PLAIN_ESCAPES[found[5]]
    code = int(hexadecimal, 16) if hexadecimal else int(found[4], 8)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ExpressionError(f"The escape {found.group()!r} is not a Unicode character.")
    return chr(code)


def _match_bracket(token: Token, opened: list[str], start: int) -> None:
    if token.text in _PAIRS.values():
        opened.append(token.text)
    elif token.text in _PAIRS and (not opened or opened.pop() != _PAIRS[token.text]):
        raise ExpressionError(f"A {token.text!r} {_place(token.start, start)} closes nothing.")


def _place(position: int, start: int) -> str:
    return f"at character {position - start + 1}"


def _show(token: Token) -> str:
    return repr(token.text if len(token.text) <= 40 else token.text[:40] + "…")


def _too_long() -> ExpressionLimit:
    return ExpressionLimit(f"The expression is longer than {limits.MAX_LENGTH:,} characters.")
