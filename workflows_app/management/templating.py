"""``workflow template``: the shipped templates, one of them with its parameters, and what it makes of arguments."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.errors import InputInvalid, Problem
from workflows_app.engine.templates import Parameter, ParameterType, Template
from workflows_app.management.listing import table
from workflows_app.management.reading import read, read_input
from workflows_app.services import definition_templates
from workflows_app.taming import tame

Answer = tuple[dict[str, Any], str]


def add_arguments(verbs: Any, add_format: Callable[[ArgumentParser], None]) -> None:
    words = "Definitions with parameters: list the shipped ones, show one, render one to a document."
    actions = verbs.add_parser("template", help=words, description=words).add_subparsers(
        dest="action", required=True, metavar="list|show|render"
    )
    listed = actions.add_parser("list", help="List the shipped templates.")
    shown = actions.add_parser("show", help="Show a template with its parameters.")
    rendered = actions.add_parser("render", help="Print the document that a template makes.")
    for sub in (listed, shown, rendered):
        add_format(sub)
    for sub in (shown, rendered):
        sub.add_argument(
            "source", metavar="NAME|FILE", help="a shipped template, or a file with one, - for standard input"
        )
    rendered.add_argument("--set", dest="sets", metavar="NAME=VALUE", action="append", default=[], help="one parameter")
    rendered.add_argument("--parameters", default="{}", metavar="JSON|@FILE", help="several; --set goes before them")
    rendered.add_argument("--as", dest="language", choices=["yaml", "json"], default="yaml", help="yaml by default")
    rendered.add_argument("--out", metavar="FILE", help="write the document to a file instead of printing it")


def answer(action: str, **options: Any) -> Answer:
    """Return what an action answers, as a document and as text."""
    return {"list": _list, "show": _show, "render": _render}[action](**options)


def _list(**options: Any) -> Answer:
    found = definition_templates.shipped()
    rows = [
        {
            "name": each.name,
            "version": each.version,
            "category": each.category,
            "pattern": each.pattern,
            "title": each.title,
        }
        for each in found
    ]
    return {"templates": rows}, table(rows)


def _show(*, source: str, **options: Any) -> Answer:
    template = _template(source)
    lines = [f"{template.name} {template.version}: {template.title}", f"{template.category}, {template.pattern}", ""]
    lines += [template.description, ""] if template.description else []
    lines += [tame(line) for each in template.parameters.values() for line in _described(each)]
    return template.as_dict(), "\n".join(tame(line) for line in lines)


def _described(parameter: Parameter) -> list[str]:
    if parameter.required:
        need = "required"
    else:
        need = f"default {json.dumps(parameter.default, ensure_ascii=False)}" if parameter.has_default else "optional"
    lines = [f"{parameter.name}  ({parameter.type}, {need})"]
    lines += [f"    {parameter.description}"] if parameter.description else []
    if parameter.example is not None:
        lines.append(f"    for example {json.dumps(parameter.example, ensure_ascii=False)}")
    return lines


def _render(*, source: str, sets: Sequence[str], parameters: str, language: str, **options: Any) -> Answer:
    if source == "-" and parameters == "@-":
        raise CommandError("standard input can be read once only", returncode=2)
    template = _template(source)
    given = read_input(parameters, "parameters")
    if not isinstance(given, dict):
        message = "the parameters must be a mapping of names to values"
        problem = Problem(code="TEMPLATE_PARAMETER_TYPE", path="parameters", message=message)
        raise InputInvalid(message, code=problem.code, problems=[problem])
    document = definition_templates.render(template=template, arguments={**given, **_set(template, sets)})
    text = write_yaml(document) if language == "yaml" else json.dumps(document, indent=2, ensure_ascii=False)
    return {"template": template.name, "version": template.version, "document": document}, text


def _set(template: Template, sets: Sequence[str]) -> dict[str, Any]:
    """Read ``--set NAME=VALUE``: text for a parameter that takes text, else JSON."""
    found: dict[str, Any] = {}
    for each in sets:
        name, sign, value = each.partition("=")
        if not sign or not name or name in found:
            raise CommandError(f"--set takes NAME=VALUE, each name once; found {each[:100]!r}", returncode=2)
        parameter = template.parameters.get(name)
        as_text = parameter is None or parameter.type is ParameterType.STRING
        found[name] = value if as_text else read_input(value, f"parameters.{name}")
    return found


def _template(source: str) -> Template:
    if source == "-" or Path(source).suffix or "/" in source:
        return definition_templates.read(text=read(source))
    return definition_templates.find(name=source)
