"""Template tags: states with icon and word, times, durations, JSON; everything escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from workflows_app import spans
from workflows_app.activities.progress import words as progress_words
from workflows_app.engine.states import STEP_OPEN
from workflows_app.selectors.section_views import assigned_words
from workflows_app.selectors.service_views import is_cut, kept
from workflows_app.templatetags.looks import look_of

register = template.Library()

# Where PostgreSQL writes the signature of a reference to an artifact: whoever has it may hand the reference on.
_SIGNATURE = re.compile(r'("\$artifact": "sha256:[0-9a-f]{64}",\s*"signature": ")[0-9a-f]+')
# In the beginning of a canonical text other keys stand between.
_ANY_SIGNATURE = re.compile(r'("signature":")[0-9a-f]+')


@register.simple_tag
def state(value: str) -> SafeString:
    """A state as icon, word and colour; the word alone says it all."""
    look = look_of(value)
    return format_html(
        '<span class="state tone-{}"><svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{}</svg>{}</span>',
        look.tone,
        look.icon,
        value.replace("_", " "),
    )


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """A time to the second in UTC."""
    if at is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), spans.moment(at))


@register.simple_tag
def span(start: datetime | None, end: datetime | None, now: datetime | None = None) -> str:
    """How long it took; until ``now`` while it has not ended."""
    return spans.span(start, end or now)


@register.simple_tag
def tone(value: str) -> str:
    """The tone of a state, for a class of the style sheet."""
    return look_of(value).tone


@register.simple_tag
def querystring_of(**parameters: str | int | None) -> str:
    """Parameters as they stand in an address; empty ones are left out."""
    return urlencode({name: value for name, value in parameters.items() if value})


@register.filter
def assigned(value: Mapping[str, Any] | None) -> str:
    """Say who may choose in an ad-hoc section."""
    return assigned_words(value)


@register.filter
def is_open(value: str | None) -> bool:
    """Say whether a step in this state has begun and not ended."""
    return value is not None and value in STEP_OPEN


@register.filter
def progress(value: dict[str, Any]) -> str:
    """Say how far an attempt is."""
    return progress_words(**value)


@register.filter
def words(value: str | None) -> str:
    """A stored name as words: ``timed_out`` → timed out."""
    return (value or "").replace("_", " ")


@register.filter
def was_cut(text: str | None, length: int) -> bool:
    """Whether a text that was read with one character more than ``length`` is longer than it."""
    return text is not None and len(text) > length


@register.filter
def readable(text: str | None, length: int) -> str:
    """JSON text, indented, signatures hidden; one that was cut stays as it is, without the character that told so."""
    if text is None:
        return ""
    shown = _SIGNATURE.sub(r"\1[hidden]", text[:length])
    if len(text) > length:
        return shown
    value: Any = json.loads(shown)
    return json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def excerpt(value: dict[str, Any], size: int | None) -> str:
    """What is kept of a value, as indented JSON, or its beginning; and how large it was where it was cut."""
    if not is_cut(value):
        text = json.dumps(kept(value), ensure_ascii=False, indent=2)
        return _SIGNATURE.sub(r"\1[hidden]", text)
    beginning = _ANY_SIGNATURE.sub(r"\1[hidden]", kept(value) or "")
    return f"{beginning} … of {size:,} bytes" if size is not None else f"Left out: {value.get('left_out')}"


@register.simple_tag
def icon(value: str) -> SafeString:
    """The icon of a state, as the inside of an SVG of 16 by 16."""
    return look_of(value).icon


@register.filter
def plus(value: float, more: float) -> float:
    """Add to a coordinate."""
    return value + more


@register.filter
def minus(value: float, less: float) -> float:
    """Take from a coordinate."""
    return value - less


@register.filter
def pixels(value: float) -> str:
    """A coordinate as SVG takes it, whatever the language writes for a decimal point."""
    return f"{value:.0f}"


@register.filter
def shortened(text: str, length: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


@register.filter
def duration(seconds: float | None) -> str:
    """A number of seconds as people read it."""
    return "" if seconds is None else spans.duration(seconds)


@register.filter
def percent(share: float | None) -> str:
    """A share of one as a percentage."""
    return "" if share is None else f"{share:.1%}"
