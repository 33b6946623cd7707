"""Django's administration for the models: to look at rows, never to change them; behaviour lives in ``services``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from workflows_app.models import (
    ArchivedInstance,
    Artifact,
    Attempt,
    AuditEntry,
    Breaker,
    CachedResult,
    Callback,
    Checkpoint,
    DecisionTable,
    DecisionTableVersion,
    Definition,
    DefinitionVersion,
    Dispatch,
    Effect,
    Hold,
    Instance,
    LogLine,
    Notice,
    Place,
    PublishedEvent,
    Queue,
    Rate,
    Sample,
    SavedView,
    Secret,
    Service,
    Slot,
    SlotKey,
    Step,
    Subscription,
    Timer,
    Turn,
    Wakeup,
    Worker,
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


@admin.register(DecisionTable)
class DecisionTableAdmin(ReadOnly):
    list_display = ("name", "created_at")
    search_fields = ("name",)


@admin.register(DecisionTableVersion)
class DecisionTableVersionAdmin(ReadOnly):
    list_display = ("table", "version", "published_at", "published_by")
    list_select_related = ("table",)
    search_fields = ("table__name", "version")


@admin.register(Secret)
class SecretAdmin(ReadOnly):
    # Not even the ciphertext: it is of no use to people.
    exclude = ("ciphertext",)
    list_display = ("name", "type", "description", "updated_at", "updated_by")
    list_filter = ("type",)
    search_fields = ("name", "description")


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


@admin.register(LogLine)
class LogLineAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "number", "at", "level", "text")
    list_filter = ("level",)
    search_fields = ("=instance__id", "=path")
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


@admin.register(Notice)
class NoticeAdmin(ReadOnly):
    list_display = ("id", "child", "kind", "due_at")
    list_filter = ("kind",)
    ordering = ("due_at",)


@admin.register(Queue)
class QueueAdmin(ReadOnly):
    list_display = ("name", "claimed_through")


@admin.register(Hold)
class HoldAdmin(ReadOnly):
    list_display = ("kind", "name", "actor", "since", "reason")
    ordering = ("id",)


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    list_display = ("kind", "name", "host", "pid", "queues", "processes", "started_at", "seen_at")
    list_filter = ("kind",)


@admin.register(SavedView)
class SavedViewAdmin(ReadOnly):
    list_display = ("name", "owner", "shared", "query", "created_at")
    list_select_related = ("owner",)
    list_filter = ("shared",)


@admin.register(SlotKey)
class SlotKeyAdmin(ReadOnly):
    list_display = ("workflow", "key", "held")
    search_fields = ("workflow", "key")
    ordering = ("id",)


@admin.register(Slot)
class SlotAdmin(ReadOnly):
    list_display = ("id", "instance_id", "workflow", "key", "places", "state")
    list_filter = ("state",)
    search_fields = ("=instance__id", "workflow", "key")
    ordering = ("id",)


@admin.register(Service)
class ServiceAdmin(ReadOnly):
    list_display = ("name", "registered_at", "registered_by")
    search_fields = ("name",)


@admin.register(Breaker)
class BreakerAdmin(ReadOnly):
    list_display = ("service", "operation", "state", "failures", "since", "open_until", "cause")
    list_filter = ("state",)
    search_fields = ("service", "operation")
    ordering = ("service", "operation")


@admin.register(Place)
class PlaceAdmin(ReadOnly):
    list_display = ("id", "service", "operation", "instance", "path", "number", "taken_at")
    search_fields = ("service", "=instance")
    ordering = ("id",)


@admin.register(Callback)
class CallbackAdmin(ReadOnly):
    # Not even the hash: it is of no use to people.
    exclude = ("token_hash",)
    list_display = ("id", "instance_id", "path", "sender", "handed_out_at", "answered_at")
    search_fields = ("=instance__id", "=path")
    ordering = ("-id",)


@admin.register(Rate)
class RateAdmin(ReadOnly):
    list_display = ("name", "free_at")
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(Turn)
class TurnAdmin(ReadOnly):
    list_display = ("id", "name", "instance_id", "caller", "due_at")
    search_fields = ("name", "=instance__id")
    ordering = ("due_at",)


@admin.register(CachedResult)
class CachedResultAdmin(ReadOnly):
    list_display = ("activity", "key", "instance_id", "path", "expires_at")
    search_fields = ("activity", "=key")
    ordering = ("-id",)


@admin.register(PublishedEvent)
class PublishedEventAdmin(ReadOnly):
    list_display = ("id", "type", "key", "target_instance", "at", "expires_at", "source_instance", "actor")
    search_fields = ("type", "key", "=target_instance")
    ordering = ("-id",)


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly):
    list_display = ("id", "instance_id", "path", "type", "key", "since")
    search_fields = ("=instance__id", "type", "key")
    ordering = ("id",)


@admin.register(Wakeup)
class WakeupAdmin(ReadOnly):
    list_display = ("id", "instance_id", "due_at")
    ordering = ("due_at",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("sequence", "at", "actor", "action", "target")
    search_fields = ("actor", "action", "target")
    ordering = ("-sequence",)


@admin.register(Effect)
class EffectAdmin(ReadOnly):
    list_display = ("instance_id", "path", "number", "kind", "target", "state", "planned_at")
    list_filter = ("state",)
    search_fields = ("=instance__id", "=path", "idempotency_key")
    ordering = ("-id",)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnly):
    list_display = ("instance_id", "path", "role", "attempt", "saved_at")
    search_fields = ("=instance__id", "=path")
    ordering = ("-id",)


@admin.register(ArchivedInstance)
class ArchivedInstanceAdmin(ReadOnly):
    list_display = ("id", "workflow", "version", "state", "ended_at", "archived_at", "archived_by")
    search_fields = ("=id", "=root", "=workflow", "=correlation_id")
    ordering = ("-archived_at", "-id")


@admin.register(Sample)
class SampleAdmin(ReadOnly):
    list_display = ("at", "kind", "name", "host")
    search_fields = ("name", "host")
    ordering = ("-id",)


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    list_display = ("instance_id", "name", "size", "media_type", "step", "created_at")
    search_fields = ("=instance__id", "name")
    ordering = ("-id",)


def log_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Stand in for the administration's own log-in: there is one log-in, and it counts the bad ones."""
    there = request.GET.get("next") or reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(there)
    if admin.site.has_permission(request):
        return HttpResponseRedirect(reverse("admin:index"))
    raise PermissionDenied("Your account may not use the administration.")


admin.site.login = log_in  # type: ignore[method-assign]
