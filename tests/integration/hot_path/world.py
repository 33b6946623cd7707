"""Several workers on one instance, an impatient operator and a clock: Hypothesis says what happens next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.integration.driver import Driver
from tests.integration.hot_path import deciders
from tests.integration.hot_path.deciders import Pair
from tests.integration.hot_path.documents import JSON, outputs, text_of
from workflows_app.models import Dispatch, Instance, Timer
from workflows_app.services import claims, instances, interventions, steps, sweep, verification
from workflows_app.services.claims import Claim, Onward

ERROR = {"code": "BOOM", "message": "no", "details": {}, "recoverable": True}


@dataclass(eq=False)
class Worker:
    """A step in hand, and the steps that came with its message."""

    claim: Claim
    mates: list[tuple[str, int]] = field(default_factory=list)


class World:
    """One instance and everybody who acts on it.

    Args:
        data: Hypothesis' source of choices.
        document: the workflow.
        input: the instance's input.
        overrides: what its start overrides.
    """

    def __init__(
        self, data: st.DataObject, document: dict[str, Any], input: Any = None, overrides: dict[str, Any] | None = None
    ) -> None:
        self.draw = data.draw
        self.driver = Driver()
        self.driver.advance(self.draw(st.sampled_from([0, 0.5, 0.000001])))
        self.instance: Instance = self.driver.start(text_of(document), input, overrides=overrides)
        self.workers: list[Worker] = []
        self.pairs: list[Pair] = []
        """Both answers to every success."""

    def live(self, *, trouble: bool, most: int = 40) -> None:
        """Let things happen until nothing is left to do; then the history must be whole.

        Args:
            trouble: whether steps fail, leases expire and the operator pauses and cancels.
            most: how much may happen at most.
        """
        for _ in range(most):
            likely = ["report"] * 4 * bool(self.workers) + ["message"] * 2 * Dispatch.objects.exists()
            if likely and trouble and self._now_and_then():
                likely = ["cancel", "expire", "pause", *["fail"] * 2 * bool(self.workers)]
            if self._is_paused():
                likely = ["resume", *["report"] * 2 * bool(self.workers)]
            if likely:
                getattr(self, f"_{self.draw(st.sampled_from(likely))}")()
            elif Timer.objects.exclude(path="").exists():
                self._wait()
            else:
                break
        assert verification.verify_history(self.instance.pk) is None
        assert verification.check_replay(self.instance.pk) == []

    def _now_and_then(self) -> bool:
        # A number from the middle: Hypothesis is fond of the ends of a range.
        return self.draw(st.integers(0, 14)) == 8

    def _message(self) -> None:
        """A worker gets a message with one or several steps; another may have got some of them as well."""
        rows = list(Dispatch.objects.order_by("id").values_list("path", "generation"))
        first, *mates = self.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4, unique=True))
        claim = claims.claim(
            instance_id=self.instance.pk, path=first[0], generation=first[1], worker=f"w{len(self.workers)}"
        )
        assert claim is not None
        self.workers.append(Worker(claim, mates))

    def _report(self) -> None:
        """A worker's step succeeds: both ways are tried, then one of them is taken and the worker goes on."""
        worker = self.draw(st.sampled_from(self.workers))
        output = self._returned(worker.claim)
        goes_on = self.draw(st.integers(0, 3)) != 2
        self.pairs.append(deciders.decide(worker.claim, output, mates=worker.mates, goes_on=goes_on))

        onward = Onward(goes_on=lambda: goes_on, mates=worker.mates)
        if self.draw(st.booleans()):
            steps.succeeded(claim=worker.claim, output=output, onward=onward)
        else:
            with deciders.only_the_engine():
                steps.succeeded(claim=worker.claim, output=output, onward=onward)
        self._go_on(worker, onward)

    def _returned(self, claim: Claim) -> Any:
        """What the activity returns: something of its own, or what it was given, more or less."""
        given = claim.parameters
        match self.draw(st.integers(0, 9)) if isinstance(given, dict) and given else 0:
            case 4 | 5:
                return given
            case 6:
                return {**given, "more": self.draw(JSON)}
            case 7:
                return given[self.draw(st.sampled_from(sorted(given)))]
            case 8:
                for value in given.values():
                    if isinstance(value, list):
                        value.append(1)
                    if isinstance(value, dict):
                        value["more"] = 1
                return given
        return self.draw(outputs())

    def _fail(self) -> None:
        worker = self.draw(st.sampled_from(self.workers))
        onward = Onward(goes_on=lambda: True, mates=worker.mates)
        steps.failed(claim=worker.claim, error=ERROR, onward=onward)
        self._go_on(worker, onward)

    def _go_on(self, worker: Worker, onward: Onward) -> None:
        following = onward.next or deciders.next_mate(worker.claim, onward)
        if following is None:
            self.workers.remove(worker)
        else:
            worker.claim, worker.mates = following, list(onward.mates)

    def _cancel(self) -> None:
        instance = Instance.objects.get(pk=self.instance.pk)
        if instance.state == "running" and instance.ending is None:
            instances.cancel(instance_id=instance.pk, actor="ada", compensate=self.draw(st.booleans()))

    def _is_paused(self) -> bool:
        return Instance.objects.filter(pk=self.instance.pk, state="paused").exists()

    def _pause(self) -> None:
        if Instance.objects.filter(pk=self.instance.pk, state="running", ending=None).exists():
            interventions.pause(instance_id=self.instance.pk, actor="ada")

    def _resume(self) -> None:
        interventions.resume(instance_id=self.instance.pk, actor="ada")

    def _expire(self) -> None:
        """Every lease expires; the workers do not know and will report all the same."""
        self.driver.advance(9)
        sweep.end_overdue_attempts()

    def _wait(self) -> None:
        due = Timer.objects.exclude(path="").order_by("due_at").values_list("due_at", flat=True)[0]
        self.driver.set_clock(max(due, self.driver.now))
        sweep.fire_timers()
