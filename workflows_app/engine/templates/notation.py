"""What stands between ``{{`` and ``}}``: placeholders in text, and the tags that repeat or leave out entries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from workflows_app.engine.errors import OrchestratorError

OPEN, CLOSE = "{{", "}}"
LONGEST_TAG = 300

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = rf"{_NAME}(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]{{1,9}}\])*"
_PLACEHOLDER = re.compile(rf"\s*({_PATH})(\?)?\s*(?:\|\s*(json)\s*)?")
_REPEAT = re.compile(rf"\{{\{{\s*for\s+({_NAME})(?:\s*,\s*({_NAME}))?\s+in\s+({_PATH})(\?)?\s*\}}\}}")
_TEST = re.compile(rf"\{{\{{\s*(if|unless)\s+({_PATH})(?:\s+is\s+([A-Za-z0-9_.-]+))?\s*\}}\}}")
_TAG = re.compile(r"\{\{\s*(for|if|unless)\s")
_PART = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]")

Keys = tuple[str | int, ...]


class NotationError(OrchestratorError):
    """Text between braces that is no placeholder."""

    code = "TEMPLATE_SYNTAX"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value to put in: ``keys`` lead to it, the first is a parameter or the name of a ``for``."""

    keys: Keys
    source: str
    optional: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """``for name, index in keys``: entries once for each element; ``index`` may be absent."""

    name: str
    index: str | None
    keys: Keys
    source: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """``if`` or ``unless``: entries only where a value holds, or is written as ``word``."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    keys: Keys
    source: str
    word: str | None
    negated: bool


Part = str | Placeholder


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[Part, ...]:
    """Split a text into literal parts and placeholders.

    Raises:
        NotationError: with code TEMPLATE_SYNTAX.

    >>> split("{{ who.mail }}: ${ input.x }, {{{{ }}")
    (Placeholder(keys=('who', 'mail'), source='who.mail', optional=False, as_json=False), ': ${ input.x }, {{ }}')
    """
    parts: list[Part] = []
    literal = ""
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        literal += text[at:start]
        if text.startswith(OPEN * 2, start):
            literal += OPEN
            at = start + 4
            continue
        end = text.find(CLOSE, start)
        if end < 0 or end - start > LONGEST_TAG:
            raise NotationError(f"`{_shown(text[start:])}` is not closed by `}}}}`; `{{{{{{{{` writes two braces")
        inside = text[start + 2 : end]
        found = _PLACEHOLDER.fullmatch(inside)
        if found is None:
            if _TAG.match(text, start):
                raise NotationError(f"`{_shown(text[start : end + 2])}` repeats or leaves out: it must be a whole key")
            raise NotationError(f"`{_shown(text[start : end + 2])}` is no placeholder such as {{{{ name.part[0] }}}}")
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(Placeholder(_keys(found[1]), found[1], bool(found[2]), bool(found[3])))
        at = end + 2
    literal += text[at:]
    if literal:
        parts.append(literal)
    return tuple(parts)


@lru_cache(maxsize=4096)
def tag(key: str) -> Repeat | Test | None:
    """Return what a key repeats or tests; ``None`` for an ordinary key.

    Raises:
        NotationError: the key begins like one of them and is none.

    >>> tag("{{ for step, index in plan.steps }}")
    Repeat(name='step', index='index', keys=('plan', 'steps'), source='plan.steps', optional=False)
    >>> tag("{{ unless mode is fast }}")
    Test(keys=('mode',), source='mode', word='fast', negated=True)
    >>> tag("{{ name }}") is None
    True
    """
    if not _TAG.match(key):
        return None
    if len(key) > LONGEST_TAG:
        raise NotationError(f"`{_shown(key)}` is longer than {LONGEST_TAG} characters")
    if found := _REPEAT.fullmatch(key):
        return Repeat(found[1], found[2], _keys(found[3]), found[3], bool(found[4]))
    if found := _TEST.fullmatch(key):
        return Test(_keys(found[2]), found[2], found[3], found[1] == "unless")
    raise NotationError(
        f"`{_shown(key)}` must be `{{{{ for NAME in PATH }}}}`, `{{{{ if PATH }}}}` or `{{{{ if PATH is WORD }}}}`"
    )


def _keys(path: str) -> Keys:
    return tuple(name or int(index) for name, index in _PART.findall(path))


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
