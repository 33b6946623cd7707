"""What is said when an artifact cannot be kept or read: an activity's error with a stable code, naming no folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workflows_app.engine.errors import ActivityError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refusal(code: str, message: str, *, recoverable: bool = False, **details: Any) -> ActivityError:
    """An error about artifacts.

    Args:
        code: stable name.
        message: the reason in one sentence.
        recoverable: whether another attempt may help.
        details: further facts.
    """
    return ActivityError(message, code=code, details=details, recoverable=recoverable)


def missing() -> ActivityError:
    """The error of a reference whose content is not, or not any more, there."""
    return refusal("ARTIFACT_NOT_FOUND", "The artifact does not exist, or was deleted with its instance.")


@contextmanager
def told() -> Iterator[None]:
    """Turn the operating system's errors into an activity's.

    Raises:
        ActivityError: ARTIFACT_NOT_FOUND; DISK_FULL and ARTIFACTS_FAILED, both recoverable.
    """
    try:
        yield
    except FileNotFoundError:
        raise missing() from None
    except OSError as error:
        number = error.errno or 0
        if number in _FULL:
            raise refusal(
                "DISK_FULL", "There is no room for the artifact: the disk is full.", recoverable=True
            ) from None
        reason = os.strerror(number) if number else type(error).__name__
        raise refusal("ARTIFACTS_FAILED", f"Artifacts cannot be used: {reason}.", recoverable=True) from None
