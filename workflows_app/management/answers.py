"""How every command answers: text for people or one JSON document, errors on standard error, exit 0, 1 or 2."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError

from workflows_app.engine.errors import OrchestratorError, Refused

# 2, wrong usage, is argparse's own.
DONE, REFUSED, STILL_RUNNING, INTERRUPTED = 0, 1, 3, 130


class AnsweringCommand(BaseCommand):
    """A command whose refusals are sentences and whose answers may be asked for as JSON.

    Subclasses implement ``answer(**options) -> int`` and print through ``show``.
    """

    requires_system_checks: list[str] = []
    as_json = False

    @staticmethod
    def add_format(parser: ArgumentParser) -> None:
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="text for people, or one JSON document"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options.get("format") == "json"
        try:
            code = self.answer(**options)
        except OrchestratorError as refused:
            code = self.refuse(refused)
        except (OperationalError, InterfaceError) as problem:
            self.stderr.write(f"The database does not answer: {str(problem).strip().splitlines()[0]}")
            self.stderr.write("See `python manage.py doctor`.")
            code = REFUSED
        except ProgrammingError as problem:
            self.stderr.write(f"The database is not set up: {str(problem).strip().splitlines()[0]}")
            self.stderr.write("Run `python manage.py migrate`, or `make up`, which does it for you.")
            code = REFUSED
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            code = INTERRUPTED
        except (DataError, UnicodeEncodeError):
            self.stderr.write("The arguments hold text that cannot be stored (a NUL or a broken character).")
            code = REFUSED
        if code != DONE:
            sys.exit(code)

    def answer(self, *args: Any, **options: Any) -> int:
        raise NotImplementedError

    def show(self, document: Any, text: str) -> None:
        """Print the answer in the asked-for form."""
        if self.as_json:
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str))
        else:
            self.stdout.write(text)

    def refuse(self, refused: OrchestratorError, **facts: Any) -> int:
        """Print a refusal with every problem's place and reason; a document has further facts beside it."""
        problems = refused.problems if isinstance(refused, Refused) else ()
        if self.as_json:
            error: dict[str, Any] = {
                "code": refused.code,
                "message": refused.message,
                "problems": [p.as_dict() for p in problems],
            }
            if refused.details:
                error["details"] = refused.details
            self.stderr.write(json.dumps({**facts, "error": error}, indent=2, ensure_ascii=False))
        else:
            self.stderr.write(f"{refused.message} ({refused.code})")
            for problem in problems:
                if problem.message not in refused.message:
                    self.stderr.write(f"  {problem}")
        return REFUSED


def person() -> str:
    """Return the name of who runs the command, for history and audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command"
