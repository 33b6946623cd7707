"""Whether a schema itself is sound: draft 2020-12, bounded, self-contained, with patterns that run in linear time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urljoin

import re2
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS

from workflows_app.engine.errors import Problem
from workflows_app.engine.schemas.keywords import SafeValidator, budget, compile_pattern
from workflows_app.engine.schemas.messages import failures
from workflows_app.engine.values import faults, join_path

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_DEPTH = 50
"""Levels of nesting of a schema."""
MAX_BYTES = 200_000
"""Size of a schema as JSON."""
_MOST = 50

_ONE: tuple[str, ...] = (
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_LIST = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose subschemas look at the same value again: a circle of these never ends."""

_Keys = tuple[str | int, ...]


def check_schema(schema: Any, path: str = "input") -> list[Problem]:
    """List what is wrong with a schema; an empty list means that ``validate`` may use it.

    Args:
        schema: anything; a mapping or a boolean is expected.
        path: where the schema stands, prefix of the reported places.

    Returns:
        problems of code ``INVALID_SCHEMA``, ``REMOTE_REF``, ``UNKNOWN_REF``, ``REF_CYCLE``, ``UNSUPPORTED_PATTERN``.

    >>> [str(p) for p in check_schema({"$ref": "http://example.com/s.json"})]
    ['input.$ref: may only point into the same schema (#/...); nothing is fetched (REMOTE_REF)']
    """
    if isinstance(schema, bool):
        return []
    if not isinstance(schema, dict):
        return [_problem("INVALID_SCHEMA", path, "must be a JSON Schema: a mapping, or true or false")]
    unsound = [
        _problem("INVALID_SCHEMA", fault.path, fault.message)
        for fault in faults(schema, path=path, max_depth=MAX_DEPTH, max_bytes=MAX_BYTES)
    ]
    if unsound:
        return unsound[:_MOST]
    problems = list(_against_dialect(schema, path))
    if not problems:
        problems = list(_own_rules(schema, path))
    return problems[:_MOST]


def _against_dialect(schema: dict[str, Any], path: str) -> Iterator[Problem]:
    named = schema.get("$schema", DIALECT)
    if named not in (DIALECT, DIALECT + "#"):
        yield _problem("INVALID_SCHEMA", join_path(path, "$schema"), f"only draft 2020-12 is supported ({DIALECT})")
        return
    with budget(schema):
        found = dict.fromkeys(failures(SafeValidator(dialect()).iter_errors(schema)))
        yield from (_problem("INVALID_SCHEMA", join_path(path, *f.keys), f.message) for f in found)


@cache
def dialect() -> dict[str, Any]:
    """Return the dialect's schema of schemas in one piece.

    It is published as seven vocabularies, which each look at every subschema by a reference that is looked up anew. No
    two of them have a keyword or a definition in common, so together they say the same.
    """
    whole: dict[str, Any] = {"type": ["object", "boolean"], "$defs": {}, "properties": {}}
    root = Draft202012Validator.META_SCHEMA
    for part in (root, *(SPECIFICATIONS.contents(urljoin(DIALECT, each["$ref"])) for each in root["allOf"])):
        for key in ("$defs", "properties"):
            whole[key] |= part.get(key, {})
    text = json.dumps(whole).replace('"$dynamicRef": "#meta"', '"$ref": "#"')
    found: dict[str, Any] = json.loads(re.sub(r'"meta/\w+#', '"#', text))
    return found


def _own_rules(schema: dict[str, Any], path: str) -> Iterator[Problem]:
    places = dict(_subschemas(schema))
    anchors = {part[key]: keys for keys, part in places.items() for key in ("$anchor", "$dynamicAnchor") if key in part}
    edges: dict[_Keys, list[_Keys]] = {keys: [] for keys in places}
    uses_unevaluated = any("unevaluatedProperties" in part for part in places.values())
    for keys, part in places.items():
        here = join_path(path, *keys)
        if keys and "$schema" in part:
            yield _problem("INVALID_SCHEMA", join_path(here, "$schema"), "may stand at the root only")
        if keys and "$id" in part:
            yield _problem("INVALID_SCHEMA", join_path(here, "$id"), "may stand at the root only")
        yield from _patterns(part, here)
        if uses_unevaluated and "patternProperties" in part:
            message = "cannot be used in a schema that also uses unevaluatedProperties"
            yield _problem("INVALID_SCHEMA", join_path(here, "patternProperties"), message)
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in part:
                target, problem = _resolve(part[keyword], places, anchors, join_path(here, keyword))
                if problem is not None:
                    yield problem
                elif target is not None:
                    edges[keys].append(target)
        for child, keyword in _children(part):
            if keyword in _IN_PLACE and (*keys, *child) in places:
                edges[keys].append((*keys, *child))
    circle = _circle(edges)
    if circle is not None:
        yield _problem("REF_CYCLE", join_path(path, *circle), "refers to itself without ever looking at another value")


def _subschemas(root: dict[str, Any]) -> Iterator[tuple[_Keys, dict[str, Any]]]:
    """Yield every subschema with its keys; what stands in ``enum``, ``const``, ``default`` or ``examples`` is data."""
    stack: list[tuple[_Keys, dict[str, Any]]] = [((), root)]
    while stack:
        keys, part = stack.pop()
        yield keys, part
        for child, _ in _children(part):
            node: Any = part
            for key in child:
                node = node[key]
            if isinstance(node, dict):
                stack.append(((*keys, *child), node))


def _children(part: Mapping[str, Any]) -> Iterator[tuple[_Keys, str]]:
    for keyword, value in part.items():
        if keyword in _ONE:
            yield (keyword,), keyword
        elif keyword in _LIST and isinstance(value, list):
            yield from (((keyword, index), keyword) for index in range(len(value)))
        elif keyword in _NAMED and isinstance(value, dict):
            yield from (((keyword, name), keyword) for name in value)


def _patterns(part: Mapping[str, Any], here: str) -> Iterator[Problem]:
    found = [((), part["pattern"])] if "pattern" in part else []
    written: list[tuple[_Keys, str]] = [(("pattern", *keys), text) for keys, text in found]
    written += [(("patternProperties", text), text) for text in part.get("patternProperties", {})]
    for keys, text in written:
        try:
            compile_pattern(text)
        except re2.error as error:
            reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
            message = f"is not a pattern that RE2 can run in linear time: {reason[:200]}"
            yield _problem("UNSUPPORTED_PATTERN", join_path(here, *keys), message)


def _resolve(
    ref: str, places: Mapping[_Keys, Any], anchors: Mapping[str, _Keys], here: str
) -> tuple[_Keys | None, Problem | None]:
    if not ref.startswith("#"):
        message = "may only point into the same schema (#/...); nothing is fetched"
        return None, _problem("REMOTE_REF", here, message)
    fragment = unquote(ref[1:])
    if fragment and not fragment.startswith("/"):
        target = anchors.get(fragment)
    else:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in fragment.split("/")[1:]]
        by_text = {tuple(str(key) for key in keys): keys for keys in places}
        target = by_text.get(tuple(tokens))
    if target is None:
        return None, _problem("UNKNOWN_REF", here, f"points to {ref[:100]}, which is no subschema of this schema")
    return target, None


def _circle(edges: Mapping[_Keys, list[_Keys]]) -> _Keys | None:
    """Return a place on a circle of edges, or None; depth first, without recursion."""
    done: set[_Keys] = set()
    for start in edges:
        if start in done:
            continue
        open_places = {start}
        stack = [(start, iter(edges[start]))]
        while stack:
            keys, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                open_places.discard(keys)
                done.add(keys)
            elif target in open_places:
                return target
            elif target not in done:
                open_places.add(target)
                stack.append((target, iter(edges[target])))
    return None


def _problem(code: str, path: str, message: str) -> Problem:
    return Problem(code=code, path=path, message=message)
