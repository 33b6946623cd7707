"""Feeding the sample orders: each starts one instance, once, and somebody watches how they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

WORKFLOW: Final = "order-processing"
ACTOR: Final = "installation"
# File of the state folder.
MARK: Final = "sample_orders"


def sample_orders(*, count: int | None = None, run: str | None = None) -> list[dict[str, Any]]:
    """The orders of the example's file.

    Args:
        count: how many of them; all by default.
        run: a label for their ids, so that a shop that knows them takes them again.
    """
    from examples.order_processing import orders

    return list(orders.load(run=run))[:count]


def start(orders: Iterable[Mapping[str, Any]]) -> Iterator[UUID]:
    """Start an instance for each order, one at a time; an order that was fed before yields its instance again."""
    from workflows_app.services import instances

    for order in orders:
        key = f"sample-order:{order['order_id']}"
        instance = instances.start(
            name=WORKFLOW, input=dict(order), idempotency_key=key, correlation_id=str(order["order_id"]), actor=ACTOR
        )
        yield instance.id


def already_fed(orders: Sequence[Mapping[str, Any]], state_dir: Path) -> bool:
    """Whether the orders were fed to this database before, also where their instances were purged since."""
    from workflows_app.models import Instance

    try:
        if (state_dir / MARK).read_text() == database_mark():
            return True
    except FileNotFoundError:
        pass
    keys = [f"sample-order:{order['order_id']}" for order in orders]
    return Instance.objects.filter(workflow=WORKFLOW, idempotency_key__in=keys).count() == len(keys)


def remember(state_dir: Path) -> None:
    """Keep in mind that this database has had its sample orders."""
    (state_dir / MARK).write_text(database_mark())


def database_mark() -> str:
    """What tells this database from one that is made anew later: when it got the workflow."""
    from workflows_app.models import DefinitionVersion

    versions = DefinitionVersion.objects.filter(definition__name=WORKFLOW).order_by("published_at")
    return str(versions.values_list("published_at", flat=True).first())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a set of instances is.

    Args:
        states: number of instances in each state.
        expected: how many there should be.
    """

    states: Mapping[str, int] = field(default_factory=dict)
    expected: int = 0

    @property
    def ended(self) -> int:
        """Instances that reached an end."""
        from workflows_app.engine.states import INSTANCE_ENDED

        return sum(count for state, count in self.states.items() if state in INSTANCE_ENDED)

    @property
    def lost(self) -> int:
        """Accepted instances that have not ended."""
        return self.expected - self.ended

    def __str__(self) -> str:
        return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(self.states.items()))


def tally(ids: Sequence[UUID]) -> Tally:
    """Count the instances with these ids by state."""
    from django.db.models import Count

    from workflows_app.models import Instance

    rows = Instance.objects.filter(id__in=ids).order_by().values_list("state").annotate(Count("id"))
    return Tally(states=dict(rows), expected=len(ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the instances took.

    Args:
        executed: attempts that were made, undo included.
        repeated: attempts whose worker was lost, so that the step ran again.
    """

    executed: int
    repeated: int


def work(ids: Sequence[UUID]) -> Work:
    """Count the attempts of the instances with these ids."""
    from workflows_app.engine.states import AttemptState
    from workflows_app.models import Attempt

    states = Counter(Attempt.objects.filter(instance_id__in=ids).values_list("state", flat=True))
    return Work(executed=sum(states.values()), repeated=states[AttemptState.LOST])
