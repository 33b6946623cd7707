"""The application: its models, and the database functions that ``migrate`` installs beside them."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


def bound_idle_transactions(connection: Any, **_: Any) -> None:
    """Let the database end a session that vanished in the midst of a transaction: it would keep an instance locked."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '15s'")


class WorkflowsConfig(AppConfig):
    name = "workflows_app"
    verbose_name = "Workflows"

    def ready(self) -> None:
        from workflows_app import sql
        from workflows_app.services import calls, decisions

        connection_created.connect(bound_idle_transactions, dispatch_uid="workflows_app.idle")
        decisions.notices_left.connect(calls.deliver, dispatch_uid="workflows_app.calls")
        post_migrate.connect(sql.install, sender=self, dispatch_uid="workflows_app.sql")
