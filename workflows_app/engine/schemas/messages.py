"""Validation errors in sentences for people, each at the exact place.

A schema may bring its own words under ``errorMessage`` (text, or text by keyword), as the published language does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from jsonschema.exceptions import ValidationError

_LONGEST_SHOWN = 60
_MOST_LISTED = 20
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed keyword: the keys that lead to the place, the keyword, and a sentence without the place."""

    keys: tuple[str | int, ...]
    keyword: str
    message: str


def failures(errors: Iterable[ValidationError], prefix: tuple[str | int, ...] = ()) -> Iterator[Failure]:
    """Yield each error as a failure; alternatives are resolved to the one that was meant, where that can be told."""
    for error in errors:
        keys = (*prefix, *error.relative_path)
        keyword = str(error.validator or "")
        own = _own_words(error)
        if own is not None:
            yield Failure(keys, keyword, own)
        elif keyword in ("anyOf", "oneOf") and error.context:
            yield from _alternatives(error, keys, keyword)
        else:
            yield Failure(keys, keyword, _sentence(error, keyword))


def _own_words(error: ValidationError) -> str | None:
    words = error.schema.get("errorMessage") if isinstance(error.schema, Mapping) else None
    if isinstance(words, str):
        return None if error.validator in ("additionalProperties", "required") else words
    if isinstance(words, Mapping):
        found = words.get(str(error.validator))
        return found if isinstance(found, str) else None
    return None


def _alternatives(error: ValidationError, keys: tuple[str | int, ...], keyword: str) -> Iterator[Failure]:
    groups: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        groups.setdefault(inner.schema_path[0], []).append(inner)
    meant = [group for group in groups.values() if not any(_is_mismatch(inner) for inner in group)]
    if len(meant) == 1:
        yield from failures(meant[0], keys)
        return
    parts = [next(failures(group)).message for group in (meant or groups.values())]
    yield Failure(keys, keyword, " or ".join(dict.fromkeys(parts)))


def _is_mismatch(error: ValidationError) -> bool:
    """Whether the value is of another sort altogether, so that this alternative cannot have been meant."""
    return not error.relative_path and error.validator in ("type", "enum", "const")


def _sentence(error: ValidationError, keyword: str) -> str:
    expected: Any = error.validator_value
    found: Any = error.instance
    match keyword:
        case "required":
            return "is missing"
        case "additionalProperties" | "unevaluatedProperties":
            return _unknown_key(error)
        case "type":
            names = [expected] if isinstance(expected, str) else expected
            return f"must be {' or '.join(_TYPES.get(n, str(n)) for n in names)}, found {describe(found)}"
        case "enum":
            return f"must be one of {_listed(expected)}{_guess(found, expected)}"
        case "const":
            return f"must be {_shown(expected)}"
        case "pattern":
            return f"must match the pattern {expected}"
        case "minLength" | "minItems" | "minProperties" if expected == 1:
            return "must not be empty"
        case "minLength" | "maxLength":
            return f"must have at {'least' if keyword == 'minLength' else 'most'} {expected} characters"
        case "minItems" | "maxItems":
            return f"must have at {'least' if keyword == 'minItems' else 'most'} {expected} entries"
        case "minProperties" | "maxProperties":
            return f"must have at {'least' if keyword == 'minProperties' else 'most'} {expected} keys"
        case "minimum" | "maximum":
            return f"must be at {'least' if keyword == 'minimum' else 'most'} {expected}"
        case "exclusiveMinimum" | "exclusiveMaximum":
            return f"must be {'greater' if keyword == 'exclusiveMinimum' else 'less'} than {expected}"
        case "multipleOf":
            return f"must be a multiple of {expected}"
        case "oneOf":
            return "fits more than one of the alternatives, of which exactly one may hold"
        case "not":
            return "has a form that the schema excludes"
        case "contains" | "minContains" | "maxContains":
            return "does not contain the right number of entries of the required form"
        case "unevaluatedItems":
            return "has more entries than the schema allows"
        case "format":
            return str(error.cause or error.message)
        case "uniqueItems" | "dependentRequired":
            return error.message
        case _:
            return "is not allowed here"


def _unknown_key(error: ValidationError) -> str:
    if not error.relative_path:
        return "has keys that the schema does not know"
    known = error.instance if isinstance(error.instance, list) else []
    return f"is not a known key{_guess(error.relative_path[-1], known)}"


def _guess(found: Any, known: Any) -> str:
    names = [name for name in known if isinstance(name, str)]
    close = get_close_matches(found, names[:500], n=1) if isinstance(found, str) and len(found) < 100 else []
    return f"; did you mean `{close[0]}`?" if close else ""


def describe(value: Any) -> str:
    """Name a value's type for people, with the value where it is short.

    >>> describe(1.0), describe("x"), describe({}), describe(None)
    ('the number 1.0', 'text', 'a mapping', 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _listed(values: list[Any]) -> str:
    shown = ", ".join(_shown(value) for value in values[:_MOST_LISTED])
    return f"{shown}, …" if len(values) > _MOST_LISTED else shown
