"""Templates of definitions: the shipped ones by name, and their rendering under the limits of the installation."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.conf import settings

from workflows_app.engine import definition, templates
from workflows_app.engine.errors import NotFound

SHIPPED = Path(__file__).resolve().parent.parent / "definition_templates"
"""Folder of the shipped templates; a file has its template's name."""


def shipped() -> list[templates.Template]:
    """Return the shipped templates by name."""
    return [read(text=path.read_bytes()) for path in sorted(SHIPPED.glob("*.yaml"))]


def find(*, name: str) -> templates.Template:
    """Return a shipped template.

    Raises:
        NotFound: with code TEMPLATE_NOT_FOUND.
    """
    known = {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
    if name in known:
        return read(text=known[name].read_bytes())
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
    raise NotFound(f"there is no template {name!r}; {hint}", code="TEMPLATE_NOT_FOUND")


def read(*, text: str | bytes) -> templates.Template:
    """Parse a template.

    Args:
        text: YAML or JSON.

    Raises:
        DefinitionInvalid: with every problem.
    """
    return templates.parse(definition.load(text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES))


def render(*, template: templates.Template, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that a template makes of its arguments; nothing is stored and nothing verified yet.

    Raises:
        TemplateRefused: with the place and the parameter.
    """
    return templates.render(template, arguments, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES)
