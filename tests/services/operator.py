"""An operator's prompt: reads one management command a line (a JSON list), answers ``{code, out, err}`` a line.

The commands are the ones of ``manage.py``; keeping one process warm spares a test the start of Django for each.
"""

from __future__ import annotations

import io
import json
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

import django
from django.core.management import CommandError, ManagementUtility
from django.db import close_old_connections


def perform(arguments: list[str]) -> dict[str, object]:
    """Run one command as ``manage.py`` would.

    Args:
        arguments: the command's name and its arguments.

    Returns:
        Its exit code and what it wrote; a traceback in ``err`` is a defect of the command.
    """
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            ManagementUtility(["manage.py", *arguments]).execute()
        except SystemExit as ending:
            code = ending.code
        except CommandError as error:
            code = error.returncode
            print(f"CommandError: {error}", file=err)
        except Exception:
            code = 1
            traceback.print_exc(file=err)
    return {
        "code": code if isinstance(code, int) else int(code is not None),
        "out": out.getvalue(),
        "err": err.getvalue(),
    }


def main() -> None:
    django.setup()
    answers = sys.stdout
    for line in sys.stdin:
        close_old_connections()
        answers.write(json.dumps(perform(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
