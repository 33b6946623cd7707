"""From a template and arguments to a document: one walk, one pass, under a budget of size and depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from workflows_app.engine.errors import Problem, Refused
from workflows_app.engine.templates import notation
from workflows_app.engine.templates.model import Template
from workflows_app.engine.templates.notation import Placeholder, Repeat, Test
from workflows_app.engine.templates.parsing import check
from workflows_app.engine.templates.scopes import ABSENT, Scope, as_json, as_text, holds, look_up
from workflows_app.engine.values import MAX_DEPTH, faults, spell

LIMIT_BYTES = 1_000_000
"""Largest document that a template makes, counted in characters and entries."""

Place = tuple[str | int, ...]


class TemplateRefused(Refused):
    """A template that cannot be rendered with these arguments; every problem names its place."""

    code = "TEMPLATE_INVALID_ARGUMENTS"


def render(template: Template, arguments: Mapping[str, Any], *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """Return the document that a template makes; it has yet to be verified like any other.

    Args:
        template: a parsed template.
        arguments: JSON values by parameter.
        limit_bytes: largest result; repetitions that yield nothing count as well.

    Raises:
        TemplateRefused: with problems of code TEMPLATE_PARAMETER_MISSING, TEMPLATE_PARAMETER_UNKNOWN,
            TEMPLATE_PARAMETER_TYPE (all of them at once), or with the first of TEMPLATE_PARAMETER_MISSING,
            TEMPLATE_VALUE_MISSING, TEMPLATE_VALUE_NOT_TEXT, TEMPLATE_NOT_A_LIST, TEMPLATE_DUPLICATE_KEY,
            TEMPLATE_ENTRIES_MISPLACED, TEMPLATE_TOO_LARGE, TEMPLATE_TOO_DEEP at a place of the template's document.

    >>> from workflows_app.engine.templates import parse
    >>> made = parse({"template": "a", "version": "1.0.0", "title": "A", "category": "x", "pattern": "y",
    ...     "parameters": {"seats": {"type": "array"}},
    ...     "document": {"steps": [{"{{ for seat in seats }}": [{"id": "seat_{{ seat.no }}", "with": "{{ seat }}"}]}]}})
    >>> render(made, {"seats": [{"no": 1}]})
    {'steps': [{'id': 'seat_1', 'with': {'no': 1}}]}
    """
    walk = _Walk(limit_bytes)
    made = walk.value(template.document, _arguments(template, arguments, limit_bytes), ("document",))
    assert isinstance(made, dict)
    return made


def _arguments(template: Template, given: Mapping[str, Any], limit_bytes: int) -> Scope:
    problems = [
        Problem(code=fault.code, path=fault.path, message=fault.message)
        for fault in faults(dict(given), path="parameters", max_bytes=limit_bytes)
    ]
    for name in given if not problems else ():
        if name not in template.parameters:
            near = get_close_matches(str(name), list(template.parameters), n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(template.parameters) or 'none'}"
            problems.append(
                _problem("TEMPLATE_PARAMETER_UNKNOWN", ("parameters", name), f"there is no such parameter{hint}")
            )
    scope: dict[str, Any] = {}
    for name, parameter in template.parameters.items() if not problems else ():
        if name in given:
            problems += check(parameter, given[name], spell("", ("parameters", name)))
            scope[name] = given[name]
        elif parameter.required:
            what = f": {parameter.description}" if parameter.description else ""
            problems.append(_problem("TEMPLATE_PARAMETER_MISSING", ("parameters", name), f"is required{what}"))
        else:
            scope[name] = parameter.default if parameter.has_default else ABSENT
    if problems:
        _refuse(problems)
    return scope


class _Walk:
    """The walk over a template's document; it charges what it makes to one budget."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def value(self, node: Any, scope: Scope, place: Place, depth: int = 0) -> Any:
        """Return what a part of the document becomes; ``ABSENT`` where it is left out."""
        if depth > MAX_DEPTH:
            _fail("TEMPLATE_TOO_DEEP", place, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(node, str):
            return self.text(node, scope, place, depth)
        if isinstance(node, list):
            return list(self.entries(node, scope, place, depth))
        if isinstance(node, Mapping):
            made: dict[str, Any] = {}
            self.pairs(node, scope, place, depth, made)
            return made
        self.charge(8, place)
        return node

    # ------------------------------------------------------------ lists
    def entries(self, nodes: list[Any], scope: Scope, place: Place, depth: int) -> Iterator[Any]:
        for index, node in enumerate(nodes):
            here = (*place, index)
            found = notation.tag(next(iter(node))) if isinstance(node, Mapping) and len(node) == 1 else None
            if found is None:
                made = self.value(node, scope, here, depth + 1)
                if made is not ABSENT:
                    yield made
                continue
            key, below = next(iter(node.items()))
            listed = below if isinstance(below, list) else [below]
            for inner in self.scopes(found, scope, (*here, key)):
                yield from self.entries(listed, inner, (*here, key), depth)

    # ------------------------------------------------------------ mappings
    def pairs(self, node: Mapping[str, Any], scope: Scope, place: Place, depth: int, made: dict[str, Any]) -> None:
        for key, child in node.items():
            here = (*place, key)
            found = notation.tag(key)
            if found is not None:
                for inner in self.scopes(found, scope, here):
                    if not isinstance(child, Mapping):
                        _fail("TEMPLATE_ENTRIES_MISPLACED", here, "makes entries of a list, and stands among keys")
                    self.pairs(child, inner, here, depth, made)
                continue
            name = self.key(key, scope, here)
            value = ABSENT if name is ABSENT else self.value(child, scope, here, depth + 1)
            if value is ABSENT:
                continue
            if name in made:
                _fail("TEMPLATE_DUPLICATE_KEY", here, f"the key `{name[:80]}` would stand twice in the same mapping")
            self.charge(4, here)
            made[name] = value

    def key(self, key: str, scope: Scope, place: Place) -> Any:
        name = self.text(key, scope, place, 0)
        if name is not ABSENT and not isinstance(name, str):
            text = as_text(name)
            if text is None:
                _fail("TEMPLATE_VALUE_NOT_TEXT", place, "a key must be text, and the value is a list or a mapping")
            return text
        return name

    # ------------------------------------------------------------ tags
    def scopes(self, tag: Repeat | Test, scope: Scope, place: Place) -> Iterator[Scope]:
        """Yield the names that are known below a tag: once for each element, once or never for a test."""
        self.charge(1, place)
        if isinstance(tag, Test):
            if holds(tag, scope):
                yield scope
            return
        elements = self.look_up(scope, tag.keys, tag.source, tag.optional, place)
        if elements is ABSENT:
            return
        if not isinstance(elements, list):
            _fail("TEMPLATE_NOT_A_LIST", place, f"`{tag.source}` is not a list")
        for index, element in enumerate(elements):
            self.charge(1, place)
            counted = {tag.index: index} if tag.index else {}
            yield {**scope, tag.name: element, **counted}

    # ------------------------------------------------------------ text
    def text(self, text: str, scope: Scope, place: Place, depth: int) -> Any:
        parts = notation.split(text)
        if len(parts) == 1 and isinstance(parts[0], Placeholder) and not parts[0].as_json:
            (part,) = parts
            assert isinstance(part, Placeholder)
            value = self.look_up(scope, part.keys, part.source, part.optional, place)
            self.weigh(value, place, depth)
            return value
        made = []
        for part in parts:
            written = part if isinstance(part, str) else self.among_text(part, scope, place)
            if written is ABSENT:
                if len(parts) == 1:
                    return ABSENT
                continue
            self.charge(len(written), place)
            made.append(written)
        self.charge(3, place)
        return "".join(made)

    def among_text(self, part: Placeholder, scope: Scope, place: Place) -> Any:
        value = self.look_up(scope, part.keys, part.source, part.optional, place)
        if value is ABSENT:
            return ABSENT
        if part.as_json:
            self.weigh(value, place, 0)
            return as_json(value)
        text = as_text(value)
        if text is None:
            message = f"`{part.source}` is a list or a mapping and stands among text; `{part.source} | json` writes it"
            _fail("TEMPLATE_VALUE_NOT_TEXT", place, message)
        return text

    def look_up(self, scope: Scope, keys: notation.Keys, source: str, optional: bool, place: Place) -> Any:
        value, led = look_up(scope, keys)
        if value is not ABSENT or optional:
            return value
        if led == 0:
            _fail("TEMPLATE_PARAMETER_MISSING", place, f"the parameter `{keys[0]}` is needed here and was not given")
        _fail(
            "TEMPLATE_VALUE_MISSING", place, f"`{source}` leads nowhere: {spell('', keys[:led])} has no {keys[led]!r}"
        )

    # ------------------------------------------------------------ bounds
    def weigh(self, value: Any, place: Place, depth: int) -> None:
        """Charge a value that is put in as it is, and see that it does not nest too deeply where it stands."""
        stack = [(value, depth)]
        while stack:
            node, level = stack.pop()
            if level > MAX_DEPTH:
                _fail("TEMPLATE_TOO_DEEP", place, f"is nested more than {MAX_DEPTH} levels deep")
            self.charge(len(node) + 3 if isinstance(node, str) else 4, place)
            if isinstance(node, dict):
                self.charge(sum(len(key) + 4 for key in node), place)
                stack.extend((child, level + 1) for child in node.values())
            elif isinstance(node, list):
                stack.extend((child, level + 1) for child in node)

    def charge(self, amount: int, place: Place) -> None:
        self.left -= amount
        if self.left < 0:
            _fail("TEMPLATE_TOO_LARGE", place, f"the document would be larger than {self.limit} bytes")


def _problem(code: str, place: Place, message: str) -> Problem:
    return Problem(code=code, path=spell("", place), message=message)


def _fail(code: str, place: Place, message: str) -> NoReturn:
    _refuse([_problem(code, place, message)])


def _refuse(problems: list[Problem]) -> NoReturn:
    code = problems[0].code if len({each.code for each in problems}) == 1 else TemplateRefused.code
    raise TemplateRefused(f"the template cannot be rendered: {problems[0]}", code=code, problems=problems)
