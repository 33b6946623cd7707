"""The page on history lists every event type, and of each no less than what it really carries."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict

import pytest
from django.db import connection

from tests.integration.decision_tables.documents import publish
from tests.integration.docs.pages import DOCS, code, names, table
from tests.integration.driver import Driver
from workflows_app.engine.errors import ActivityError, AttemptCancelled
from workflows_app.engine.events import EventType
from workflows_app.engine.transitions import Act
from workflows_app.models import Event, Instance
from workflows_app.selectors import results
from workflows_app.services import (
    decisions,
    definitions,
    instances,
    interventions,
    machines,
    migrating,
    rewinds,
    sections,
    steps,
    sweep,
    undos,
)
from workflows_app.services.steps import Claim

LEASE_IS_OVER = 20
TYPES = table(DOCS / "history.md", "Types")

EVERYTHING = """
workflow: everything
version: 1.0.0
variables: {v: 0}
steps:
  - {id: off, disabled: true, activity: core.echo}
  - {id: put, set: {v: 1}, when: vars.v == 0}
  - id: which
    choice:
      - when: vars.v == 1
        steps: [{id: here, activity: core.echo}]
      - steps: [{id: there, activity: core.echo}]
  - id: race
    parallel:
      join: any
      branches: {left: [{id: good, activity: core.echo}], right: [{id: bad, activity: core.echo}]}
  - {id: slow, activity: core.echo, deadline: 1s, retry: {max_attempts: 9, initial_interval: 9s}, on_error: continue}
  - {id: odd, activity: core.echo, retry: {when: error.details.nothing}, on_error: {output: 1}}
  - id: kind
    activity: core.echo
    retry:
      initial_interval: 0
      limits: [{when: error.nothing, max_attempts: 2}, {code: ActivityError, max_attempts: 2}]
    on_error: continue
  - {id: instead, activity: core.echo, on_error: {fallback: {activity: core.echo}}}
  - {id: near, activity: core.echo, needs: [instead], idempotency_key: "near ${ instance.id }"}
  - {id: far, wait: {for: 1d}, needs: [instead]}
  - {id: some, activity: core.echo, needs: [near, far], join_deadline: 1s, rest: cancel}
  - {id: lost, activity: core.echo, compensate: {activity: core.echo}}
  - {id: stuck, activity: core.echo, compensate: {activity: core.echo}}
  - {id: pause, wait: {for: 1s}}
  - {id: end, fail: {code: END}}
"""
RETURNING = """
workflow: returning
version: 1.0.0
steps:
  - id: both
    parallel:
      branches: {one: [{id: work, activity: core.echo}], two: [{id: stop, return: {output: 1}}]}
"""

REPEATING = """
workflow: repeats
version: 1.0.0
variables: {v: 0}
steps:
  - {id: each, foreach: {items: [1], steps: [{id: one, activity: core.echo, compensate: {activity: core.echo}}]}}
  - {id: again, loop: {times: 1, steps: [{id: two, set: {v: 1}}]}}
  - {id: no, fail: {code: NO}}
"""
CHOOSING = """
workflow: choosing
version: 1.0.0
steps: [{id: a, adhoc: {steps: [{id: b, activity: core.echo}]}}]
"""
MACHINE = """
workflow: machine
version: 1.0.0
kind: state_machine
initial: open
states: {open: {}, held: {timeout: 1h, on_timeout: late}, late: {}, over: {terminal: true}}
transitions:
  - {from: open, to: held, event: hold, do: [{activity: core.echo, compensate: {activity: core.echo}}]}
  - {from: held, to: over, event: end, do: [{activity: core.echo}]}
  - {from: late, to: over, event: stop, compensate: true}
"""


CALLING = """
workflow: calling
version: 1.0.0
steps:
  - {id: done, activity: core.echo, compensate: {activity: core.echo}}
  - {id: aside, when: input.deeper > 0, call: {workflow: calling, input: {deeper: 0}, wait: false}}
  - {id: below, when: input.deeper > 0, call: {workflow: calling, input: {deeper: 0}}}
  - {id: no, when: input.deeper > 0, fail: {code: NO}}
"""


def fails(claim: Claim) -> None:
    raise ActivityError("no", details={"effect": "unknown"})


def gives_way(claim: Claim) -> None:
    raise AttemptCancelled("told to stop")


@pytest.fixture
def events(driver: Driver) -> dict[str, set[str]]:
    """What events of each type carried, over instances that meet everything."""

    def is_lost_once(claim: Claim) -> object:
        if claim.number == 1:
            driver.advance(LEASE_IS_OVER)
            sweep.end_overdue_attempts()
        return claim.parameters

    driver.perform = dict.fromkeys(("bad", "slow", "odd", "instead", "undo_stuck"), fails) | {"lost": is_lost_once}
    see_to_undos(driver, driver.start(EVERYTHING))
    cancelled = driver.start(EVERYTHING.replace("everything", "cancelled").replace("for: 1s", "for: 1h"))
    driver.drain()
    instances.cancel(instance_id=cancelled.pk, actor="ada", compensate=False)
    terminated = driver.start(EVERYTHING.replace("everything", "terminated"))
    instances.terminate(instance_id=terminated.pk, actor="ada", reason="enough")
    driver.perform = {"work": gives_way}
    driver.run(driver.start(RETURNING))
    publish()
    asking = "[{id: a, decide: {table: discounts, input: {customer: gold, amount: 1}}}]"
    driver.run(driver.start(f"workflow: asking\nversion: 1.0.0\nsteps: {asking}"))
    driver.run(driver.start("workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"))
    driver.start("workflow: failing\nversion: 1.0.0\nsteps: [{id: a, fail: {code: A}}]")
    saga = "workflow: saga\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, compensate: {activity: core.echo}}, "
    driver.run(driver.start(saga + "{id: b, fail: {code: B}}]"))
    spared = "workflow: spared\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, compensate: "
    driver.run(driver.start(spared + "{activity: core.echo, when: 'false'}}, {id: b, fail: {code: B}}]"))
    limited = "workflow: limited\nversion: 1.0.0\nconcurrency: {limit: 1}\nsteps: [{id: a, activity: core.echo}]"
    running, pending, cancelled = (driver.start(limited) for _ in range(3))
    instances.cancel(instance_id=cancelled.pk, actor="ada", reason="enough")
    driver.run(running)
    decisions.begin(pending.pk)
    cached = "workflow: cached\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, cache: {ttl: 1h}}]"
    driver.run(driver.start(cached))
    driver.start(cached)
    talks = "[{id: a, needs: [], emit: {event: e}}, {id: b, needs: [], receive: {event: e, timeout: 1d}}]"
    driver.run(driver.start(f"workflow: talking\nversion: 1.0.0\nsteps: {talks}"))
    driver.run(driver.start(CALLING, {"deeper": 1}))
    unbegun = driver.start(CALLING, {"deeper": 1})
    driver.work(driver.claim_next(unbegun.pk))
    instances.cancel(instance_id=unbegun.pk, actor="ada")
    driver.drain()
    run_machine(driver)
    driver.run(driver.start(REPEATING))
    choosing = driver.start(CHOOSING)
    for act in (Act.ADD, Act.SKIP, Act.PICK):
        sections.choose(instance_id=choosing.pk, section="a", member="b", act=act, person="ada")
    driver.run(choosing)
    run_paused(driver)
    go_back(driver)
    start_later(driver)
    migrate(driver)
    found: dict[str, set[str]] = defaultdict(set)
    for event in Event.objects.all():
        found[event.type] |= set(event.data)
    return found


def see_to_undos(driver: Driver, instance: Instance) -> None:
    """An undo fails, fails again, is given up, and turns out to have been done by hand."""
    driver.run(instance)
    by_operator = {"instance_id": instance.pk, "step": "stuck", "actor": "ada", "reason": "why not"}
    undos.retry(**by_operator)
    driver.run(instance)
    undos.skip(**by_operator)
    undos.done(**by_operator)


def go_back(driver: Driver) -> None:
    """An instance runs again from a step, with other parameters; there is something to undo first."""
    a = "{id: a, activity: core.echo, compensate: {activity: core.echo}}"
    instance = driver.start(f"workflow: back\nversion: 1.0.0\nsteps: [{a}]")
    driver.run(instance)
    rewinds.rerun(instance_id=instance.pk, step="a", parameters={"v": 1}, actor="ada", reason="wrong")
    driver.run(instance)


def start_later(driver: Driver) -> None:
    """Starts with all that may be given, at once and at a time; one of them gets another tag."""
    later = "workflow: later\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"
    given = {"tags": ["urgent"], "overrides": {"timeout": "1h"}}
    driver.run(driver.start(later, **given))
    instance = driver.start(later, after=60.0, **given)
    interventions.tag(instance_id=instance.pk, add=["late"], actor="ada", reason="not today")
    driver.run(instance)


def migrate(driver: Driver) -> None:
    """An instance goes on by another version, in which a step that holds a time of its own has another name."""
    first = "workflow: moving\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"
    instance = driver.start(first, overrides={"steps": {"a": {"timeout": "9s"}}})
    definitions.publish(text=first.replace("1.0.0", "2.0.0").replace("id: a", "id: b"), actor="ada")
    migrating.migrate(instance_id=instance.pk, version="2.0.0", renames={"a": "b"}, actor="ada", reason="clearer")
    driver.run(instance)


def run_paused(driver: Driver) -> None:
    """A pause in which an attempt fails, a deadline passes and a timer comes due."""
    body = "{activity: core.echo, needs: [], id: "
    steps = f"[{body} bad}}, {body} slow, timeout: 9s}}, {{id: nap, needs: [], wait: {{for: 1s}}}}]"
    driver.perform = {"bad": fails}
    instance = driver.start(f"workflow: paused\nversion: 1.0.0\nvariables: {{v: 0}}\nsteps: {steps}")
    claims = [driver.claim_next(instance.pk) for _ in range(2)]
    interventions.pause(instance_id=instance.pk, actor="ada", reason="lunch")
    driver.work(claims[0])
    driver.advance(10)
    sweep.end_overdue_attempts()
    sweep.fire_timers()
    interventions.set_variables(instance_id=instance.pk, actor="ada", variables={"v": 2}, reason="wrong")
    interventions.resume(instance_id=instance.pk, actor="ada", reason="coffee", variables={"v": 1})
    driver.run(instance)
    interventions.retry(instance_id=instance.pk, actor="ada", reason="mended")
    driver.run(instance)
    again = "workflow: hurried\nversion: 1.0.0\nsteps: [{id: bad, activity: core.echo, retry: {max_attempts: 3}}]"
    instance = driver.start(again)
    driver.work(driver.claim_next(instance.pk))
    interventions.run_now(instance_id=instance.pk, step="bad", actor="ada", reason="now")
    interventions.skip(instance_id=instance.pk, step="bad", actor="ada", reason="enough")


def run_machine(driver: Driver) -> None:
    """A machine that queues, refuses, times out late and undoes."""

    def send(event: str) -> None:
        machines.send_event(instance_id=instance.pk, event=event, actor="ada")

    driver.perform = {"end[1].echo": fails}
    instance = driver.start(MACHINE)
    send("hold")
    send("hold")
    driver.drain()
    send("end")
    driver.advance(3600)
    sweep.fire_timers()
    driver.drain()
    send("stop")
    driver.drain()


def test_every_type_is_listed_in_order() -> None:
    listed = [code(row[0]) for row in TYPES]

    assert sorted(listed) == sorted(EventType)


def test_every_type_carries_what_the_page_says(events: dict[str, set[str]]) -> None:
    assert set(events) == set(EventType)
    for name, keys, _ in TYPES:
        always = names("".join(keys.split("*")[::2]))
        carried = events[code(name)]
        assert carried <= names(keys), name
        assert carried >= always, name


def test_what_is_always_there_is_in_every_event(events: dict[str, set[str]]) -> None:
    always = {code(name): names("".join(keys.split("*")[::2])) for name, keys, _ in TYPES}

    for event in Event.objects.all():
        assert set(event.data) >= always[event.type], f"{event.type} of {event.step}: {event.data}"


def test_the_hashes_are_made_as_the_page_says(driver: Driver) -> None:
    instance = driver.start("workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]")
    driver.run(instance)

    before = b""
    for event in Event.objects.filter(instance=instance).order_by("sequence"):
        at = int(event.at.timestamp()) * 1_000_000 + event.at.microsecond
        parts = [str(instance.pk), event.sequence, event.type, event.step, at, event.actor, event.data]
        before = hashlib.sha256(before + as_jsonb(parts).encode()).digest()
        assert before == bytes(event.hash)

    assert before == bytes(Instance.objects.get(pk=instance.pk).head_hash)


def as_jsonb(parts: list[object]) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [json.dumps(parts)])
        return str(cursor.fetchone()[0])


def test_the_page_and_the_shell_agree_on_an_event(driver: Driver) -> None:
    instance = driver.start("workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]")
    fields = {code(row[0]) for row in table(DOCS / "history.md", "An event")}

    assert {key for event in results.history(instance.pk) for key in event} == fields
    assert steps.claim(instance_id=instance.pk, path="a", generation=9, worker="test") is None
