"""From a template document to a ``Template``: every problem of its keys, parameters and placeholders at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from workflows_app.engine import schemas
from workflows_app.engine.definition.language.scalars import LONGEST_NAME, LONGEST_VERSION, SEMVER
from workflows_app.engine.definition.loading import MOST_PROBLEMS
from workflows_app.engine.errors import DefinitionInvalid, Problem
from workflows_app.engine.templates import notation
from workflows_app.engine.templates.model import Parameter, ParameterType, Template
from workflows_app.engine.templates.notation import NotationError, Placeholder, Repeat
from workflows_app.engine.values import faults, join_path

_Visit = tuple[Any, notation.Keys, frozenset[str]]
"""A part of a document, where it stands, and the names that are known there."""
TYPES = [each.value for each in ParameterType]
_KEBAB = {
    "type": "string",
    "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    "maxLength": LONGEST_NAME,
    "errorMessage": "must be a name in kebab case such as data-processing",
}
_TEXT = {"type": "string", "maxLength": 5000}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["template", "version", "title", "category", "pattern", "document"],
    "additionalProperties": False,
    "properties": {
        "template": _KEBAB,
        "version": {
            "type": "string",
            "pattern": f"^{SEMVER}$",
            "maxLength": LONGEST_VERSION,
            "errorMessage": "must be a semantic version such as 1.0.0, as text",
        },
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "description": _TEXT,
        "category": _KEBAB,
        "pattern": _KEBAB,
        "parameters": {
            "type": "object",
            "maxProperties": 100,
            "propertyNames": {
                "pattern": "^[a-z][a-z0-9_]*$",
                "maxLength": LONGEST_NAME,
                "errorMessage": "must match [a-z][a-z0-9_]*",
            },
            "additionalProperties": {
                "type": "object",
                "required": ["type"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": TYPES},
                    "required": {"type": "boolean"},
                    "default": {},
                    "description": _TEXT,
                    "schema": {"type": "object"},
                    "example": {},
                },
            },
        },
        "document": {"type": "object", "minProperties": 1},
    },
}
"""The template document, beside its placeholders; ``schema`` and ``example`` of a parameter are our own additions."""


def parse(document: Mapping[str, Any]) -> Template:
    """Make a template of a document.

    Args:
        document: what ``definition.load`` returned.

    Raises:
        DefinitionInvalid: with every problem: SCHEMA, TEMPLATE_SYNTAX, TEMPLATE_UNKNOWN_NAME,
            TEMPLATE_DEFAULT_INVALID, the codes of unsound schemas, or those of a value that is not JSON.

    >>> parse({"template": "a", "version": "1.0.0", "title": "A", "category": "x", "pattern": "y",
    ...        "parameters": {"n": {"type": "number"}}, "document": {"steps": "{{ n }}"}}).parameters["n"].type
    <ParameterType.NUMBER: 'number'>
    """
    unsound = (Problem(code=f.code, path=f.path, message=f.message) for f in faults(dict(document)))
    found = list(islice(unsound, MOST_PROBLEMS)) or schemas.validate(document, SCHEMA, "", MOST_PROBLEMS)
    found = found or list(islice(_parameters(document), MOST_PROBLEMS))
    known = frozenset(document.get("parameters") or ()) if not found else frozenset()
    found = found or list(islice(_placeholders(document["document"], known), MOST_PROBLEMS))
    if found:
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        raise DefinitionInvalid(
            f"the template has {count}; the first: {found[0]}", code="TEMPLATE_INVALID", problems=found
        )
    return Template(
        name=document["template"],
        version=document["version"],
        title=document["title"],
        description=document.get("description", ""),
        category=document["category"],
        pattern=document["pattern"],
        parameters={name: _parameter(name, raw) for name, raw in document.get("parameters", {}).items()},
        document=document["document"],
    )


def _parameter(name: str, raw: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        type=ParameterType(raw["type"]),
        required=raw.get("required", False),
        has_default="default" in raw,
        default=raw.get("default"),
        description=raw.get("description", ""),
        schema=raw.get("schema"),
        example=raw.get("example"),
    )


def _parameters(document: Mapping[str, Any]) -> Iterator[Problem]:
    for name, raw in document.get("parameters", {}).items():
        path = join_path("parameters", name)
        unsound = schemas.check_schema(raw["schema"], f"{path}.schema") if "schema" in raw else []
        yield from unsound
        if raw.get("required") and "default" in raw:
            message = "a required parameter takes no default: leave one of the two out"
            yield Problem(code="TEMPLATE_DEFAULT_INVALID", path=f"{path}.default", message=message)
        for key in ("default", "example"):
            if key in raw and not unsound:
                for each in check(_parameter(name, raw), raw[key], f"{path}.{key}"):
                    yield Problem(code="TEMPLATE_DEFAULT_INVALID", path=each.path, message=each.message)


def check(parameter: Parameter, value: Any, path: str) -> list[Problem]:
    """List what is wrong with an argument (or a default, or an example), with code TEMPLATE_PARAMETER_TYPE."""
    found = schemas.validate(value, {"type": parameter.type.value}, path)
    if not found and parameter.schema is not None:
        found = schemas.validate(value, parameter.schema, path)
    return [Problem(code="TEMPLATE_PARAMETER_TYPE", path=each.path, message=each.message) for each in found]


def _placeholders(document: Any, known: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the notation, and names that are neither a parameter nor an element around the place."""
    stack: list[_Visit] = [(document, ("document",), known)]
    while stack:
        value, keys, names = stack.pop()
        if isinstance(value, str):
            yield from _text(value, keys, names)
        elif isinstance(value, list):
            stack.extend((value[index], (*keys, index), names) for index in reversed(range(len(value))))
        elif isinstance(value, Mapping):
            inside: list[_Visit] = []
            for key, child in value.items():
                yield from _key(key, child, (*keys, key), names, inside)
            stack.extend(reversed(inside))


def _key(
    key: str,
    child: Any,
    keys: notation.Keys,
    names: frozenset[str],
    inside: list[_Visit],
) -> Iterator[Problem]:
    try:
        found = notation.tag(key)
    except NotationError as refused:
        yield Problem(code=refused.code, path=join_path("", *keys), message=refused.message)
        return
    if found is None:
        yield from _text(key, keys, names)
        inside.append((child, keys, names))
        return
    yield from _name(found.keys, keys, names)
    if not isinstance(child, list | dict):
        message = f"`{key}` needs entries below it: a list or a mapping"
        yield Problem(code="TEMPLATE_SYNTAX", path=join_path("", *keys), message=message)
    inner = names
    if isinstance(found, Repeat):
        new = {name for name in (found.name, found.index) if name}
        if len(new) < 1 + bool(found.index) or new & names:
            message = f"`{key}` takes a name that is taken: {', '.join(sorted(new))}"
            yield Problem(code="TEMPLATE_SYNTAX", path=join_path("", *keys), message=message)
        inner = names | new
    inside.append((child, keys, inner))


def _text(text: str, keys: notation.Keys, names: frozenset[str]) -> Iterator[Problem]:
    try:
        for part in notation.split(text):
            if isinstance(part, Placeholder):
                yield from _name(part.keys, keys, names)
    except NotationError as refused:
        yield Problem(code=refused.code, path=join_path("", *keys), message=refused.message)


def _name(path: notation.Keys, keys: notation.Keys, names: frozenset[str]) -> Iterator[Problem]:
    if path[0] not in names:
        message = f"there is no parameter `{path[0]}`; there are {', '.join(sorted(names)) or 'none'}"
        yield Problem(code="TEMPLATE_UNKNOWN_NAME", path=join_path("", *keys), message=message)
