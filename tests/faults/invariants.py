"""What holds after every fault (I1-I5 and I7 of the fault matrix), read from what the product tells an operator.

Nothing here looks into the engine: the history, the commands ``replay --check`` and ``audit verify``, one query for
attempts that nobody renews, and the calls that the outside world saw. What operators had done again counts anew: a
retry and a way back take outcomes back, a rerun is other work with keys of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg2

from tests.faults.undos import undone
from tests.services.product import Product
from workflows_app.engine.states import INSTANCE_ENDED

SETTLED = {f"step.{state}" for state in ("completed", "failed", "timed_out", "skipped", "cancelled")}
TAKEN_BACK = {"instance.retried": ("pending", "open"), "instance.rewound": ("again", "pending", "open")}
"""Where the events of operators name the steps whose outcomes they take back."""

Events = list[dict[str, Any]]


def check(product: Product, instances: Iterable[str], *, repeats: Iterable[str] = ()) -> None:
    """Fail with every violated invariant at once.

    Args:
        product: the installation, with nothing left to do.
        instances: the accepted ones.
        repeats: steps whose effect this fault may repeat; every other one has its effect once.
    """
    instances, violations = list(instances), []
    for instance in instances:
        view = product.show(instance)
        events = product.history(instance)
        document = product.documents[view["workflow"]]
        for problem in (
            *ended(view),
            *one_outcome(view, events),
            *one_attempt(events),
            *gapless(events),
            *one_key(product.calls(instance=instance), events, set(repeats)),
            *undone(document, view, events),
        ):
            violations.append(f"{view['workflow']} {instance}: {problem}")
    violations += unattended(product)
    for command in (("replay", "--check", *instances), ("audit", "verify")):
        answer = product.command(*command)
        if answer.code != 0:
            violations.append(f"{' '.join(command)} exits {answer.code}: {answer.out}{answer.err}")
    assert not violations, "\n".join([*violations, product.tails()])


def ended(view: Mapping[str, Any]) -> Iterator[str]:
    """I1: every accepted instance ends."""
    if view["state"] not in INSTANCE_ENDED:
        yield f"I1 is {view['state']}, steps {view['steps']}"


def one_outcome(view: Mapping[str, Any], events: Events) -> Iterator[str]:
    """I2: one recorded outcome for each step, and one more for each time that an operator took it back."""
    settled: set[str] = set()
    owed: set[str] = set()
    for event in events:
        back = {path for key in TAKEN_BACK.get(event["type"], ()) for path in event["data"][key]}
        settled, owed = settled - back, owed | back
        if event["type"] in SETTLED:
            if event["step"] in settled:
                yield f"I2 step {event['step']} has a second outcome, event {event['sequence']} {event['type']}"
            settled.add(event["step"])
    if view["state"] != "terminated" and owed - settled:
        yield f"I2 steps {sorted(owed - settled)} were taken back and have no outcome since"


def one_attempt(events: Events) -> Iterator[str]:
    """I3: attempts are numbered without a gap, and what is recorded is of the running one."""
    started: dict[str, int] = {}
    for event in events:
        number = event["data"].get("attempt")
        if event["type"] == "step.started":
            if number != started.get(event["step"], 0) + 1:
                yield f"I3 step {event['step']} starts attempt {number} after {started.get(event['step'], 0)}"
            started[event["step"]] = number
        elif number is not None and number != started.get(event["step"]):
            yield f"I3 {event['type']} of step {event['step']} records attempt {number} while another one runs"


def gapless(events: Events) -> Iterator[str]:
    """I5, the part that one history shows."""
    if [event["sequence"] for event in events] != list(range(1, len(events) + 1)):
        yield f"I5 sequence numbers {[event['sequence'] for event in events]}"


def one_key(calls: Iterable[Mapping[str, Any]], events: Events, repeats: set[str]) -> Iterator[str]:
    """I2: one idempotency key for each run of a step and role, none shared, and no effect twice but where it may be.

    It may be where the fault forbids it not, and an undo once more for each time that an operator had it run again.
    """
    runs, allowed = _runs(events)
    keys: dict[tuple[str, str, int], set[str]] = {}
    effects: Counter[tuple[str, str, int]] = Counter()
    for call in calls:
        if (run := runs.get((call["step"], call["attempt"]))) is None:
            yield f"I3 attempt {call['attempt']} of step {call['step']} was performed and never started"
            continue
        place = call["step"], call["role"], run
        keys.setdefault(place, set()).add(call["key"])
        effects[place] += call["call"] in ("effect", "undo")
    for place, seen in keys.items():
        if len(seen) != 1:
            yield f"I2 {place} was called with the keys {sorted(seen)}"
    if len({key for seen in keys.values() for key in seen}) != len(keys):
        yield f"I2 two places share an idempotency key: {keys}"
    for place, count in effects.items():
        if count > 1 + allowed[place] and place[0] not in repeats:
            yield f"I2 {place} had its effect {count} times"


def _runs(events: Events) -> tuple[dict[tuple[str, int], int], Counter[tuple[str, str, int]]]:
    """Return to which run of its step each attempt belongs, and how often an undo may repeat its effect."""
    run: Counter[str] = Counter()
    runs: dict[tuple[str, int], int] = {}
    allowed: Counter[tuple[str, str, int]] = Counter()
    for event in events:
        if event["type"] == "instance.rewound":
            run.update(event["data"]["again"])
        elif event["type"] == "step.started":
            runs[event["step"], event["data"]["attempt"]] = run[event["step"]]
        elif event["type"] == "step.undo_retried":
            allowed[event["step"], "compensation", run[event["step"]]] += 1
    return runs, allowed


def unattended(product: Product) -> Iterator[str]:
    """I7: nothing is running whose lease ran out longer ago than the sweep needs, nor in an instance that ended."""
    query = """
        SELECT instance.state, count(*)
        FROM workflows_app_attempt AS attempt
        JOIN workflows_app_instance AS instance ON instance.id = attempt.instance_id
        WHERE attempt.state = 'running' AND (
            attempt.lease_expires_at < now() - interval '5 seconds' OR instance.ended_at IS NOT NULL
        )
        GROUP BY instance.state
    """
    with closing(psycopg2.connect(product.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        for state, count in cursor.fetchall():
            yield f"I7 {count} attempts run without a live lease in instances that are {state}"
