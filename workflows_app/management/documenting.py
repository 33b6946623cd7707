"""``workflow document``: the documentation page of a published version."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from workflows_app.engine.documentation import markdown
from workflows_app.models import DefinitionVersion
from workflows_app.services import documentation
from workflows_app.taming import tame


def add_arguments(sub: ArgumentParser) -> None:
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--version", dest="workflow_version", help="the highest published one by default")
    sub.add_argument("--out", metavar="FILE", help="write the page to a file instead of printing it")


def answer(found: DefinitionVersion, *, out: str | None) -> tuple[dict[str, Any], str]:
    """Return the page as one document, and as it is printed."""
    text = markdown(documentation.page(version=found))
    document = {"name": found.definition.name, "version": found.version, "markdown": text}
    return document, text if out is None else f"{tame(out)} is written"
