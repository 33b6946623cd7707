"""The logger that an activity gets: a line of the worker's log says whose it is, the attempt's own log what was said.

Keywords are what an activity would otherwise format into its message. Positional arguments and ``extra`` are taken as
the standard library takes them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

LOGGER = "orchestrator.activity"
_BOUND = ("instance_id", "workflow", "version", "correlation_id", "step", "attempt", "role")
_quoted = structlog.processors.KeyValueRenderer(key_order=["event"])  # quotes values: no message can forge a line
_plain = structlog.processors.KeyValueRenderer()


class Spoken(str):
    """A line of the worker's log; ``said`` is what was said in it, without whose it is."""

    __slots__ = ("said",)
    said: str

    def __new__(cls, line: str, said: str) -> Spoken:
        """Put the two together."""
        made = super().__new__(cls, line)
        made.said = said
        return made

    def masked(self, mask: Callable[[str], str]) -> Spoken:
        """Both without what nobody may read."""
        return Spoken(mask(self), mask(self.said))


def logger_of(**attempt: Any) -> Any:
    """Return a structlog logger whose lines name the attempt: instance, workflow, version, step and so on."""
    return _log.bind(**attempt)


def _with_extra(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    extra = event.pop("extra", None)
    if isinstance(extra, Mapping):
        for name, value in extra.items():
            event.setdefault(str(name), value)
    return event


def _rendered(logger: Any, method: str, event: MutableMapping[str, Any]) -> Spoken:
    own = {name: value for name, value in event.items() if name not in _BOUND}
    said, trace = str(own.pop("event", "")), own.pop("exception", None)
    if own:
        said = f"{said} {_plain(logger, method, own)}".lstrip()
    return Spoken(str(_quoted(logger, method, event)), f"{said}\n{trace}" if trace else said)


_log: Any = structlog.wrap_logger(
    logging.getLogger(LOGGER),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _with_extra,
        structlog.processors.format_exc_info,
        _rendered,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
