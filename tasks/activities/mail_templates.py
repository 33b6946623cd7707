"""Mail templates: files below ``ORCHESTRATOR_MAIL_TEMPLATES``, rendered by Django's template engine."""

from __future__ import annotations

import html as html_text
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context, Engine, TemplateDoesNotExist, TemplateSyntaxError
from django.utils.html import strip_tags

from workflows_app.engine.errors import ActivityError


def render(name: str, data: dict[str, Any]) -> tuple[str | None, str | None]:
    """Text and HTML of the template: ``*.html`` gives HTML, every value escaped; anything else gives plain text.

    Args:
        name: path of the file below the folder.
        data: the names that the template may show.

    Raises:
        ActivityError: INVALID_PARAMETERS if there is no such file in the folder, TEMPLATE_INVALID if it does not
            render; neither is recoverable.
    """
    folder = getattr(settings, "ORCHESTRATOR_MAIL_TEMPLATES", None)
    if not folder:
        raise _refused("This installation has no folder of mail templates (ORCHESTRATOR_MAIL_TEMPLATES).")
    root = Path(folder).resolve()
    if "\x00" in name or "\\" in name:
        raise _refused(f"{name[:200]!r} is not the name of a template.")
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise _refused(f"There is no mail template {name[:200]!r}.")
    is_html = path.suffix in (".html", ".htm")
    engine = Engine(dirs=[str(root)], autoescape=is_html, debug=False)
    try:
        rendered = engine.get_template(str(path.relative_to(root))).render(Context(data, autoescape=is_html))
    except (TemplateDoesNotExist, TemplateSyntaxError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise ActivityError(
            f"The mail template {name[:200]!r} does not render: {error}", code="TEMPLATE_INVALID", recoverable=False
        ) from error
    return (None, rendered) if is_html else (rendered, None)


def plain(html: str) -> str:
    """A text version of HTML, for those who read without it."""
    lines = (line.strip() for line in html_text.unescape(strip_tags(html)).splitlines())
    return "\n".join(line for line in lines if line)


def _refused(reason: str) -> ActivityError:
    return ActivityError(f"with.template: {reason}", code="INVALID_PARAMETERS", recoverable=False)
