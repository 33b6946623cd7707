"""Addresses: Django's administration, and the pages of the application under the root."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("workflows_app.ui.urls")),
]
handler404 = "workflows_app.ui.unknown.not_found"
