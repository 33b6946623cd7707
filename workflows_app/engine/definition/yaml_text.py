"""YAML text to plain values, from the parser's events: no constructor, no recursion, no implicit dates.

Reading events, and not composed nodes, keeps the C parser's speed and leaves every decision here: depth, aliases,
duplicate keys, tags, and the scalar types of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema).
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from workflows_app.engine.errors import Problem
from workflows_app.engine.values import MAX_DEPTH, join_path, spell

ALIAS_LIMIT = 10_000
"""How many values all aliases of a document may add."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "null", "Null", "NULL", "~"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_NUMERIC_START = frozenset("0123456789+-.")
_LONGEST_INTEGER = 20
_BEYOND = 2**64


class TextRefused(Exception):
    """Text that cannot be read on: the one problem that stopped the reading."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A mapping or a list that is being filled; ``key`` is what the next value belongs to."""

    node: Any
    anchor: str | None
    is_mapping: bool
    key: str | None = None
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Any
    size: int
    height: int


def read_yaml(text: str, problems: list[Problem]) -> Any:
    """Return the value of the only document in ``text``.

    Args:
        text: YAML.
        problems: takes the faults after which the reading goes on (duplicate keys, keys that are not text, tags).

    Raises:
        TextRefused: the fault that stopped the reading.
    """
    reader = _Reader(problems)
    try:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                reader.take(loader.get_event())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise TextRefused(Problem(code="SYNTAX", path=reader.path(), message=place + reason)) from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise TextRefused(Problem(code="SYNTAX", path="", message=reason[:200])) from None
    if not reader.documents:
        raise TextRefused(Problem(code="EMPTY", path="", message="the document is empty"))
    return reader.result


class _Reader:
    """Takes one event after the other; the open mappings and lists are a stack of its own."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.result: Any = None
        self.documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._aliased = 0

    def path(self) -> str:
        keys: list[str | int] = []
        for frame in self._open:
            if not frame.is_mapping:
                keys.append(len(frame.node))
            elif frame.key is not None:
                keys.append(frame.key)
        return spell("", keys)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._take_start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            frame = self._open.pop()
            self._add(frame.node, frame.size, frame.height, frame.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._stop("SEVERAL_DOCUMENTS", event, "the text holds more than one document; a definition is one")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None:
            self._note_tag(event)
        plain = event.tag is None and event.implicit[0]
        if self._expects_key():
            self._take_key(event, plain)
        else:
            self._add(_plain_value(event.value) if plain else event.value, 1, 0, event.anchor)

    def _take_key(self, event: yaml.ScalarEvent, plain: bool) -> None:
        frame = self._open[-1]
        key: str = event.value
        frame.key = None
        if plain and key == "<<":
            self._note("KEY_NOT_TEXT", event, "merge keys (<<) are not part of YAML 1.2; write the keys out", key)
        elif plain and not isinstance(_plain_value(key), str):
            self._note("KEY_NOT_TEXT", event, f'keys must be text; write "{key[:80]}" in quotes', key)
        if key in frame.node:
            self._note("DUPLICATE_KEY", event, f"the key `{key[:80]}` stands twice in the same mapping", key)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(key, 1, 0)
        frame.key = key

    def _take_start(self, event: Any) -> None:
        if event.tag is not None:
            self._note_tag(event)
        if self._expects_key():
            self._stop("KEY_NOT_TEXT", event, "a key must be text, not a mapping or a list")
        if len(self._open) >= MAX_DEPTH:
            self._stop("TOO_DEEP", event, f"the document is nested more than {MAX_DEPTH} levels deep")
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Open({} if is_mapping else [], event.anchor, is_mapping))

    def _take_alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            message = f"the alias *{event.anchor[:80]} has no complete anchor before it"
            self._stop("UNKNOWN_ALIAS", event, message)
        if self._expects_key():
            self._stop("KEY_NOT_TEXT", event, "a key must be written out, not an alias")
        self._aliased += found.size
        if self._aliased > ALIAS_LIMIT:
            self._stop("ALIAS_LIMIT", event, f"aliases repeat more than {ALIAS_LIMIT} values")
        if len(self._open) + found.height > MAX_DEPTH:
            self._stop("TOO_DEEP", event, f"the document is nested more than {MAX_DEPTH} levels deep")
        self._add(deepcopy(found.node), found.size, found.height, None)

    def _expects_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key is None

    def _add(self, node: Any, size: int, height: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(node, size, height)
        if not self._open:
            self.result = node
            return
        frame = self._open[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if frame.is_mapping:
            frame.node[frame.key] = node
            frame.key = None
        else:
            frame.node.append(node)

    def _note_tag(self, event: Any) -> None:
        self._note("TAG_REFUSED", event, f"tags such as {event.tag[:80]} are refused; only plain values are read")

    def _note(self, code: str, event: yaml.Event, message: str, *keys: str) -> None:
        self.problems.append(Problem(code=code, path=join_path(self.path(), *keys), message=_at(event) + message))

    def _stop(self, code: str, event: yaml.Event, message: str) -> NoReturn:
        raise TextRefused(Problem(code=code, path=self.path(), message=_at(event) + message))


def _at(event: yaml.Event) -> str:
    mark: Any = event.start_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: "


def _plain_value(text: str) -> Any:
    """Return what an unquoted scalar stands for under the core schema.

    >>> [_plain_value(t) for t in ("yes", "true", "012", "0x1F", "1e3", "2024-01-31", "12:30", "~")]
    ['yes', True, 12, 31, 1000.0, '2024-01-31', '12:30', None]
    """
    if text[:1] not in _NUMERIC_START:
        return None if text in _NULL else _BOOLEAN.get(text, text)
    if _INTEGER.match(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else _BEYOND
    if _OTHER_BASE.match(text):
        return int(text, 0) if len(text) <= 4 * _LONGEST_INTEGER else _BEYOND
    if _FLOAT.match(text) or _NOT_FINITE.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
