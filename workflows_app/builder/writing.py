"""From a document to the Python text that builds it."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from workflows_app.builder.documents import (
    ADHOC_KEYS,
    FOREACH_KEYS,
    JOIN_KEYS,
    LOOP_KEYS,
    STEP_KEYS,
    WORKFLOW_KEYS,
    keyword_of,
    misspelt,
)

WIDTH = 88
RECEIVE_KEYWORDS = {"correlate": "correlate", "where": "where", "timeout": "within"}


def source(document: Mapping[str, Any]) -> str:
    """Return a Python module that builds a document and names it ``document``.

    What the functions have no words for is written out as it is, so every JSON value can be given.

    >>> from workflows_app.builder.documents import wait, workflow
    >>> print(source(workflow("pause", "1.0.0", wait("a_day", for_="1d"), title="Pause")), end="")
    from workflows_app import builder as b
    <BLANKLINE>
    document = b.workflow("pause", "1.0.0", b.wait("a_day", for_="1d"), title="Pause")
    """
    match document:
        case {"workflow": name, "version": version, "steps": [*steps], **keys}:
            written = _call("workflow", [_literal(name), _literal(version), *map(_source, steps)], keys, WORKFLOW_KEYS)
        case _:
            written = _literal(document)
    return f"from workflows_app import builder as b\n\ndocument = {written}\n"


def _source(step: Any) -> str:
    """Return the expression of one step; steps inside it follow the same way."""
    match step:
        case {"id": id, "activity": activity, "with": {**parameters}, **keys}:
            arguments = [_literal(id), _literal(activity), *_named(parameters, "with_", _literal)]
            return _call("activity", arguments, keys)
        case {"id": id, "activity": activity, **keys}:
            return _call("activity", [_literal(id), _literal(activity)], keys)
        case {"id": id, "set": {**values}, **keys}:
            return _call("set_", [_literal(id), *_named(values, "values", _literal)], keys)
        case {"id": id, "choice": [*cases], **keys}:
            return _call("choice", [_literal(id), *map(_case, cases)], keys)
        case {"id": id, "parallel": {"branches": {**branches}, **join}, **keys} if join.keys() <= set(JOIN_KEYS):
            arguments = [_literal(id), *_named(branches, "branches", _list), *_keywords(join)]
            return _call("parallel", arguments, keys, [key for key in STEP_KEYS if key not in JOIN_KEYS])
        case {"id": id, "foreach": {"items": items, "steps": [*steps], **own}, **keys} if own.keys() <= set(
            FOREACH_KEYS
        ):
            arguments = [_literal(id), _literal(items), *map(_source, steps), *_keywords(own)]
            return _call("foreach", arguments, keys, [key for key in STEP_KEYS if key not in FOREACH_KEYS])
        case {"id": id, "loop": {"steps": [*steps], **own}, **keys} if _is_bounded(own):
            return _call("loop", [_literal(id), *map(_source, steps), *_keywords(own)], keys)
        case {"id": id, "adhoc": {"steps": [*steps], **own}, **keys} if own.keys() <= set(ADHOC_KEYS):
            return _call("adhoc", [_literal(id), *map(_source, steps), *_keywords(own)], keys)
        case {"id": id, "wait": {"for": length, **rest}, **keys} if not rest:
            return _call("wait", [_literal(id), f"for_={_literal(length)}"], keys)
        case {"id": id, "wait": {"until": moment, **rest}, **keys} if not rest:
            return _call("wait", [_literal(id), f"until={_literal(moment)}"], keys)
        case {"id": id, "receive": {"event": event, **rest}, **keys} if rest.keys() <= RECEIVE_KEYWORDS.keys():
            waits = {word: rest[key] for key, word in RECEIVE_KEYWORDS.items() if key in rest}
            return _call("receive", [_literal(id), _literal(event), *_keywords(waits)], keys)
        case {"id": id, "receive": {"callback": called, **rest}, **keys} if rest.keys() <= {"timeout"}:
            waits = {"callback": called, **({"within": rest["timeout"]} if rest else {})}
            return _call("receive", [_literal(id), *_keywords(waits)], keys)
        case {"id": id, "emit": {"event": event, **rest}, **keys} if rest.keys() <= {"data", "correlate"}:
            return _call("emit", [_literal(id), _literal(event), *_keywords(rest)], keys)
        case {"id": id, "call": {"workflow": name, **rest}, **keys} if rest.keys() <= {"version", "input", "wait"}:
            return _call("call", [_literal(id), _literal(name), *_keywords(rest)], keys)
        case {"id": id, "decide": {"table": table, **rest}, **keys} if rest.keys() <= {"version", "input"}:
            return _call("decide", [_literal(id), f"table={_literal(table)}", *_keywords(rest)], keys)
        case {"id": id, "return": {**result}, **keys} if result.keys() <= {"output"}:
            return _call("return_", [_literal(id), *_keywords(result)], keys)
        case {"id": id, "fail": {"code": code, **rest}, **keys} if rest.keys() <= {"message"}:
            return _call("fail", [_literal(id), f"code={_literal(code)}", *_keywords(rest)], keys)
    return _literal(step)


def _case(case: Any) -> str:
    match case:
        case {"when": condition, "steps": [*steps], **rest} if not rest:
            return _wrapped("b.when(", [_literal(condition), *map(_source, steps)], ")")
        case {"steps": [*steps], **rest} if not rest:
            return _wrapped("b.otherwise(", map(_source, steps), ")")
    return _literal(case)


def _list(steps: Any) -> str:
    return _wrapped("[", map(_source, steps), "]") if isinstance(steps, list) else _literal(steps)


def _named(values: Mapping[Any, Any], holder: str, written: Callable[[Any], str]) -> list[str]:
    """Return values by name as keywords, or as one mapping if any of the names cannot be a keyword."""
    if values and all(_free(name) for name in values):
        return [f"{name}={written(value)}" for name, value in values.items()]
    pairs = [f"{_literal(name)}: {written(value)}" for name, value in values.items()]
    return [f"{holder}={_wrapped('{', pairs, '}')}"]


def _free(name: str) -> bool:
    return bool(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        and name not in ("with_", "values", "branches")
        and not keyword.iskeyword(name)
        and not misspelt(name)
    )


def _keywords(keys: Mapping[Any, Any]) -> list[str]:
    return [f"{keyword_of(key)}={_literal(value)}" for key, value in keys.items()]


def _is_bounded(own: Mapping[Any, Any]) -> bool:
    """Whether ``loop`` takes these keys: it insists on one that says how often."""
    return own.keys() <= set(LOOP_KEYS) and len({"while", "until", "times"} & own.keys()) == 1


def _call(function: str, arguments: list[str], keys: Mapping[Any, Any], known: Sequence[str] = STEP_KEYS) -> str:
    """Return a call, with the keys that the function has no keyword for added to its result."""
    taken = _keywords({key: value for key, value in keys.items() if key in known})
    others = {key: value for key, value in keys.items() if key not in known}
    call = _wrapped(f"b.{function}(", [*arguments, *taken], ")")
    return f"{call} | {_literal(others)}" if others else call


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return _wrapped("{", [f"{_literal(key)}: {_literal(inner)}" for key, inner in value.items()], "}")
    if isinstance(value, list | tuple):
        return _wrapped("[", map(_literal, value), "]")
    text = repr(value)
    # Double quotes where they change nothing else.
    plain = isinstance(value, str) and not {'"', "'", "\\"} & set(text[1:-1])
    return f'"{text[1:-1]}"' if plain else text


def _wrapped(opening: str, parts: Iterable[str], closing: str) -> str:
    """Return parts in brackets: in one line if it is short, else a line for each."""
    listed = list(parts)
    line = f"{opening}{', '.join(listed)}{closing}"
    if not listed or (len(line) <= WIDTH and "\n" not in line):
        return line
    return f"{opening}\n{textwrap.indent(''.join(f'{part},{chr(10)}' for part in listed), '    ')}{closing}"
