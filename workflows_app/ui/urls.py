"""Addresses of the pages; all but log-in and health check demand a log-in (``LoginRequiredMiddleware``)."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from workflows_app.ui import artifacts, definitions, health, instances, sections, sessions

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="instances"), name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("login/", sessions.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("instances/", instances.listing, name="instances"),
    path("instances/<uuid:instance_id>/", instances.one, name="instance"),
    path("instances/<uuid:instance_id>/choose/", sections.choose, name="choose"),
    path("instances/<uuid:instance_id>/artifacts/<str:digest>/", artifacts.download, name="artifact"),
    path("definitions/", definitions.listing, name="definitions"),
    path("definitions/<str:name>/<str:version>/", definitions.one, name="definition"),
]
