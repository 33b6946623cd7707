"""From text to a document: YAML or JSON, read so that no text can run code, exhaust memory or mean two things."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from typing import Any, NoReturn

from workflows_app.engine.definition.yaml_text import TextRefused, read_yaml
from workflows_app.engine.errors import DefinitionInvalid, Problem
from workflows_app.engine.values import faults, join_path

LIMIT_BYTES = 1_000_000
MOST_PROBLEMS = 100
"""How many problems one refusal lists."""
_LONGEST_INTEGER = 20
_BEYOND = 2**64


def load(text: str | bytes, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """Read one definition document.

    Text that starts with ``{`` is tried as JSON first; everything else is YAML with the types of YAML 1.2 (core
    schema): only ``true`` and ``false`` are booleans, ``on``, ``off``, ``yes``, ``no`` and dates stay text.

    Args:
        text: UTF-8, with or without a byte order mark.
        limit_bytes: largest allowed size in bytes.

    Returns:
        the document: plain dicts, lists and scalars, storable as JSON.

    Raises:
        DefinitionInvalid: with every problem found, each with its place; codes ``TOO_LARGE``, ``NOT_UTF8``,
            ``SYNTAX``, ``TAG_REFUSED``, ``ALIAS_LIMIT``, ``UNKNOWN_ALIAS``, ``DUPLICATE_KEY``, ``KEY_NOT_TEXT``,
            ``SEVERAL_DOCUMENTS``, ``EMPTY``, ``NOT_A_MAPPING``, ``TOO_DEEP``, ``INTEGER_RANGE``, ``NOT_JSON``.

    >>> load("workflow: a\\nversion: 1.0.0\\nmetadata: {since: 2024-01-31, public: yes}")
    {'workflow': 'a', 'version': '1.0.0', 'metadata': {'since': '2024-01-31', 'public': 'yes'}}
    """
    decoded = _decode(text, limit_bytes)
    problems: list[Problem] = []
    document = _read(decoded, problems)
    # The limit on the result counts what aliases expand to.
    found = islice(faults(document, max_bytes=limit_bytes * 2), MOST_PROBLEMS + 1)
    problems.extend(Problem(code=f.code, path=f.path, message=f.message) for f in found)
    if problems:
        refuse(problems)
    if not isinstance(document, dict):
        refuse([Problem(code="NOT_A_MAPPING", path="", message="a definition must be a mapping of keys to values")])
    return document


def refuse(problems: list[Problem]) -> NoReturn:
    """Raise ``DefinitionInvalid`` with these problems."""
    more = "more than " if len(problems) > MOST_PROBLEMS else ""
    problems = problems[:MOST_PROBLEMS]
    count = "1 problem" if len(problems) == 1 else f"{more}{len(problems)} problems"
    raise DefinitionInvalid(f"the definition has {count}; the first: {problems[0]}", problems=problems)


def _decode(text: str | bytes, limit_bytes: int) -> str:
    size = len(text)
    if size <= limit_bytes:
        try:
            if isinstance(text, bytes):
                decoded = text.decode("utf-8-sig")
            else:
                decoded = text.removeprefix("\ufeff")
                size = len(decoded.encode())
        except UnicodeDecodeError as error:
            message = f"the text is not UTF-8: byte {error.start} cannot be read"
            refuse([Problem(code="NOT_UTF8", path="", message=message)])
        except UnicodeEncodeError as error:
            message = f"the text is not UTF-8: character {error.start} is a lone surrogate"
            refuse([Problem(code="NOT_UTF8", path="", message=message)])
    if size > limit_bytes:
        message = f"the document has {size} bytes, the limit is {limit_bytes}"
        refuse([Problem(code="TOO_LARGE", path="", message=message)])
    return decoded


def _read(text: str, problems: list[Problem]) -> Any:
    json_error: json.JSONDecodeError | None = None
    if text.lstrip()[:1] == "{":
        try:
            return _read_json(text, problems)
        except json.JSONDecodeError as error:
            json_error = error
        except RecursionError:
            refuse([Problem(code="TOO_DEEP", path="", message="the document is nested too deeply")])
    try:
        return read_yaml(text, problems)
    except TextRefused as error:
        if json_error is not None and error.problem.code == "SYNTAX":
            place = f"line {json_error.lineno}, column {json_error.colno}"
            message = f"{place}: {json_error.msg} (neither JSON nor YAML)"
            refuse([Problem(code="SYNTAX", path="", message=message)])
        refuse([*problems, error.problem])


def _read_json(text: str, problems: list[Problem]) -> Any:
    repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            counts = Counter(key for key, _ in items)
            repeated[id(made)] = (made, [key for key in made if counts[key] > 1])
        return made

    def integer(digits: str) -> int:
        return int(digits) if len(digits) <= _LONGEST_INTEGER else _BEYOND

    document = json.loads(text, object_pairs_hook=pairs, parse_int=integer)
    if repeated:
        stack: list[tuple[str, Any]] = [("", document)]
        while stack:
            path, node = stack.pop()
            if isinstance(node, dict):
                for key in repeated.get(id(node), (node, []))[1]:
                    message = f"the key `{key[:80]}` stands twice in the same mapping"
                    problems.append(Problem(code="DUPLICATE_KEY", path=join_path(path, key), message=message))
                stack.extend((join_path(path, key), child) for key, child in reversed(node.items()))
            elif isinstance(node, list):
                stack.extend((join_path(path, index), node[index]) for index in reversed(range(len(node))))
    return document
