"""``workflow start``: what it takes beside the input, and how it answers before it waits."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management import CommandError

from workflows_app.engine.durations import InvalidDuration, parse_duration
from workflows_app.engine.errors import InputInvalid, OrchestratorError, Problem, Refused
from workflows_app.engine.priority import LEVELS
from workflows_app.management.reading import read_input
from workflows_app.models import Instance
from workflows_app.selectors import standing
from workflows_app.services import instances
from workflows_app.spans import moment

OF_STEPS = {"step_timeout": "timeout", "retry": "max_attempts", "step_priority": "priority"}
"""What each option says of a step."""


def add_arguments(sub: ArgumentParser) -> None:
    """Declare what the command takes."""
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--version", dest="workflow_version", help="the highest published one by default")
    sub.add_argument("--input", default="{}", help="JSON, or @FILE")
    sub.add_argument("--wait", action="store_true", help="wait for the end and print the result")
    sub.add_argument("--timeout", type=_waiting, default=60.0, help="seconds to wait, 60 by default")
    sub.add_argument("--correlation-id")
    sub.add_argument("--idempotency-key")
    sub.add_argument("--id", metavar="UUID", help="the instance's id; a new one by default")
    sub.add_argument("--tag", action="append", default=[], metavar="TAG", help="a word, or WORD=WORD; may be repeated")
    when = sub.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", help="begin then: 2026-12-01T08:00Z")
    when.add_argument("--in", dest="after", metavar="DURATION", help="begin after so long: 2h")
    own = sub.add_argument_group("what holds for this instance instead of what its definition says")
    own.add_argument("--instance-timeout", metavar="DURATION", help="time for the whole instance")
    own.add_argument("--priority", metavar="LEVEL", help=f"of all its steps: {', '.join(LEVELS)}")
    repeated: dict[str, Any] = {"action": "append", "default": []}
    own.add_argument("--step-timeout", metavar="STEP=DURATION", help="time for an attempt of a step", **repeated)
    own.add_argument("--retry", metavar="STEP=N", help="attempts of a step in all", **repeated)
    own.add_argument("--step-priority", metavar="STEP=LEVEL", help="of one step", **repeated)


def start(*, actor: str, **options: Any) -> Instance:
    """Start an instance as the options say.

    Raises:
        OrchestratorError: see ``instances.start``.
        CommandError: an option about a step names none, or one twice.
    """
    return instances.start(
        name=options["name"],
        version=options["workflow_version"],
        input=read_input(options["input"]),
        correlation_id=options["correlation_id"],
        idempotency_key=options["idempotency_key"],
        tags=options["tag"],
        overrides=_overrides(options),
        at=None if options["at"] is None else _time(options["at"]),
        after=None if options["after"] is None else _seconds(options["after"]),
        instance_id=None if options["id"] is None else _id(options["id"]),
        actor=actor,
    )


def answer(started: Instance) -> tuple[dict[str, Any], str]:
    """Return what is said of a start that nobody waits for, as a document and as text."""
    begins = standing.starts_at(started)
    document = {
        "id": str(started.pk),
        "workflow": started.workflow,
        "version": started.version,
        "state": started.state,
        "status": "ACCEPTED" if begins is None else "SCHEDULED",
        "starts_at": None if begins is None else begins.isoformat().replace("+00:00", "Z"),
    }
    later = "" if begins is None else f" until it starts at {moment(begins)} UTC"
    return document, f"{started.pk} {started.workflow} {started.version} is {started.state}{later}"


def status_of(refused: OrchestratorError) -> str:
    """Return whether a start was refused for what it asked, or could not be looked at."""
    return "REJECTED" if isinstance(refused, Refused) else "ERROR"


def _overrides(options: dict[str, Any]) -> dict[str, Any]:
    found = {"timeout": options["instance_timeout"], "priority": options["priority"]}
    overrides: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    steps: dict[str, dict[str, Any]] = {}
    for option, key in OF_STEPS.items():
        for step, text in _pairs(option, options[option]):
            own = steps.setdefault(step, {})
            if key in own:
                raise CommandError(f"{_spelt(option)} names {step} twice", returncode=2)
            own[key] = int(text) if key == "max_attempts" and text.isascii() and text.isdigit() else text
    return overrides | ({"steps": steps} if steps else {})


def _pairs(option: str, given: Sequence[str]) -> list[tuple[str, str]]:
    parts = [each.partition("=") for each in given]
    if any(not (step and equals and text) for step, equals, text in parts):
        raise CommandError(f"{_spelt(option)} takes STEP=VALUE", returncode=2)
    return [(step, text) for step, _, text in parts]


def _spelt(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _waiting(text: str) -> float:
    try:
        return float(text)
    except ValueError as problem:
        message = "must be a number of seconds to wait; the instance's own time-out is --instance-timeout"
        raise ArgumentTypeError(message) from problem


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as problem:
        raise _refused("at", f"`{text[:40]}` is no time such as 2026-12-01T08:00Z", "INVALID_TIME") from problem


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except InvalidDuration as problem:
        raise _refused("in", problem.message, "INVALID_TIME") from problem


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as problem:
        raise _refused("id", f"`{text[:60]}` is no UUID", "INVALID_ID") from problem


def _refused(path: str, message: str, code: str) -> InputInvalid:
    return InputInvalid(f"{path}: {message}", code=code, problems=[Problem(code=code, path=path, message=message)])
