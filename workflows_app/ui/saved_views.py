"""Saved views of the list of instances: kept, shared and forgotten by those who look at it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from workflows_app.models import SavedView
from workflows_app.ui.access import VIEW_INSTANCES
from workflows_app.ui.filters import InstanceFilter

MOST = 50
"""How many views one person may keep."""
SHOWN = 100


class ViewForm(forms.Form):
    """A view to keep."""

    name = forms.CharField(max_length=60, error_messages={"required": "Give the view a name."})
    query = forms.CharField(required=False, max_length=1000)
    shared = forms.BooleanField(required=False)


def seen_by(user: Any) -> QuerySet[SavedView]:
    """Return the views that somebody sees: their own, and those that others share."""
    rows = SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")
    return rows.order_by("name", "pk")[:SHOWN]


@never_cache
@require_POST
@permission_required(VIEW_INSTANCES, raise_exception=True)
def save(request: HttpRequest) -> HttpResponse:
    """Keep the filters of a list under a name; what is no filter is not kept."""
    form = ViewForm(request.POST)
    filters = InstanceFilter(QueryDict(request.POST.get("query", "")))
    if not form.is_valid() or not filters.is_valid():
        problems = [error for errors in (*form.errors.values(), *filters.errors.values()) for error in errors]
        messages.error(request, f"The view is not kept: {' '.join(map(str, problems))}")
        return redirect("instances")
    query = urlencode(filters.chosen(), doseq=True)
    name = form.cleaned_data["name"]
    owner = int(request.user.pk or 0)
    if SavedView.objects.filter(owner_id=owner).count() >= MOST:
        messages.error(request, f"You keep {MOST} views already: forget one first.")
    else:
        try:
            with transaction.atomic():
                shared = form.cleaned_data["shared"]
                SavedView.objects.create(owner_id=owner, name=name, query=query, shared=shared)
            messages.success(request, f"The view “{name}” is kept.")
        except IntegrityError:
            messages.error(request, f"You have a view “{name}” already: choose another name.")
    return redirect(f"{reverse('instances')}?{query}")


@never_cache
@require_POST
@permission_required(VIEW_INSTANCES, raise_exception=True)
def forget(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget a view of one's own; those of others do not exist for this."""
    found = SavedView.objects.filter(pk=view_id, owner_id=request.user.pk).first()
    if found is None:
        raise Http404("There is no such view.")
    found.delete()
    messages.success(request, f"The view “{found.name}” is forgotten.")
    return redirect("instances")
