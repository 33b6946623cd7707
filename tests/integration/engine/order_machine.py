"""An order as a state machine, what it is told, and where it stands."""

from __future__ import annotations

from typing import Any

from tests.integration.driver import Driver
from workflows_app.models import Event, Instance
from workflows_app.services import machines

ORDER = """
workflow: order
version: 1.0.0
kind: state_machine
variables: {attempts: 0, check: null, paid: null}
initial: created
states:
  created: {}
  pending: {timeout: 2h, on_timeout: unpaid}
  unpaid: {}
  paid: {}
  cancelled: {terminal: true}
  shipped: {terminal: true}
transitions:
  - from: created
    to: pending
    event: checked
    do:
      - {activity: core.echo, with: {order: "${ event.data.order }", at: "${ state }"}, result: check,
         compensate: {activity: core.echo, with: {release: "${ output.order }", in: "${ state }"}}}
    set: {attempts: "${ vars.attempts + 1 }"}
  - from: [pending, unpaid]
    to: paid
    event: pay
    when: event.data > 0
    do:
      - {activity: core.echo, with: {amount: "${ event.data }"}, result: paid,
         retry: {max_attempts: 3, initial_interval: 1s},
         compensate: {activity: core.echo, with: {refund: "${ output.amount }"}}}
    then: [{activity: core.echo, with: {mail: "${ state }"}}]
  - {from: unpaid, to: pending, event: again, when: vars.attempts < 3, set: {attempts: "${ vars.attempts + 1 }"}}
  - {from: [created, pending, paid], to: cancelled, event: cancel, compensate: true}
  - {from: paid, to: shipped, event: ship}
output: {in: "${ state }", attempts: "${ vars.attempts }", check: "${ vars.check }"}
"""


def send(instance: Instance, event: str, data: Any = None, **more: Any) -> Any:
    return machines.send_event(instance_id=instance.pk, event=event, data=data, actor="ada", **more)


def state(instance: Instance) -> str | None:
    return Instance.objects.get(pk=instance.pk).machine_state


def events(instance: Instance, kind: str) -> list[dict[str, Any]]:
    found = Event.objects.filter(instance=instance, type=kind).order_by("sequence")
    return [each.data for each in found]


def paid(driver: Driver) -> Instance:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)
    driver.drain()
    return instance
