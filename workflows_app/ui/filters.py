"""Filters of the list of instances, read from the address so that a filtered list can be shared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms

from workflows_app.engine.states import InstanceState
from workflows_app.models import Definition, Instance
from workflows_app.selectors import Place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class PlaceField(forms.CharField):
    """A place in the list, as ``mark`` writes it."""

    def clean(self, value: Any) -> Place | None:
        text = super().clean(value)
        if not text:
            return None
        microseconds, _, key = text.partition("-")
        try:
            return EPOCH + int(microseconds) * MICROSECOND, UUID(key)
        except (ValueError, OverflowError):
            raise forms.ValidationError("There is no such page; go back to the newest.") from None


def mark(instance: Instance) -> str:
    """Return the place of an instance in the list, fit for an address."""
    return f"{(instance.created_at - EPOCH) // MICROSECOND}-{instance.pk.hex}"


class InstanceFilter(forms.Form):
    """Which instances, and which page of them."""

    workflow = forms.ChoiceField(
        required=False, error_messages={"invalid_choice": "There is no workflow “%(value)s”; choose one of the list."}
    )
    state = forms.ChoiceField(
        required=False,
        choices=[("", "any"), *((state.value, state.value.replace("_", " ")) for state in InstanceState)],
        error_messages={"invalid_choice": "There is no state “%(value)s”; choose one of the list."},
    )
    q = forms.CharField(required=False, max_length=200, label="Correlation or instance id")
    older = PlaceField(required=False, max_length=60, widget=forms.HiddenInput)
    newer = PlaceField(required=False, max_length=60, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        names = list(Definition.objects.values_list("name", flat=True))
        workflow = self.fields["workflow"]
        assert isinstance(workflow, forms.ChoiceField)
        workflow.choices = [("", "any"), *((name, name) for name in names)]
        self.nothing_published = not names

    def chosen(self) -> dict[str, str]:
        """Return the filters that are set, as they stand in the address; pages are not part of it."""
        return {name: self.cleaned_data[name] for name in ("workflow", "state", "q") if self.cleaned_data.get(name)}
