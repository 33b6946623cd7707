"""Who may look: a page needs the permission to view what it shows and is never kept by a cache."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

VIEW_INSTANCES = "workflows_app.view_instance"
OPERATE_INSTANCES = "workflows_app.change_instance"
START_INSTANCES = "workflows_app.add_instance"
VIEW_ARTIFACTS = "workflows_app.view_artifact"
VIEW_DEFINITIONS = "workflows_app.view_definitionversion"


def page_of_instances(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let only GET and HEAD through, and only for users with the permission to view instances; others get 403."""
    return _page(view, VIEW_INSTANCES)


def page_of_definitions(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The same for published versions of definitions, whose permission is one of its own."""
    return _page(view, VIEW_DEFINITIONS)


def page_of_statistics(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The same for what instances say of a definition: both permissions are needed."""
    return _page(view, VIEW_DEFINITIONS, VIEW_INSTANCES)


def act_on_instances(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let GET, HEAD and POST through for users who may view and operate instances; others get 403."""
    return _form(view, VIEW_INSTANCES, OPERATE_INSTANCES)


def start_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The same for users who may start instances."""
    return _form(view, START_INSTANCES)


def _form(view: Callable[..., HttpResponse], *permissions: str) -> Callable[..., HttpResponse]:
    checked: Callable[[HttpRequest], HttpResponse] = permission_required(permissions, raise_exception=True)(view)
    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(checked))


def _page(view: Callable[..., HttpResponse], *permissions: str) -> Callable[..., HttpResponse]:
    checked: Callable[[HttpRequest], HttpResponse] = permission_required(permissions, raise_exception=True)(view)
    return never_cache(require_safe(checked))
