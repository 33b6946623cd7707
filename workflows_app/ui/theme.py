"""Light, dark, or as the system: what a browser's owner has chosen is kept in a cookie, so that a page comes in it."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")
SYSTEM: Final = "system"
YEAR: Final = 365 * 24 * 3600
"""Seconds that a browser keeps the choice."""


def of(request: HttpRequest) -> str:
    """Return ``light`` or ``dark``; empty where nobody has chosen: as the system says."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else ""


def context(request: HttpRequest) -> dict[str, str]:
    """Give every template the ``theme`` (a context processor)."""
    return {"theme": of(request)}


@login_not_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep a choice, and lead back to the page that it was made on."""
    chosen = request.POST.get("theme", "")
    if chosen not in (*THEMES, SYSTEM):
        return HttpResponseBadRequest("theme must be light, dark or system", content_type="text/plain")
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    answer = redirect(back if is_ours else "home")
    if chosen == SYSTEM:
        answer.delete_cookie(COOKIE, samesite="Lax")
    else:
        answer.set_cookie(
            COOKIE, chosen, max_age=YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
    return answer
