"""The documentation in the product: our own guides, and the reference of the language made from its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from workflows_app.engine.definition import language_schema
from workflows_app.ui import markdown
from workflows_app.ui.markdown import Rendered

GUIDES: Final[dict[str, tuple[str, ...]]] = {
    "Begin": ("guides/getting-started.md",),
    "Write workflows": (
        "guides/language.md",
        "guides/expressions.md",
        "guides/activities.md",
        "guides/services.md",
        "guides/decision-tables.md",
        "guides/secrets.md",
        "guides/templates.md",
        "guides/builder.md",
        "patterns.md",
    ),
    "Run them": (
        "guides/pages.md",
        "guides/commands.md",
        "guides/operations.md",
        "guides/benchmarks.md",
    ),
    "How it works": ("guides/canvas.md", "states.md", "history.md"),
}
"""What is shown, in this order; paths below ``docs/``."""
FILES: Final = {PurePosixPath(path).stem: path for paths in GUIDES.values() for path in paths}
REFERENCE: Final = "reference"


@never_cache
@require_safe
def contents(request: HttpRequest) -> HttpResponse:
    """List the pages, or those of their headings that have the words that are looked for."""
    wanted = request.GET.get("q", "").strip()[:100].casefold()
    groups = [
        (group, [(PurePosixPath(path).stem, _rendered(path)) for path in paths]) for group, paths in GUIDES.items()
    ]
    found = [
        (name, page, [each for each in page.headings if wanted in each.text.casefold()])
        for _, pages in groups
        for name, page in pages
        if wanted and (wanted in page.title.casefold() or any(wanted in each.text.casefold() for each in page.headings))
    ]
    context = {"groups": groups, "found": found, "q": request.GET.get("q", "")[:100], "reference": REFERENCE}
    return render(request, "ui/docs.html", context)


@never_cache
@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """One page."""
    if name == REFERENCE:
        return render(request, "ui/reference.html", {"parts": _parts()})
    if name not in FILES:
        raise Http404("There is no such page.")
    found = _rendered(FILES[name])
    # markdown-it writes this from our own files, with raw HTML as text.
    context = {"page": found, "html": SafeString(found.html), "name": name}
    return render(request, "ui/doc.html", context)


def _rendered(path: str) -> Rendered:
    file = Path(settings.BASE_DIR) / "docs" / path
    try:
        return _of_file(path, file.stat().st_mtime_ns)
    except FileNotFoundError as missing:
        raise Http404("This installation came without its documentation.") from missing


@lru_cache(maxsize=64)
def _of_file(path: str, changed: int) -> Rendered:
    """Render a file once for each time that it changed."""
    text = (Path(settings.BASE_DIR) / "docs" / path).read_text(encoding="utf-8")
    return markdown.render(text, link=_link, picture=lambda address: static(f"docs/{PurePosixPath(address).name}"))


def _link(address: str) -> str | None:
    """Return the page that a relative address leads to.

    >>> _link("language.md#retry"), _link("../examples/x.yaml")
    ('/docs/language/#retry', None)
    """
    file, hash, anchor = address.partition("#")
    name = PurePosixPath(file)
    return f"{reverse('doc', args=[name.stem])}{hash}{anchor}" if name.suffix == ".md" and name.stem in FILES else None


def _parts() -> Iterator[dict[str, Any]]:
    """Yield the parts of the language's schema: what each is for, and its keys."""
    schema = language_schema()
    for name, part in schema["$defs"].items():
        yield {
            "name": name,
            "description": part.get("description", ""),
            "rule": _rule(part.get("errorMessage", "")),
            "type": _type(part),
            "keys": [
                {
                    "name": key,
                    "type": _type(each),
                    "part": _part(each),
                    "required": key in part.get("required", ()),
                    "description": each.get("description", "") if isinstance(each, Mapping) else "",
                    "default": json.dumps(each["default"]) if isinstance(each, Mapping) and "default" in each else "",
                }
                for key, each in part.get("properties", {}).items()
            ],
        }


def _rule(said: Any) -> str:
    """Return what is said where a value breaks the rules: one sentence, or one for each of them.

    >>> _rule({"type": "must be a number", "minimum": "must be a number"})
    'must be a number'
    """
    return "; ".join(dict.fromkeys(said.values())) if isinstance(said, Mapping) else str(said)


def _part(schema: Any) -> str:
    """Return the part of the language that a schema refers to, if it does."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    return str(reference).removeprefix("#/$defs/") if reference else ""


def _type(schema: Any) -> str:
    """Say what a value is.

    >>> _type({"enum": ["a", "b"]}), _type({"type": "array", "items": {"type": "string"}}), _type(True)
    ('a or b', 'array of string', 'any')
    """
    if not isinstance(schema, Mapping):
        return "any"
    if _part(schema):
        return _part(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if any(each in schema for each in ("oneOf", "anyOf")):
        return " or ".join(dict.fromkeys(_type(each) for each in schema.get("oneOf", schema.get("anyOf"))))
    kind = schema.get("type", "any")
    if kind == "array" and "items" in schema:
        return f"array of {_type(schema['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
