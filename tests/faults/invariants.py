"""What holds after every fault (I1-I5 and I7 of the fault matrix), read from what the product tells an operator.

Nothing here looks into the engine: the history, the commands ``replay --check`` and ``audit verify``, one query for
attempts that nobody renews, and the calls that the outside world saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg2

from tests.services.product import Product
from workflows_app.engine.states import INSTANCE_ENDED

SETTLED = {f"step.{state}" for state in ("completed", "failed", "timed_out", "skipped", "cancelled")}
UNDONE = {"step.compensated", "step.compensation_failed"}
COMPENSATING_ENDINGS = {"compensated", "compensation_failed"}

Events = list[dict[str, Any]]


def check(product: Product, instances: Iterable[str], *, repeats: Iterable[str] = ()) -> None:
    """Fail with every violated invariant at once.

    Args:
        product: the installation, with nothing left to do.
        instances: the accepted ones.
        repeats: steps whose effect this fault may repeat; every other one has its effect once.
    """
    violations = []
    for instance in instances:
        view = product.show(instance)
        events = product.history(instance)
        document = product.documents[view["workflow"]]
        for problem in (
            *ended(view),
            *one_outcome(events),
            *gapless(events),
            *one_key(product, instance, set(repeats)),
            *undone(document, view, events),
        ):
            violations.append(f"{view['workflow']} {instance}: {problem}")
    violations += unattended(product)
    for command in (("replay", "--check"), ("audit", "verify")):
        answer = product.command(*command)
        if answer.code != 0:
            violations.append(f"{' '.join(command)} exits {answer.code}: {answer.out}{answer.err}")
    assert not violations, "\n".join([*violations, product.tails()])


def ended(view: Mapping[str, Any]) -> Iterator[str]:
    """I1: every accepted instance ends."""
    if view["state"] not in INSTANCE_ENDED:
        yield f"I1 is {view['state']}, steps {view['steps']}"


def _taken_back(event: Mapping[str, Any]) -> list[str]:
    return [*event["data"]["pending"], *event["data"]["open"]]


def one_outcome(events: Events) -> Iterator[str]:
    """I2: one recorded outcome for each step and each undo; I3: of an attempt that was the running one.

    What an operator takes back by a retry counts as one with the outcome that follows it.
    """
    again = [path for event in events if event["type"] == "instance.retried" for path in _taken_back(event)]
    for kinds in (SETTLED, UNDONE):
        for step, count in Counter(event["step"] for event in events if event["type"] in kinds).items():
            if count != 1 + (again.count(step) if kinds is SETTLED else 0):
                yield f"I2 step {step} has {count} outcomes of {sorted(kinds)}"
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


def one_key(product: Product, instance: str, repeats: set[str]) -> Iterator[str]:
    """I2: one idempotency key for each step and role, none shared, and no effect twice where the fault forbids it."""
    keys: dict[tuple[str, str], set[str]] = {}
    effects: Counter[tuple[str, str]] = Counter()
    for call in product.calls(instance=instance):
        keys.setdefault((call["step"], call["role"]), set()).add(call["key"])
        if call["call"] in ("effect", "undo"):
            effects[call["step"], call["role"]] += 1
    for place, seen in keys.items():
        if len(seen) != 1:
            yield f"I2 {place} was called with the keys {sorted(seen)}"
    if len({key for seen in keys.values() for key in seen}) != len(keys):
        yield f"I2 two places share an idempotency key: {keys}"
    for place, count in effects.items():
        if count != 1 and place[0] not in repeats:
            yield f"I2 {place} had its effect {count} times"


def undone(document: Mapping[str, Any], view: Mapping[str, Any], events: Events) -> Iterator[str]:
    """I4: exactly what may have had its effect is undone, each after all that depended on it, once."""
    needs = {step.id: step for step in walk(document["steps"])}
    uncertain: dict[str, bool] = {}
    for event in events:
        step = event["step"]
        if step not in needs or event["type"].startswith("step.compens"):
            continue
        if event["type"] == "step.completed":
            uncertain[step] = not event["data"].get("error")
        elif event["data"].get("effect_unknown"):
            uncertain[step] = True
    expected = {name for name, maybe in uncertain.items() if maybe and needs[name].compensable}
    order = [event["step"] for event in events if event["type"] in UNDONE]
    if view["state"] not in COMPENSATING_ENDINGS:
        expected = set()
    if set(order) != expected:
        yield f"I4 undone {sorted(order)}, expected {sorted(expected)}"
    place = {name: index for index, name in enumerate(order)}
    for name in order:
        for earlier in upstream(name, needs):
            if earlier in place and place[earlier] < place[name]:
                yield f"I4 {earlier} was undone before {name}, which depends on it"
    failed = any(event["type"] == "step.compensation_failed" for event in events)
    if view["state"] in COMPENSATING_ENDINGS and failed != (view["state"] == "compensation_failed"):
        yield f"I4 ended {view['state']} with the undo {order}"


class Place:
    """Where a step stands in its document."""

    def __init__(self, step: Mapping[str, Any], needs: list[str]) -> None:
        self.id = step["id"]
        self.needs = needs
        self.compensable = "compensate" in step


def walk(steps: list[Mapping[str, Any]], outer: tuple[str, ...] = ()) -> Iterator[Place]:
    """Yield every step with all it directly depends on; a step of a block depends on what the block depends on.

    A block depends on the steps inside it, so that what follows the block follows them.
    """
    before: list[str] = []
    for step in steps:
        needs = [*step.get("needs", before), *outer]
        inner = [case["steps"] for case in step.get("choice", [])]
        inner += list(step.get("parallel", {}).get("branches", {}).values())
        for part in inner:
            yield from walk(part, tuple(needs))
        yield Place(step, [*needs, *(child["id"] for part in inner for child in part)])
        before = [step["id"]]


def upstream(name: str, places: Mapping[str, Place]) -> set[str]:
    """Every step that one depends on, directly or not."""
    found: set[str] = set()
    frontier = [name]
    while frontier:
        frontier = [need for step in frontier for need in places[step].needs if need not in found]
        found.update(frontier)
    return found


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
