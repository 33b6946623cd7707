"""What workers perform in these tests: activities that leave a trace, block, die or ignore the interrupt.

Workers load it through ``ORCHESTRATOR_ACTIVITIES=tests.services.activities``. Every call is one line of JSON appended
to ``calls.jsonl`` in the folder that ``ORCHESTRATOR_TEST_FOLDER`` names. That file is the outside world: nothing of it
is rolled back with the database. A test releases a blocked call by making the file ``release-NAME`` there, or
``release-NAME.ATTEMPT`` for one attempt.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from tasks.leases import INTERRUPT
from workflows_app.activities import ActivityContext, activity

POLL_SECONDS = 0.02


def folder() -> Path:
    return Path(os.environ["ORCHESTRATOR_TEST_FOLDER"])


def _record(call: str, context: ActivityContext, **more: Any) -> None:
    line = {
        "call": call,
        "key": context.idempotency_key,
        "instance": str(context.instance_id),
        "step": context.step,
        "attempt": context.attempt,
        "role": str(context.role),
        "pid": os.getpid(),
        "at": time.time(),
        **more,
    }
    descriptor = os.open(folder() / "calls.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


def _claim(name: str, times: int) -> bool:
    """Whether this call is among the first ``times`` of that name, in whatever processes."""
    for number in range(times):
        try:
            (folder() / f"{name}.{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


@activity("test.effect", description="Leaves one line in the outside world and returns its parameters.")
def effect(*, context: ActivityContext, value: Any = None) -> Any:
    _record("effect", context, value=value)
    return {"value": value, "key": context.idempotency_key}


@activity("test.undo", description="The compensation of test.effect: leaves one line.")
def undo(*, context: ActivityContext, value: Any = None) -> Any:
    _record("undo", context, value=value)
    return {"undone": value}


@activity("test.block", description="Waits until a file appears, or until it is told to stop if it listens.")
def block(*, name: str, context: ActivityContext, listens: bool = True) -> Any:
    _wait(name, context, listens=listens)
    return {"name": name}


@activity(
    "test.block_deaf", description="Waits until a file appears; like one call of C, nothing interrupts it before."
)
def block_deaf(*, name: str, context: ActivityContext) -> Any:
    interrupt = signal.signal(INTERRUPT, signal.SIG_IGN)
    try:
        _wait(name, context, listens=False)
    finally:
        signal.signal(INTERRUPT, interrupt)
    return {"name": name}


def _wait(name: str, context: ActivityContext, *, listens: bool) -> None:
    _record("block", context, name=name)
    gates = folder() / f"release-{name}", folder() / f"release-{name}.{context.attempt}"
    looks = 0
    while not any(gate.exists() for gate in gates):
        looks += 1
        if listens:
            context.heartbeat(looks, message=f"waiting for {name}")
        time.sleep(POLL_SECONDS)
    _record("released", context, name=name)


@activity("test.meet", description="Makes a file of its own and waits for another one's.")
def meet(*, own: str, other: str, context: ActivityContext) -> Any:
    (folder() / f"meet-{own}").touch()
    while not (folder() / f"meet-{other}").exists():
        context.check()
        time.sleep(POLL_SECONDS)
    return {"met": other}


@activity("test.kill_self", description="SIGKILL to its own process in the first calls of that name, then works.")
def kill_self(*, name: str, context: ActivityContext, times: int = 1) -> Any:
    _record("kill_self", context, name=name)
    if _claim(f"kill-{name}", times):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"name": name, "attempt": context.attempt}


@activity("test.fail", description="Fails below a number of attempts, then works.")
def fail(*, context: ActivityContext, until_attempt: int = 1_000_000) -> Any:
    _record("fail", context)
    if context.attempt < until_attempt:
        raise RuntimeError(f"attempt {context.attempt} fails as asked")
    return {"attempt": context.attempt}


@activity("test.sleep", description="Sleeps in one call that only the interrupt can end.")
def sleep(*, seconds: float, context: ActivityContext) -> Any:
    _record("sleep", context)
    try:
        time.sleep(seconds)
    except BaseException as interrupt:
        _record("interrupted", context, by=type(interrupt).__name__)
        raise
    _record("slept", context)
    return {"slept": seconds}


@activity("test.stubborn", description="Goes on in spite of every interrupt; the first calls of that name only.")
def stubborn(*, name: str, seconds: float, context: ActivityContext, times: int = 1) -> Any:
    _record("stubborn", context, name=name)
    if not _claim(f"stubborn-{name}", times):
        return {"name": name, "attempt": context.attempt}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(POLL_SECONDS)
        except BaseException as interrupt:
            _record("ignored", context, by=type(interrupt).__name__)
    _record("outlived", context, name=name)
    return {"name": name, "attempt": context.attempt}


@activity("test.raise", description="Raises what would end the process if nobody caught it.")
def raise_(*, kind: str, context: ActivityContext) -> Any:
    _record("raise", context, kind=kind)
    raise {
        "SystemExit": SystemExit(3),
        "MemoryError": MemoryError("as asked"),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "RecursionError": RecursionError("as asked"),
        "GeneratorExit": GeneratorExit(),
    }[kind]


@activity("test.die", description="Ends its process in a way that no one can catch, in every call.")
def die(*, how: str, context: ActivityContext) -> None:
    _record("die", context, how=how)
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, how))


@activity("test.not_json", description="Returns what JSON cannot say.")
def not_json(*, kind: str, context: ActivityContext) -> Any:
    _record("not_json", context, kind=kind)
    return {
        "object": object(),
        "nan": float("nan"),
        "set": {1, 2},
        "huge_integer": 2**80,
        "large": "x" * 2_000_000,
        "nul": "a\0b",
    }[kind]


@activity("test.give_away", description="Says what it was told in every way there is, then returns or raises it.")
def give_away(*, context: ActivityContext, told: str, fails: bool = False) -> Any:
    context.log.info("told", told=told)
    logging.getLogger("a.library").warning("told %s", [told])
    print(f"printed {told}", flush=True)
    print(f"to standard error {told}", file=sys.stderr, flush=True)
    warnings.warn(f"warned of {told}", stacklevel=1)
    if fails:
        raise ValueError(f"it broke over {told}") from KeyError(told)
    return {"told": told, told: [{"again": told}]}
