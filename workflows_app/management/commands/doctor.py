"""`manage.py doctor`: what is reachable, what is missing, how to mend it."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workflows_app.running import checkup

MARKS = {checkup.Health.OK: "ok     ", checkup.Health.WARNING: "warning", checkup.Health.FAILED: "MISSING"}


class Command(BaseCommand):
    help = "Say what is reachable, what is missing and how to mend it; exit 1 where something is missing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, **options: Any) -> None:
        as_json = options["format"] == "json"
        findings = []
        for finding in checkup.findings():
            findings.append(finding)
            if not as_json:
                self.stdout.write(f"{MARKS[finding.state]}  {finding.name:<10}  {finding.detail}")
                if finding.mend:
                    self.stdout.write(f"{'':<21}→ {finding.mend}")
                self.stdout.flush()
        healthy = all(finding.state is not checkup.Health.FAILED for finding in findings)
        if as_json:
            report = {"healthy": healthy, "checks": [finding.as_dict() for finding in findings]}
            self.stdout.write(json.dumps(report, indent=2))
        if not healthy:
            sys.exit(1)
