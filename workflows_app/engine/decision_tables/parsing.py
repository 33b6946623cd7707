"""From a document to a ``Table``: every problem at once, each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows_app.engine import expressions, schemas
from workflows_app.engine.decision_tables.cells import Cell, CellInvalid, Formula, fits, read
from workflows_app.engine.decision_tables.model import HitPolicy, Input, Rule, Table
from workflows_app.engine.definition.language.scalars import DEFINITIONS
from workflows_app.engine.errors import DefinitionInvalid, ExpressionError, Problem
from workflows_app.engine.values import faults, join_path

MOST_RULES, MOST_INPUTS, MOST_OUTPUTS = 1000, 20, 100
MOST_EXPRESSIONS = 1000
"""Expressions in one table, those in its outputs included."""
MOST_CHARACTERS = 100_000
"""Characters of all its expressions: compiling so many takes about a second."""
MOST_PROBLEMS = 100
"""How many problems one refusal lists."""

_ID = DEFINITIONS["id"]
_EXPRESSION = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["table", "version", "inputs", "outputs", "rules"],
    "additionalProperties": False,
    "properties": {
        "table": DEFINITIONS["workflow_name"],
        "version": DEFINITIONS["version"],
        "title": {"type": "string", "maxLength": 200},
        "description": {"type": "string"},
        "hit": {"enum": [each.value for each in HitPolicy]},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_INPUTS,
            "items": {
                "type": "object",
                "required": ["name", "type"],
                "additionalProperties": False,
                "properties": {
                    "name": _ID,
                    "type": {"enum": ["string", "number", "integer", "boolean"]},
                    "values": {"type": "array", "minItems": 1, "maxItems": 500},
                    "expression": _EXPRESSION,
                    "description": {"type": "string"},
                },
            },
        },
        "outputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_OUTPUTS,
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": _ID, "description": {"type": "string"}},
            },
        },
        "rules": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_RULES,
            "items": {
                "type": "object",
                "required": ["then"],
                "additionalProperties": False,
                "properties": {
                    "id": _ID,
                    "when": {"type": "object"},
                    "if": _EXPRESSION,
                    "then": {"type": "object"},
                    "description": {"type": "string"},
                },
            },
        },
    },
}


def parse(document: Mapping[str, Any]) -> Table:
    """Make a table of a document.

    Raises:
        DefinitionInvalid: with every problem, up to ``MOST_PROBLEMS``: SCHEMA, DUPLICATE_ID, TABLE_UNKNOWN_NAME,
            TABLE_OUTPUT_MISSING, TABLE_CELL_INVALID, EXPRESSION_ERROR, EXPRESSION_LIMIT, or those of a value that is
            not JSON.

    >>> parse({"table": "t", "version": "1.0.0", "inputs": [{"name": "n", "type": "number"}],
    ...        "outputs": [{"name": "o"}], "rules": [{"when": {"n": "< 5"}, "then": {"o": 1}}]}).rules[0].id
    '1'
    """
    found = [Problem(code=f.code, path=f.path, message=f.message) for f in faults(dict(document))]
    found = found or schemas.validate(document, SCHEMA, "")
    found = found or [*_names(document), *_too_many(document)]
    inputs = tuple(_input(raw) for raw in document["inputs"]) if not found else ()
    rules: list[Rule] = []
    for index, raw in enumerate(document["rules"] if not found else ()):
        rules.append(_rule(index, raw, inputs, found))
    for index, each in enumerate(inputs):
        path = join_path("", "inputs", index)
        found += _sound(each.expression, f"{path}.expression")
        for number, value in enumerate(each.values):
            if not fits(value, each.type):
                message = f"is no value of type {each.type}"
                found.append(Problem(code="TABLE_CELL_INVALID", path=f"{path}.values[{number}]", message=message))
    if found:
        message = f"the table has {len(found)} problem(s); the first: {found[0]}"
        raise DefinitionInvalid(message, code="TABLE_INVALID", problems=found[:MOST_PROBLEMS])
    return Table(
        name=document["table"],
        version=document["version"],
        title=document.get("title", ""),
        description=document.get("description", ""),
        hit=HitPolicy(document.get("hit", HitPolicy.FIRST)),
        inputs=inputs,
        outputs=tuple(output["name"] for output in document["outputs"]),
        rules=tuple(rules),
    )


def _input(raw: Mapping[str, Any]) -> Input:
    values = tuple(raw.get("values", ()))
    return Input(name=raw["name"], type=raw["type"], values=values, expression=raw.get("expression"))


def _rule(index: int, raw: Mapping[str, Any], inputs: tuple[Input, ...], found: list[Problem]) -> Rule:
    path = join_path("", "rules", index)
    cells: dict[str, Cell] = {}
    for each in inputs:
        if each.name in raw.get("when", {}):
            place = f"{path}.when.{each.name}"
            cell = _cell(raw["when"][each.name], each.type, place, found)
            if isinstance(cell, Formula):
                found += _sound(cell.source, place)
            cells[each.name] = cell
    found += _sound(raw.get("if"), f"{path}.if")
    for name, value in raw["then"].items():
        found += _sound(value, f"{path}.then.{name}", whole=True)
    return Rule(id=raw.get("id", str(index + 1)), cells=cells, condition=raw.get("if"), outputs=raw["then"])


def _cell(written: Any, kind: str, path: str, found: list[Problem]) -> Cell:
    try:
        return read(written, kind)
    except CellInvalid as refused:
        found.append(Problem(code=refused.code, path=path, message=refused.message))
        return ()


def _names(document: Mapping[str, Any]) -> Iterator[Problem]:
    known = {part: [each["name"] for each in document[part]] for part in ("inputs", "outputs")}
    ids = [rule.get("id", str(index + 1)) for index, rule in enumerate(document["rules"])]
    for part, names in (*known.items(), ("rules", ids)):
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"`{name}` stands there twice"
                yield Problem(code="DUPLICATE_ID", path=join_path("", part, index), message=message)
    for index, rule in enumerate(document["rules"]):
        for key, part in (("when", "inputs"), ("then", "outputs")):
            for name in rule.get(key, {}):
                if name not in known[part]:
                    message = f"there is none of the {part} called so; there are {', '.join(known[part])}"
                    yield Problem(
                        code="TABLE_UNKNOWN_NAME", path=join_path("", "rules", index, key, name), message=message
                    )
        for name in known["outputs"]:
            if name not in rule["then"]:
                message = f"says nothing of the output `{name}`"
                yield Problem(code="TABLE_OUTPUT_MISSING", path=join_path("", "rules", index, "then"), message=message)


def _too_many(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Count expressions before any is compiled; a literal `$${` counts too, which errs on the safe side."""
    sources = [each["expression"] for each in document["inputs"] if "expression" in each]
    sources += [rule["if"] for rule in document["rules"] if "if" in rule]
    number = len(sources)
    parts = [part for rule in document["rules"] for part in (rule.get("when"), rule["then"])]
    while parts:
        part = parts.pop()
        if isinstance(part, str) and "${" in part:
            sources.append(part)
            number += part.count("${")
        elif isinstance(part, Mapping):
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
    characters = sum(map(len, sources))
    if number > MOST_EXPRESSIONS or characters > MOST_CHARACTERS:
        message = (
            f"a table holds at most {MOST_EXPRESSIONS:,} expressions of {MOST_CHARACTERS:,} characters together, "
            f"this one {number:,} of {characters:,}"
        )
        yield Problem(code="EXPRESSION_LIMIT", path="rules", message=message)


def _sound(written: Any, path: str, *, whole: bool = False) -> list[Problem]:
    """List what is wrong with an expression, or with those in a ``whole`` value; they may read ``input`` alone."""
    if written is None and not whole:
        return []
    try:
        compiled = expressions.compile_value(written) if whole else expressions.compile_expression(written)
    except ExpressionError as refused:
        return [Problem(code=refused.code, path=path, message=refused.message)]
    strange = sorted({each.root for each in compiled.reads if each.root != "input"})
    if not strange:
        return []
    message = f"a table reads `input` alone, not {', '.join(f'`{name}`' for name in strange)}"
    return [Problem(code="TABLE_UNKNOWN_NAME", path=path, message=message)]
