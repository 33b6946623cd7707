"""``workflow export``: published versions as documents that may be published again."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management import CommandError

from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions
from workflows_app.taming import tame


def add_arguments(sub: ArgumentParser) -> None:
    sub.add_argument("names", metavar="NAME", nargs="*", help="one, or several with --into")
    sub.add_argument("--all", dest="everything", action="store_true", help="every version of every workflow")
    sub.add_argument("--version", dest="workflow_version", help="of one NAME; the highest published one by default")
    sub.add_argument("--as", dest="language", choices=["yaml", "json"], default="yaml", help="yaml by default")
    sub.add_argument("--into", metavar="FOLDER", help="write a file NAME-VERSION for each instead of printing")


def chosen(
    *, names: Sequence[str], everything: bool, workflow_version: str | None, into: str | None, **options: Any
) -> list[DefinitionVersion]:
    """Return the versions that the options name.

    Raises:
        CommandError: the options do not go together.
        NotFound: with code WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
    """
    if into is None and (everything or len(names) > 1):
        raise CommandError("several are written with --into FOLDER", returncode=2)
    if everything:
        if names or workflow_version:
            raise CommandError("--all takes no NAME and no --version", returncode=2)
        rows = DefinitionVersion.objects.select_related("definition")
        found = list(rows.order_by("definition__name", "major", "minor", "patch", "prerelease"))
        if not found:
            raise NotFound("nothing is published", code="WORKFLOW_NOT_FOUND")
        return found
    if not names:
        raise CommandError("name a workflow, or say --all", returncode=2)
    if workflow_version and len(names) > 1:
        raise CommandError("--version goes with one NAME only", returncode=2)
    return [definitions.find(name=name, version=workflow_version) for name in dict.fromkeys(names)]


def one(found: DefinitionVersion, language: str) -> tuple[dict[str, Any], str]:
    """Return one version as a document and as it is printed."""
    document = {
        "name": found.definition.name,
        "version": found.version,
        "changes": found.changes or None,
        "document": found.document,
    }
    return document, _written(found, language)


def texts(found: Sequence[DefinitionVersion], language: str) -> dict[str, str]:
    """Return the versions' texts by file name; names and versions are made of characters that any disk takes."""
    return {f"{each.definition.name}-{each.version}.{language}": _written(each, language) for each in found}


def many(folder: str, files: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Return what was written as a document and as people read it."""
    lines = [*files, f"{len(files)} file{'' if len(files) == 1 else 's'} in {tame(folder)}"]
    return {"folder": folder, "files": list(files)}, "\n".join(lines)


def _written(found: DefinitionVersion, language: str) -> str:
    if language == "yaml":
        return write_yaml(found.document)
    return json.dumps(found.document, indent=2, ensure_ascii=False)
