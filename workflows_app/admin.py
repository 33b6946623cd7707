"""Django's administration for the models: to look at rows, never to change them; behaviour lives in ``services``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from workflows_app.models import (
    Attempt,
    AuditEntry,
    Definition,
    DefinitionVersion,
    Dispatch,
    Instance,
    Queue,
    Step,
    Timer,
)


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows; changes none, whatever permissions the user has."""

    show_full_result_count = False
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Definition)
class DefinitionAdmin(ReadOnly):
    list_display = ("name", "created_at")
    search_fields = ("name",)


@admin.register(DefinitionVersion)
class DefinitionVersionAdmin(ReadOnly):
    list_display = ("definition", "version", "deprecated", "published_at", "published_by")
    list_select_related = ("definition",)
    list_filter = ("deprecated",)
    search_fields = ("definition__name", "version")


@admin.register(Instance)
class InstanceAdmin(ReadOnly):
    list_display = ("id", "workflow", "version", "state", "cause", "created_at", "ended_at")
    list_filter = ("state", "cause")
    search_fields = ("=id", "workflow", "correlation_id")
    ordering = ("-created_at", "-id")


@admin.register(Step)
class StepAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "state", "attempts", "started_at", "ended_at")
    list_filter = ("state",)
    search_fields = ("=instance__id", "path")
    ordering = ("-id",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "number", "role", "state", "worker", "started_at", "ended_at")
    list_filter = ("state", "role")
    search_fields = ("=instance__id", "path")
    ordering = ("-id",)


@admin.register(Timer)
class TimerAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "kind", "due_at")
    list_filter = ("kind",)
    ordering = ("due_at",)


@admin.register(Dispatch)
class DispatchAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "generation", "queue", "created_at", "published_at", "publications")
    list_filter = ("queue",)
    ordering = ("id",)


@admin.register(Queue)
class QueueAdmin(ReadOnly):
    list_display = ("name", "claimed_through")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("sequence", "at", "actor", "action", "target")
    search_fields = ("actor", "action", "target")
    ordering = ("-sequence",)


def log_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Stand in for the administration's own log-in: there is one log-in, and it counts the bad ones."""
    there = request.GET.get("next") or reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(there)
    if admin.site.has_permission(request):
        return HttpResponseRedirect(reverse("admin:index"))
    raise PermissionDenied("Your account may not use the administration.")


admin.site.login = log_in  # type: ignore[method-assign]
