"""What operators fill in before they act: a reason, whether what completed is undone, variables, tags."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from workflows_app.engine import strict_json, tags
from workflows_app.models import Instance
from workflows_app.services import versions
from workflows_app.ui.tag_field import TagsField

REASON_LENGTH = 500
LONGEST_VALUE = 20_000
"""Characters of a variable's value that a page offers for editing."""
VARIABLE = "variable-"
EVIDENCE = ("undo-done", "skip-undo")
"""Acts that nothing but their reason explains later."""
WITH_VARIABLES = ("set-variables", "rewind", "rerun")


class ActForm(forms.Form):
    """What an act takes: a reason always."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_LENGTH,
        label="Reason",
        help_text="Kept in the history and on the audit trail.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def values(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class EvidenceForm(ActForm):
    """With a reason that must be given: it is the only evidence that the history keeps."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["reason"].required = True


class CancelForm(ActForm):
    """Also whether what completed is undone."""

    undo = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[("yes", "Undo what has completed"), ("no", "Leave what has completed as it is")],
        label="What has completed",
    )
    field_order = ["undo", "reason"]


class VariablesForm(ActForm):
    """Also the values of variables, as JSON; only those that were changed on the page are sent on."""

    def __init__(self, *arguments: Any, current: Mapping[str, Any], needed: bool = True, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.needed = needed
        self.too_long = [name for name, value in current.items() if len(_written(value)) > LONGEST_VALUE]
        for name, value in current.items():
            if name not in self.too_long:
                self.fields[VARIABLE + name] = forms.CharField(
                    required=False,
                    label=name,
                    help_text="A variable, as JSON; left as it is, it keeps its value.",
                    initial=_written(value),
                    show_hidden_initial=True,
                    strip=False,
                    widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
                )
        self.order_fields([name for name in self.fields if name != "reason"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        changed: dict[str, Any] = {}
        for field in self.changed_data:
            if not field.startswith(VARIABLE):
                continue
            try:
                changed[field.removeprefix(VARIABLE)] = strict_json.read(cleaned.get(field) or "")
            except ValueError:
                self.add_error(field, "This is not JSON: a text stands in double quotes, nothing is null.")
        if self.needed and not changed and not self.errors:
            self.add_error(None, "No value is changed.")
        return {**cleaned, "variables": changed}


class MigrateForm(ActForm):
    """Also the version to go on by, and what steps are called there."""

    to = forms.ChoiceField(label="Version")
    map = forms.CharField(
        required=False,
        max_length=LONGEST_VALUE,
        label="Steps that have another name there",
        help_text="One a line: old = new. What has run keeps its result and its undo under the new name.",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
    )
    field_order = ["to", "map", "reason"]

    def __init__(self, *arguments: Any, versions: Sequence[str], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.fields["to"].choices = [(version, version) for version in versions]  # type: ignore[attr-defined]
        if versions:
            self.initial.setdefault("to", versions[0])

    def clean_map(self) -> dict[str, str]:
        return renames_of(self.cleaned_data["map"])


def renames_of(text: str) -> dict[str, str]:
    """Read what steps are called in another version, one a line.

    Raises:
        ValidationError: a line that says something else, or two about one step.

    >>> renames_of("pay = charge")
    {'pay': 'charge'}
    """
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        old, equals, new = (part.strip() for part in line.partition("="))
        if not equals or not old or not new or found.get(old, new) != new:
            raise forms.ValidationError(f"“{line[:100]}” is none: one step a line, old = new.")
        found[old] = new
    return found


class TagsForm(ActForm):
    """Also the tags that the instance is to have."""

    tags = TagsField(label="Tags", help_text="Words with spaces between them: urgent region=eu", most=tags.MOST)
    field_order = ["tags", "reason"]

    def clean(self) -> dict[str, Any]:
        if "tags" not in self.changed_data and not self.errors:
            self.add_error("tags", "No tag is changed.")
        return super().clean() or {}


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) and value else None)


def form_of(name: str, instance: Instance, data: Any, *, undoes: bool) -> ActForm:
    """Return the form of an act.

    Args:
        name: of the act.
        data: what was posted; ``None``: nothing yet.
        undoes: whether the definition undoes what completed when it is cancelled.
    """
    if name in EVIDENCE:
        return EvidenceForm(data)
    if name == "cancel":
        return CancelForm(data, initial={"undo": "yes" if undoes else "no"})
    if name == "tag":
        return TagsForm(data, initial={"tags": " ".join(instance.tags or ())})
    if name == "migrate":
        return MigrateForm(data, versions=versions.others(instance.workflow, instance.version))
    if name in WITH_VARIABLES:
        declared = instance.definition_version.document.get("variables") or {}
        current = Instance.objects.values_list("variables", flat=True).get(pk=instance.pk)
        values = {key: current.get(key) for key in declared}
        return VariablesForm(data, current=values, needed=name == "set-variables")
    return ActForm(data)
