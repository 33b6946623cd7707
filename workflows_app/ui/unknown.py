"""Addresses that lead nowhere: a visitor without a log-in is not even told that."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.views.defaults import page_not_found


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown address: 404 for people who are logged in, the log-in for everybody else."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    return page_not_found(request, exception)
