"""``manage.py states``: the state tables as a documentation page."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from workflows_app.engine import diagrams


class Command(BaseCommand):
    help = "Print the state tables as Mermaid diagrams (docs/states.md)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(diagrams.page(), ending="")
