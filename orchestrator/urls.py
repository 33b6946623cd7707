"""Addresses: Django's administration, what other systems call, and the pages of the application under the root."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

admin.site.site_header = admin.site.site_title = "Orchestrator administration"
admin.site.index_title = "Rows, to look at; users and their permissions"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("workflows_app.inbound.urls")),
    path("", include("workflows_app.ui.urls")),
]
handler404 = "workflows_app.ui.unknown.not_found"
handler500 = "workflows_app.ui.unknown.failed"
