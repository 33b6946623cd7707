"""The last line of defence against orphans: a tiny process that outlives a killed supervisor by a few seconds.

It reads `+GROUP` and `-GROUP` lines from its standard input. When that ends without a `bye`, the supervisor was
killed, and every process group still on the list is asked to end and then ended.
Run as a script by a bare interpreter: only the standard library may be imported here.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 5.0


def alive(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(groups: set[int], sign: signal.Signals) -> None:
    """Send ``sign`` to every group that is still there."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, sign)


def watch() -> None:
    """Keep the list until the supervisor ends, then clear up if it did not say good-bye."""
    groups: set[int] = set()
    for line in sys.stdin:
        word = line.strip()
        if word == "bye":
            return
        if word.startswith("+"):
            groups.add(int(word[1:]))
        elif word.startswith("-"):
            groups.discard(int(word[1:]))
    send(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(alive(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    send(groups, signal.SIGKILL)


if __name__ == "__main__":
    # The terminal's Ctrl-C is for the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch()
