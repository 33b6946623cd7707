#!/usr/bin/env python
"""The command line of the installation: every operator's command goes through here."""

import os
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
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
