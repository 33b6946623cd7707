"""Lanes: queues with one worker process each, which dies at the very pass of a failpoint that the test chooses.

Several lanes share the time that it takes to find lost work. Their workers' failpoints are armed once and skip more
passes than any instance makes; the marker files stand for passes, so that a test which makes and removes them moves the
pass at which the worker dies while it lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.faults.endings import ending
from tests.faults.installations import Variant, unaided
from tests.services.processes import PATIENCE, Process, eventually

KILLED = {
    "step.executed": "kill",
    "step.advanced": "kill",
    "step.committed": "kill",
    "dispatch.published": "kill",
    "message.carried": "kill-group",
}
ANOTHER_WAY = {**KILLED, "step.committed": "raise", "dispatch.published": "kill-group"}
LANES = (KILLED, KILLED, KILLED, KILLED, ANOTHER_WAY)
"""What the failpoints of each lane's worker do."""
SKIPPED, FIRED = 30, 4
"""Passes that an armed point skips, and how often it fires then, where the test has not made markers."""
NO_TIME_LIMIT = "60"

Definition = Callable[[str], Mapping[str, Any]]
"""Makes a document whose steps go to the queue named."""


class Aim(NamedTuple):
    """A place where a worker dies: ``times`` times from the ``at``-th pass on."""

    point: str
    at: int
    times: int = 1


class Lane:
    """One queue, its worker and the passes that the worker made."""

    def __init__(self, product: Variant, queue: str, actions: Mapping[str, str]) -> None:
        self.product = product
        self.queue = queue
        self.actions = actions
        self.folder = product.folder / queue
        self.folder.mkdir(exist_ok=True)
        self.worker: Process | None = None
        self.aimed: Aim | None = None
        self.count()

    def look_after(self) -> None:
        """Start the worker if it does not run, and wait until it consumes."""
        if self.start():
            self.product.await_worker(self.worker)

    def start(self) -> bool:
        """Start the worker if it does not run; whether it did not."""
        if self.worker is not None and self.worker.alive:
            return False
        points = (f"{name}={action}@{FIRED}+{SKIPPED}" for name, action in self.actions.items())
        self.worker = self.product.start_worker(
            queue=self.queue,
            concurrency=1,
            ORCHESTRATOR_FAILPOINTS=",".join(points),
            ORCHESTRATOR_FAILPOINTS_DIR=str(self.folder),
            ORCHESTRATOR_TEST_BUDGET=NO_TIME_LIMIT,
        )
        return True

    def rest(self) -> None:
        """Wait until the worker runs and nothing is left for it: no message passes a failpoint any more."""

        def rests() -> bool:
            self.look_after()
            return self.product.messages.waiting(self.queue) == 0 and self.product.is_idle(self.worker)

        eventually(rests, PATIENCE, lambda: f"{self.queue} is idle\n{self.product.tails()}")

    def count(self) -> None:
        """Count passes from now on; nothing dies."""
        self.aimed = None
        for point in self.actions:
            self._mark(point, ())

    def aim(self, aim: Aim) -> None:
        """Let the worker die there, and nowhere else; passes are counted from now on."""
        self.aimed = aim
        for point in self.actions.keys() - {aim.point}:
            self._mark(point, range(1, SKIPPED + FIRED + 1))
        used = {*range(1, SKIPPED - aim.at + 2), *range(SKIPPED + aim.times + 1, SKIPPED + FIRED + 1)}
        self._mark(aim.point, used)

    def passes(self) -> dict[str, int]:
        """How often each point was passed since ``count``."""
        return {point: len(list(self._marked(point))) for point in self.actions}

    @property
    def fired(self) -> bool:
        """Whether the worker died as often as it was told."""
        return self.aimed is not None and len(list(self._marked(self.aimed.point))) == SKIPPED + FIRED

    def _mark(self, point: str, used: Iterable[int]) -> None:
        """Let exactly these passes have been made."""
        numbers = set(used)
        for number in numbers:
            (self.folder / f"{point}.{number}").touch()
        for number in set(range(1, SKIPPED + FIRED + 1)) - numbers:
            (self.folder / f"{point}.{number}").unlink(missing_ok=True)

    def _marked(self, point: str) -> Iterator[Any]:
        return self.folder.glob(f"{point}.[0-9]*")


class Lanes:
    """The lanes of one installation."""

    def __init__(self, product: Variant) -> None:
        self.product = product
        self.lanes = [Lane(product, f"lane{number}", actions) for number, actions in enumerate(LANES, 1)]
        begun = [lane for lane in self.lanes if lane.start()]
        for lane in begun:
            product.await_worker(lane.worker)

    def undisturbed(self, definition: Definition) -> str:
        """Run a definition once where nothing dies and nobody helps; the instance."""
        for lane in self.lanes:
            self.product.publish(definition(lane.queue))
        lane = self.lanes[0]
        lane.rest()
        lane.count()
        with unaided(self.product):
            instance = self.product.begin(definition(lane.queue)["workflow"])
            self.product.ended(instance)
        lane.rest()
        return instance

    def passes(self) -> dict[str, int]:
        """How often the undisturbed run passed each point."""
        return self.lanes[0].passes()

    def disturbed(self, definition: Definition, aims: Sequence[Aim | None], undisturbed: str) -> list[str]:
        """Run a definition in the first lanes at once, each with its own aim or none; the instances.

        Fails where a worker did not die as told, or where an instance did not end as the undisturbed one.
        """
        expected = ending(self.product, undisturbed)
        chosen = [(lane, aim) for lane, aim in zip(self.lanes, aims, strict=False) if aim is not None]
        for lane, aim in chosen:
            lane.rest()
            lane.aim(aim)
        instances = [self.product.begin(definition(lane.queue)["workflow"]) for lane, _ in chosen]
        for (lane, aim), instance in zip(chosen, instances, strict=True):
            self.product.ended(instance, meanwhile=lane.look_after)
            eventually(lambda lane=lane: lane.fired, PATIENCE, f"its worker died at {aim}")
            assert ending(self.product, instance) == expected, aim
        return instances
