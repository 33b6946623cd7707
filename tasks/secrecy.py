"""Secrets in the process that runs a step: put into its parameters, and kept out of all that it leaves behind.

What an attempt resolved is masked in its result and its error before they are recorded, and in every log record of the
process as long as the attempt lasts, whichever thread or library writes it. Nothing is kept between attempts.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings

from workflows_app.activities.logger import Spoken
from workflows_app.engine import credentials
from workflows_app.engine.errors import ActivityError, Refused
from workflows_app.engine.expressions import Reference
from workflows_app.engine.masking import Masks
from workflows_app.engine.states import Role
from workflows_app.engine.transitions import effect_unknown
from workflows_app.services import callbacks, secrets
from workflows_app.services.claims import Claim

_mine: ContextVar[Masks | None] = ContextVar("masks", default=None)


@contextmanager
def masking() -> Iterator[Masks]:
    """The masks of one attempt, which is performed and recorded inside the block."""
    masks = Masks()
    token = _mine.set(masks)
    try:
        with _records.under(masks):
            yield masks
    finally:
        _mine.reset(token)


def parameters(claim: Claim, masks: Masks) -> Any:
    """The parameters of an attempt with secrets and addresses of callbacks in their places, masked from now on.

    Raises:
        ActivityError: SECRET_NOT_FOUND, CALLBACKS_NOT_CONFIGURED (not recoverable), SECRET_UNREADABLE.
    """
    node = claim.graph[claim.path]
    written = node.parameters(claim.role, claim.error_case)
    own = node.value if claim.role is Role.COMPENSATION else None
    wanted = written.secrets | (own.secrets if own is not None else frozenset())
    if not wanted:
        return claim.parameters
    # Asked for one by one: an undo that repeats nothing of its step does not fail over a secret that is gone.
    found: dict[str, Any] = {}

    def lookup(named: Reference, *, in_text: bool) -> Any:
        name = str(named.name)
        if named.root == "callback":
            address, token = callbacks.hand_out(claim=claim, name=name)
            hide(token, masks=masks)
            return address
        if name not in found:
            found[name] = value_of(name, masks)
        return _part(name, found[name], named.path, in_text=in_text)

    try:
        return written.reveal(claim.parameters, lookup, own=own)
    except (LookupError, TypeError, ValueError) as unfit:
        raise ActivityError(
            "The stored parameters are not those of the definition.", code="SECRET_UNREADABLE", recoverable=False
        ) from unfit


def value_of(name: str, masks: Masks | None = None) -> Any:
    """The value of a secret; it is masked from now on in the attempt that asks.

    Args:
        masks: the attempt's; by default those of the attempt around the caller.

    Raises:
        ActivityError: SECRET_NOT_FOUND (not recoverable), SECRET_UNREADABLE.
    """
    try:
        value = secrets.reveal(name)
    except Refused as refused:
        is_missing = refused.code == "SECRET_NOT_FOUND"
        raise ActivityError(
            f"{refused.message[:1].upper()}{refused.message[1:]}.",
            code="SECRET_NOT_FOUND" if is_missing else "SECRET_UNREADABLE",
            details={"secret": name},
            recoverable=not is_missing,
        ) from None
    hide(*credentials.confidential(value), masks=masks)
    return value


def text_of(name: str) -> str:
    """The text that stands for a secret between other text; see ``value_of``."""
    return credentials.in_text(value_of(name))


def hide(*texts: str, masks: Masks | None = None) -> None:
    """Mask these from now on in the attempt that asks; outside one there is nothing to mask.

    A thread that an activity started does not know whose it is: there all attempts of the process mask them.
    """
    mine = masks if masks is not None else _mine.get()
    for each in (mine,) if mine is not None else _records.active:
        each.add(texts)


def masked(value: Any, masks: Masks) -> Any:
    """A result or a part of an error without what the attempt resolved.

    Raises:
        ActivityError: TOO_LARGE: it is larger than what could be stored.
    """
    return masks.value(value, limit=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES) if masks else value


def shown(value: Any) -> Any:
    """A value without what the attempt around the caller resolved; see ``masked``."""
    mine = _mine.get()
    return value if mine is None else masked(value, mine)


def masked_error(error: Mapping[str, Any], masks: Masks) -> Mapping[str, Any]:
    """A step's error without what the attempt resolved."""
    try:
        found: Mapping[str, Any] = masked(dict(error), masks)
    except ActivityError as refused:
        # Details that could not be stored either; whether the call had its effect is said all the same.
        effect = {"effect": "unknown"} if effect_unknown(error) else {}
        found = masked({**error, "details": {"limit": refused.details["limit"], **effect}}, masks)
    return found


def _part(name: str, value: Any, path: tuple[str | int, ...], *, in_text: bool) -> Any:
    try:
        part = credentials.field_of(value, path)
    except LookupError:
        raise ActivityError(
            f"The secret {name!r} has no field {'.'.join(map(str, path))!r}.",
            code="SECRET_NOT_FOUND",
            details={"secret": name},
            recoverable=False,
        ) from None
    return credentials.in_text(part) if in_text else part


class _Records:
    """Masks log records as they are made: before any handler, of whichever library, sees them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.active: tuple[Masks, ...] = ()
        self._is_installed = False

    @contextmanager
    def under(self, masks: Masks) -> Iterator[None]:
        """Mask every record of the process that is made inside the block."""
        with self._lock:
            self._install()
            self.active += (masks,)
        try:
            yield
        finally:
            with self._lock:
                self.active = tuple(each for each in self.active if each is not masks)

    def _install(self) -> None:
        if self._is_installed:
            return
        make = logging.getLogRecordFactory()

        def make_masked(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            for masks in self.active:
                if masks:
                    mask_record(record, masks)
            return record

        logging.setLogRecordFactory(make_masked)
        self._is_installed = True


def mask_record(record: logging.LogRecord, masks: Masks) -> None:
    """Mask the message, the traceback and the stack of a record in place; what holds no secret stays as it is."""
    try:
        message = record.getMessage()
    except Exception:
        # logging itself would print the parts of such a record.
        record.msg, record.args = "a log message that cannot be formatted", ()
    else:
        shown = masks.text(message)
        if isinstance(record.msg, Spoken):
            record.msg = record.msg.masked(masks.text)
        elif shown != message:
            record.msg, record.args = shown, ()
    if record.exc_info and record.exc_info[0] is not None:
        trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        shown = masks.text(trace)
        if shown != trace:
            record.exc_info, record.exc_text = None, shown
    if record.stack_info:
        record.stack_info = masks.text(record.stack_info)


_records = _Records()
