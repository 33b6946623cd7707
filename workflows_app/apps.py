"""The application: its models, and the database functions that ``migrate`` installs beside them."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WorkflowsConfig(AppConfig):
    name = "workflows_app"
    verbose_name = "Workflows"

    def ready(self) -> None:
        from workflows_app import sql

        post_migrate.connect(sql.install, sender=self, dispatch_uid="workflows_app.sql")
