"""Who may look: a page of instances needs the permission to view them and is never kept by a cache."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

VIEW_INSTANCES = "workflows_app.view_instance"


def page_of_instances(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let only GET and HEAD through, and only for users with the permission to view instances; others get 403."""
    checked: Callable[[HttpRequest], HttpResponse] = permission_required(VIEW_INSTANCES, raise_exception=True)(view)
    return never_cache(require_safe(checked))
