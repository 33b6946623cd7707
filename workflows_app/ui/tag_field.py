"""Tags in forms: words in one line, in an address as one parameter or as several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from workflows_app.engine import tags


class TagsInput(forms.TextInput):
    """One line for all of them."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> str:
        """Return the words of one parameter, or of several, one after the other."""
        given = data.getlist(name) if isinstance(data, QueryDict) else [data.get(name) or ""]
        return " ".join(" ".join(given).split())


class TagsField(forms.CharField):
    """Tags with spaces between them; what comes out is a list, each once."""

    widget = TagsInput

    def __init__(self, *, label: str, help_text: str = "", most: int = tags.MOST_GIVEN) -> None:
        self.most = most
        attributes = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        widget = TagsInput(attrs=attributes)
        super().__init__(
            required=False, label=label, help_text=help_text, max_length=most * (tags.LENGTH + 1), widget=widget
        )

    def clean(self, value: Any) -> list[str]:
        found = list(dict.fromkeys(super().clean(value).split()))
        problems = list(tags.check(found, most=self.most))
        if problems:
            wrong = [each for each in found if not tags.is_tag(each)]
            said = (
                f"“{wrong[0][:80]}” is no tag: a tag is {tags.EXPECTED}." if wrong else f"Tags {problems[0].message}."
            )
            raise forms.ValidationError(said)
        return found
