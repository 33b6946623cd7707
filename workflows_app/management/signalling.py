"""``workflow signal``: an event from outside for one instance."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.management.reading import read_input
from workflows_app.services import machines, signals
from workflows_app.taming import tame


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("event", metavar="EVENT", help="its type")
    parser.add_argument("--data", default="null", help="JSON, or @FILE")
    parser.add_argument(
        "--expect", type=int, metavar="N", help="refuse unless the instance is at this version (`show` prints it)"
    )


def send(*, instance_id: UUID, event: str, data: str, expect: int | None, actor: str) -> tuple[dict[str, Any], str]:
    """Send the event, to the machine or to whichever step receives it; return the answer as a document and as text."""
    value = read_input(data, "data")
    if expect is None and not machines.is_machine(instance_id):
        number = signals.signal(instance_id=instance_id, event=event, data=value, actor=actor)
        told = f"{instance_id} is sent {tame(event)} (event {number})"
        return {"id": str(instance_id), "event": event, "event_id": number}, told
    found = machines.send_event(instance_id=instance_id, event=event, data=value, actor=actor, expected_version=expect)
    document = {
        "id": str(instance_id),
        "event": event,
        "state": found.state.value,
        "machine_state": found.machine_state,
        "transition": found.machine_transition,
        "waiting": len(found.machine_queue),
        "sequence": found.sequence,
    }
    return document, f"{instance_id}: {tame(event)} is accepted; {_stands(found)}"


def _stands(found: InstanceSnapshot) -> str:
    if found.machine_queue:
        return f"it waits for its turn, {len(found.machine_queue)} wait in all"
    if found.machine_transition is not None:
        return f"{found.machine_transition} is under way in {found.machine_state}"
    return f"the machine is in {found.machine_state}"
