#!/usr/bin/env python
"""The command line of the installation: every operator's command goes through here."""

import sys

from orchestrator.environment import use_settings


def main() -> None:
    """Run one management command under the settings that ``ORCHESTRATOR_ENV`` names (``dev`` by default)."""
    use_settings()
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed here: run `make setup`, then `.venv/bin/python manage.py`."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
