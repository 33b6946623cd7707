"""Addresses that lead nowhere, of which a visitor without a log-in is told nothing; and pages that failed."""

from __future__ import annotations

import sys

from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.defaults import page_not_found

from workflows_app.ui import theme


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown address: 404 for people who are logged in, the log-in for everybody else."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    return page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed: 503 while the database does not answer, else 500; neither asks the database."""
    chosen = theme.context(request)
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        page = loader.get_template("503.html").render(chosen)
        return HttpResponse(page, status=503, headers={"Retry-After": "10"})
    return HttpResponse(loader.get_template("500.html").render(chosen), status=500)
