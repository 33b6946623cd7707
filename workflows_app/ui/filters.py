"""Filters of the list of instances, read from the address so that a filtered list can be shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from workflows_app.engine.states import InstanceState
from workflows_app.models import Definition
from workflows_app.selectors.attention import Concern
from workflows_app.selectors.lists import Place
from workflows_app.ui.tag_field import TagsField

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ENDED = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
"""How long ago an instance may have ended, by what stands in the address."""
CONCERNS = {
    Concern.RETRYING: "something is tried again",
    Concern.STUCK: "stuck",
    Concern.NEAR_TIMEOUT: "time-out within 15 minutes",
    Concern.QUARANTINED: "a step is in quarantine",
}
NAMES = ("workflow", "version", "state", "only", "correlation", "ended", "since", "until", "tag", "q")
"""The filters, in the order in which they stand in an address."""


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


class MomentField(forms.DateTimeField):
    """A moment in UTC, as browsers write it."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, label: str, *, help_text: str = "") -> None:
        super().__init__(
            required=False,
            label=label,
            help_text=help_text,
            input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
            error_messages={"invalid": "A time is written as 2026-01-31T23:59, in UTC."},
        )


def mark(place: Place) -> str:
    """Return a place in a list, fit for an address."""
    at, key = place
    return f"{(at - EPOCH) // MICROSECOND}-{key.hex}"


class WorkflowField(forms.ChoiceField):
    """The name of a workflow that has been published; ``names`` are all of them."""

    def __init__(self) -> None:
        refused = "There is no workflow “%(value)s”; choose one of the list."
        super().__init__(required=False, error_messages={"invalid_choice": refused})
        self.names: list[str] = []

    def look_up(self) -> None:
        """Let those be chosen that there are now."""
        self.names = list(Definition.objects.values_list("name", flat=True))
        self.choices = [("", "any"), *((name, name) for name in self.names)]


class StatesField(forms.MultipleChoiceField):
    """Several states of instances."""

    def __init__(self, states: Iterable[InstanceState]) -> None:
        refused = "There is no state “%(value)s”; choose one of the list."
        choices = [(state.value, state.value.replace("_", " ")) for state in states]
        super().__init__(required=False, choices=choices, error_messages={"invalid_choice": refused})


def without_open_states(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a form sent; what was left open it sends as an empty text, which is no choice of several states."""
    if isinstance(data, QueryDict):
        data = data.copy()
        data.setlist("state", [state for state in data.getlist("state") if state])
    return data


class ListFilter(forms.Form):
    """What every list of instances can be filtered by, and which page of it is shown."""

    workflow = WorkflowField()
    q = forms.CharField(required=False, max_length=200, label="Correlation or instance id")
    older = PlaceField(required=False, max_length=60, widget=forms.HiddenInput)
    newer = PlaceField(required=False, max_length=60, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(without_open_states(data))
        workflow = self.fields["workflow"]
        assert isinstance(workflow, WorkflowField)
        workflow.look_up()
        self.nothing_published = not workflow.names


class InstanceFilter(ListFilter):
    """Which instances, and which page of them."""

    version = forms.CharField(required=False, max_length=60)
    state = StatesField(InstanceState)
    only = forms.ChoiceField(
        required=False,
        label="Only where",
        choices=[("", "any"), *((each.value, said) for each, said in CONCERNS.items())],
        error_messages={"invalid_choice": "“%(value)s” is no choice; choose one of the list."},
    )
    correlation = forms.CharField(required=False, max_length=200, label="Correlation id, exactly")
    ended = forms.ChoiceField(
        required=False,
        label="Ended within",
        choices=[("", "any time"), ("1h", "the last hour"), ("24h", "24 hours"), ("7d", "7 days")],
        error_messages={"invalid_choice": "“%(value)s” is no choice; choose one of the list."},
    )
    since = MomentField("Created from (UTC)")
    until = MomentField("Created before (UTC)")
    tag = TagsField(label="Tags, all of them")

    def chosen(self) -> dict[str, str | list[str]]:
        """Return the filters that are set, as they stand in the address; pages are not part of it."""
        given: dict[str, str | list[str]] = {}
        for name in NAMES:
            value = self.cleaned_data.get(name)
            if value:
                given[name] = f"{value:%Y-%m-%dT%H:%M:%S}" if isinstance(value, datetime) else value
        return given

    def wanted(self, now: datetime) -> dict[str, Any]:
        """Return the arguments of ``lists.instances``."""
        found = self.cleaned_data
        return {
            "workflow": found["workflow"],
            "version": found["version"],
            "states": found["state"],
            "concern": Concern(found["only"]) if found["only"] else None,
            "correlation_id": found["correlation"],
            "ended_after": now - ENDED[found["ended"]] if found["ended"] else None,
            "created_from": found["since"],
            "created_before": found["until"],
            "tags": found["tag"],
            "text": found["q"],
        }

    @property
    def more_is_set(self) -> bool:
        """Whether a filter is set that stands behind “More filters”."""
        return any(self.data.get(name) for name in ("version", "correlation", "ended", "since", "until"))
