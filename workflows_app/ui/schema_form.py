"""Forms made from an input's JSON Schema: a field for each property, JSON text for what has no field of its own.

The form reads texts and makes values; whether they meet the schema is for the start to say, by the same rules as for
every other interface. Its problems are put at the fields that they are about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from workflows_app.engine import strict_json
from workflows_app.engine.errors import Problem
from workflows_app.ui.schema_fields import Place, objects, places

PREFIX = "input-"
WHOLE = "whole-input"
LONG_TEXT = 200
"""A text that may be longer than that gets several lines."""
LABEL_LENGTH = 120


class InputForm(forms.Form):
    """The input of one start.

    Args:
        schema: of the input; ``None``: any input is taken.
    """

    def __init__(self, *arguments: Any, schema: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.places = places(schema)
        self.objects = objects(self.places, schema) if self.places else set()
        for place in self.places or ():
            self.fields[PREFIX + place.path] = _field(place)
        if self.places is None:
            self.fields[WHOLE] = forms.CharField(
                required=False,
                label="Input, as JSON",
                initial="{}",
                widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
            )

    def input(self) -> Any:
        """Return the input that the form's texts make; what was left empty is left out.

        An object that need not be there is left out as well if nothing in it was filled in or ticked.
        """
        if self.places is None:
            return self.cleaned_data[WHOLE]
        filled = {place.keys: self.cleaned_data[PREFIX + place.path] for place in self.places}
        said = {keys for keys, value in filled.items() if value is not LEFT_OUT and value is not False}
        there = self.objects | {keys[:depth] for keys in said for depth in range(len(keys))}
        found: dict[str, Any] = {}
        for keys, value in filled.items():
            if value is not LEFT_OUT and keys[:-1] in there:
                _object(found, keys[:-1])[keys[-1]] = value
        for keys in self.objects:
            _object(found, keys)
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.places is None and WHOLE in cleaned:
            try:
                cleaned[WHOLE] = strict_json.read(cleaned[WHOLE] or "{}")
            except ValueError as problem:
                self.add_error(WHOLE, f"This is not JSON: {problem}.")
        return cleaned

    def blame(self, problems: Iterable[Problem]) -> None:
        """Put problems of an input at the fields that they are about, others above the form."""
        for problem in problems:
            inner = problem.path.removeprefix("input").removeprefix(".")
            about = [each for each in self.places or () if _is_in(inner, each.path)]
            field = PREFIX + about[0].path if about else WHOLE if WHOLE in self.fields else None
            is_exact = inner in ("", *(each.path for each in about))
            self.add_error(field, problem.message if is_exact else f"{problem.path}: {problem.message}")


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _object(found: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the object below these keys, made if it is not there."""
    for key in keys:
        found = found.setdefault(key, {})
    return found


LEFT_OUT: Any = object()
"""Stands for a property that gets no value."""


class JsonField(forms.CharField):
    """A value as JSON text."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return LEFT_OUT
        try:
            return strict_json.read(text)
        except ValueError as problem:
            raise forms.ValidationError(f"This is not JSON: {problem}.") from problem


class TextField(forms.CharField):
    """A text; an empty one is left out."""

    def clean(self, value: Any) -> Any:
        return super().clean(value) or LEFT_OUT


class NumberField(forms.CharField):
    """A number as it is written: none is rounded on its way."""

    def __init__(self, *, whole: bool, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.whole = whole

    def clean(self, value: Any) -> Any:
        text = super().clean(value).strip()
        if not text:
            return LEFT_OUT
        try:
            found = strict_json.read(text)
        except ValueError:
            found = None
        wanted = int if self.whole else (int, float)
        if isinstance(found, bool) or not isinstance(found, wanted):
            raise forms.ValidationError("Write a whole number." if self.whole else "Write a number, such as 12.5.")
        return found


class ChoiceOf(forms.ChoiceField):
    """One of the values of an ``enum``, whatever JSON they are."""

    def __init__(self, *, values: list[Any], initial: str | None, required: bool, **keywords: Any) -> None:
        self.values = {str(index): value for index, value in enumerate(values)}
        empty = [] if required and initial is not None else [("", "choose" if required else "–")]
        choices = [*empty, *((key, _label(value)) for key, value in self.values.items())]
        super().__init__(choices=choices, initial=initial, required=required, **keywords)

    def clean(self, value: Any) -> Any:
        chosen = super().clean(value)
        return self.values[chosen] if chosen else LEFT_OUT


def _field(place: Place) -> forms.Field:
    schema = place.schema
    keywords: dict[str, Any] = {
        "label": " › ".join((*place.around, place.title))[:LABEL_LENGTH],
        "help_text": str(schema.get("description") or "")[:500],
        "required": place.required,
    }
    default, kind = schema.get("default"), schema.get("type")
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list) and values:
        known = [str(index) for index, value in enumerate(values) if value == default]
        return ChoiceOf(values=values, initial=known[0] if known and "default" in schema else None, **keywords)
    if kind == "boolean":
        keywords["required"] = False
        return forms.BooleanField(initial=bool(default), **keywords)
    if kind in ("integer", "number"):
        keywords["help_text"] = _sentences(keywords["help_text"], _bounds(schema))
        attrs = {"inputmode": "numeric" if kind == "integer" else "decimal", "autocomplete": "off"}
        initial = "" if default is None else json.dumps(default)
        return NumberField(whole=kind == "integer", initial=initial, widget=forms.TextInput(attrs=attrs), **keywords)
    if kind == "string":
        return TextField(
            strip=False,
            initial=default if isinstance(default, str) else "",
            widget=_widget(schema),
            **keywords,
        )
    initial = "" if "default" not in schema else json.dumps(default, ensure_ascii=False)
    keywords["help_text"] = _sentences(keywords["help_text"], "As JSON.")
    area = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
    return JsonField(strip=False, initial=initial, widget=area, **keywords)


def _widget(schema: Mapping[str, Any]) -> forms.Widget:
    longest = schema.get("maxLength")
    attrs: dict[str, Any] = {"maxlength": longest} if isinstance(longest, int) and longest > 0 else {}
    kind = {"date": "date", "email": "email", "uri": "url"}.get(str(schema.get("format")))
    if kind is not None:
        return forms.TextInput(attrs={**attrs, "type": kind})
    many = isinstance(longest, int) and longest > LONG_TEXT
    return (
        forms.Textarea(attrs={**attrs, "rows": 3}) if many else forms.TextInput(attrs={**attrs, "autocomplete": "off"})
    )


def _sentences(description: str, more: str) -> str:
    """Put a description before what else is said.

    >>> _sentences("what to pay", "At least 1."), _sentences("To pay.", "At least 1."), _sentences("", "As JSON.")
    ('what to pay. At least 1.', 'To pay. At least 1.', 'As JSON.')
    """
    ended = description.rstrip()
    if ended and more and not ended.endswith((".", "!", "?", ":", "…")):
        ended += "."
    return f"{ended} {more}".strip()


def _bounds(schema: Mapping[str, Any]) -> str:
    """Say which numbers are taken.

    >>> _bounds({"minimum": 1, "maximum": 9}), _bounds({"exclusiveMinimum": 0}), _bounds({})
    ('From 1 to 9.', 'More than 0.', '')
    """
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"From {least} to {most}."
    if least is not None:
        return f"At least {least}."
    if most is not None:
        return f"At most {most}."
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    said = [
        *([f"More than {above}"] if above is not None else []),
        *([f"less than {below}"] if below is not None else []),
    ]
    words = ", ".join(said)
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _label(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:LABEL_LENGTH]
