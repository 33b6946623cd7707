"""``workflow table``: decision tables are validated, published, listed, shown, and asked what they decide."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from workflows_app.engine.decision_tables import Table
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.management.listing import table
from workflows_app.management.reading import read, read_input
from workflows_app.models import DecisionTableVersion
from workflows_app.services import decision_tables
from workflows_app.taming import tame

Answer = tuple[dict[str, Any], str, bool]
"""A document, the same as text, and whether all is well."""


def add_arguments(verbs: Any, add_format: Callable[[ArgumentParser], None]) -> None:
    words = "Decision tables: validate and publish them, list and show them, ask what they decide."
    actions = verbs.add_parser("table", help=words, description=words).add_subparsers(
        dest="action", required=True, metavar="validate|publish|list|show|evaluate"
    )
    validated = actions.add_parser("validate", help="List every problem of a table; exit 0 when it is sound.")
    published = actions.add_parser("publish", help="Publish a table as a version that never changes.")
    listed = actions.add_parser("list", help="List the published tables, or the versions of one.")
    shown = actions.add_parser("show", help="Print a published table.")
    evaluated = actions.add_parser("evaluate", help="Say what a table decides for an input, and which rules hit.")
    for sub in (validated, published, listed, shown, evaluated):
        add_format(sub)
    for sub in (validated, published):
        sub.add_argument("file", metavar="FILE", help="YAML or JSON, - for standard input")
    listed.add_argument("name", metavar="NAME", nargs="?", help="all versions of this table")
    shown.add_argument("name", metavar="NAME")
    evaluated.add_argument("name", metavar="NAME|FILE", help="a published table, or a file, - for standard input")
    for sub in (shown, evaluated):
        sub.add_argument("--version", dest="table_version", help="the highest published one by default")
    evaluated.add_argument("--input", required=True, metavar="JSON|@FILE", help="the inputs by name")


def answer(action: str, **options: Any) -> Answer:
    """Return what an action answers."""
    actions: dict[str, Callable[..., Answer]] = {
        "validate": _validate,
        "publish": _publish,
        "list": _list,
        "show": _show,
        "evaluate": _evaluate,
    }
    return actions[action](**options)


def _validate(*, file: str, **options: Any) -> Answer:
    problems = decision_tables.validate(text=read(file))
    errors = sum(problem.severity == "error" for problem in problems)
    lines = [f"{problem.severity}: {tame(str(problem))}" for problem in problems]
    text = "\n".join([*lines, f"{errors} error(s)" if errors else "sound"])
    return {"problems": [problem.as_dict() for problem in problems]}, text, not errors


def _publish(*, file: str, actor: str, **options: Any) -> Answer:
    text = read(file)
    found = decision_tables.publish(text=text, actor=actor)
    warnings = decision_tables.validate(text=text)
    lines = [f"{problem.severity}: {tame(str(problem))}" for problem in warnings]
    document = {
        "table": found.table.name,
        "version": found.version,
        "warnings": [problem.as_dict() for problem in warnings],
    }
    return document, "\n".join([*lines, f"{found} is published"]), True


def _list(*, name: str | None, **options: Any) -> Answer:
    found = decision_tables.listed(name=name)
    if name is None:
        # The version that steps without one use; of a table that has prereleases only the highest of these.
        used = {each.table.name: each for each in reversed(found)}
        used |= {each.table.name: each for each in reversed(found) if not each.prerelease}
        found = list(used.values())
    rows = [
        {
            "table": each.table.name,
            "version": each.version,
            "published_at": each.published_at.isoformat().replace("+00:00", "Z"),
            "published_by": each.published_by,
        }
        for each in sorted(found, key=lambda each: each.table.name)
    ]
    return {"tables": rows}, table(rows), True


def _show(*, name: str, table_version: str | None, **options: Any) -> Answer:
    found = decision_tables.find(name=name, version=table_version)
    document = {"table": found.table.name, "version": found.version, "document": found.document}
    return document, write_yaml(found.document), True


def _evaluate(*, name: str, table_version: str | None, input: str, **options: Any) -> Answer:
    if name == input.removeprefix("@") == "-":
        raise CommandError("standard input can be read once only", returncode=2)
    asked = _table(name, table_version)
    decision = decision_tables.evaluate(table=asked, given=read_input(input))
    document = {
        "table": asked.name,
        "version": asked.version,
        "rules": list(decision.rules),
        "outputs": decision.outputs,
    }
    rules = f"{'rule' if len(decision.rules) == 1 else 'rules'} {', '.join(decision.rules)}" if decision.rules else ""
    text = f"{asked.name} {asked.version}, {rules or 'no rule'}: {json.dumps(decision.outputs, ensure_ascii=False)}"
    return document, tame(text), True


def _table(source: str, version: str | None) -> Table:
    if source == "-" or Path(source).suffix or "/" in source:
        if version is not None:
            raise CommandError("a file has one version: --version is for published tables", returncode=2)
        return decision_tables.read(text=read(source))
    found: DecisionTableVersion = decision_tables.find(name=source, version=version)
    asked = decision_tables.at_hand(found.table.name, found.version)
    assert asked is not None, "a version is never removed"
    return asked
