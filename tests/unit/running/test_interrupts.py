"""A wait ends when somebody asks to stop, and the handlers of before come back."""

import os
import signal
import time

import pytest

from workflows_app.running.interrupts import Interrupts


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_ends_the_wait(sign: signal.Signals) -> None:
    before = signal.getsignal(sign)

    with Interrupts.heard() as interrupts:
        began = time.monotonic()
        os.kill(os.getpid(), sign)
        interrupts.sleep(30)
        waited = time.monotonic() - began

    assert interrupts.asked
    assert waited < 20
    assert signal.getsignal(sign) is before


def test_a_child_that_ends_wakes_the_wait_without_stopping() -> None:
    with Interrupts.heard() as interrupts:
        os.kill(os.getpid(), signal.SIGCHLD)
        interrupts.sleep(30)

    assert not interrupts.asked
