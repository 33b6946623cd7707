"""The page on which people start an instance, with a form made from the definition's input schema.

The page carries an idempotency key: a form that is sent twice starts one instance.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from workflows_app.engine.errors import InputInvalid, NotFound, Refused
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions, instances
from workflows_app.ui.access import VIEW_INSTANCES, start_page
from workflows_app.ui.schema_form import InputForm

REFUSED = 409
KEY_LENGTH = 200


class StartForm(InputForm):
    """The input, and what every start takes."""

    correlation_id = forms.CharField(
        required=False,
        max_length=KEY_LENGTH,
        label="Correlation id",
        help_text="A name of yours to find it by, an order number for example. Left empty, it is the instance's id.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.order_fields([name for name in self.fields if name not in ("correlation_id", "once")])


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
                idempotency_key=f"page:{form.cleaned_data['once']}",
                actor=request.user.get_username(),
            )
        except InputInvalid as refused:
            form.blame(refused.problems)
        except Refused as refused:
            refusal, status = refused.message, REFUSED
        else:
            messages.success(request, f"{name} {found.version} is started: instance {started.pk}.")
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
