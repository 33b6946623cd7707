"""What activity code logs goes to the log of its attempt as well, whichever logger of the standard library it uses.

Only what is said in the attempt's own context belongs to it: in the thread that performs it, and in those to which the
activity hands its context on. What a logger's level holds back is in no log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from workflows_app.activities.logger import Spoken
from workflows_app.services.log_lines import LogLines

_mine: ContextVar[LogLines | None] = ContextVar("log_lines", default=None)


@contextmanager
def captured(lines: LogLines) -> Iterator[None]:
    """Keep what is logged inside the block."""
    root = logging.getLogger()
    if _handler not in root.handlers:  # whoever configures logging anew takes all handlers away
        root.addHandler(_handler)
    token = _mine.set(lines)
    try:
        yield
    finally:
        _mine.reset(token)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = _mine.get()
        if lines is None:
            return
        try:
            message: object = record.msg
            text = message.said if isinstance(message, Spoken) else self.format(record)
            lines.add(record.levelno, record.name, text)
        except Exception:
            self.handleError(record)


_handler = _Handler()
