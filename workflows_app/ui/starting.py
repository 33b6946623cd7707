"""The page on which people start an instance, with a form made from the definition's input schema.

The page carries an idempotency key: a form that is sent twice starts one instance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from workflows_app.engine.errors import InputInvalid, NotFound, Problem, Refused
from workflows_app.models import DefinitionVersion
from workflows_app.selectors import standing
from workflows_app.services import definitions, instances
from workflows_app.spans import moment
from workflows_app.ui.access import VIEW_INSTANCES, start_page
from workflows_app.ui.filters import MomentField
from workflows_app.ui.schema_form import InputForm
from workflows_app.ui.tag_field import TagsField

REFUSED = 409
KEY_LENGTH = 200
OF_EVERY_START = ("correlation_id", "tags", "at", "once")
"""Fields that stand behind those of the input."""


class StartForm(InputForm):
    """The input, and what every start takes."""

    correlation_id = forms.CharField(
        required=False,
        max_length=KEY_LENGTH,
        label="Correlation id",
        help_text="A name of yours to find it by, an order number for example. Left empty, it is the instance's id.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    tags = TagsField(label="Tags", help_text="Words to find it by, with spaces between them: urgent region=eu")
    at = MomentField("Start at (UTC)", help_text="Left empty, it starts at once.")
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.order_fields([name for name in self.fields if name not in OF_EVERY_START])

    def blame(self, problems: Iterable[Problem]) -> None:
        """Put problems at the fields that they are about, others above the form."""
        for problem in problems:
            if problem.path == "at":
                self.add_error("at", f"The time {problem.message}.")
            else:
                super().blame([problem])


@start_page
def start(request: HttpRequest, name: str) -> HttpResponse:
    """Show the form of a version, the startable one if none is asked for, and start an instance from it."""
    wanted = (request.POST if request.method == "POST" else request.GET).get("version") or None
    found = _version(name, wanted)
    schema = found.document.get("input")
    posted = request.POST if request.method == "POST" else None
    form = StartForm(posted, schema=schema, initial={"once": uuid4()})
    refusal, status = "", 200
    if posted is not None and form.is_valid():
        try:
            started = instances.start(
                name=name,
                version=found.version,
                input=form.input(),
                correlation_id=form.cleaned_data["correlation_id"] or None,
                tags=form.cleaned_data["tags"],
                at=form.cleaned_data["at"],
                idempotency_key=f"page:{form.cleaned_data['once']}",
                actor=request.user.get_username(),
            )
        except InputInvalid as refused:
            form.blame(refused.problems)
        except Refused as refused:
            refusal, status = refused.message, REFUSED
        else:
            begins = standing.starts_at(started)
            done = "is started" if begins is None else f"starts at {moment(begins)} UTC"
            messages.success(request, f"{name} {found.version} {done}: instance {started.pk}.")
            if request.user.has_perm(VIEW_INSTANCES):
                return redirect("instance", instance_id=started.pk)
            return redirect("start", name=name)
    if posted is not None and form.errors:
        status = 400
    context = {
        "name": name,
        "found": found,
        "title": found.document.get("title") or name,
        "description": found.document.get("description"),
        "form": form,
        "refusal": refusal,
        "tab": "start",
    }
    return render(request, "ui/definition_start.html", context, status=status)


def _version(name: str, version: str | None) -> DefinitionVersion:
    try:
        return definitions.find(name=name, version=version)
    except NotFound as problem:
        raise Http404(problem.message) from problem
