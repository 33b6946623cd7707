"""Addresses: Django's administration, and the pages of the application under the root."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("admin/", admin.site.urls)]

if find_spec("workflows_app.ui.urls"):
    urlpatterns.append(path("", include("workflows_app.ui.urls")))
