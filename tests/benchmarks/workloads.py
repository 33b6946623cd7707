"""What is run, how much of it, and which ratios to plain Celery must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from tests.benchmarks.arithmetic import Target


class Shape(StrEnum):
    """What one instance looks like; ``size`` is the number in it."""

    CHAIN = "chain"  # size steps, one after the other
    FAN = "fan"  # size steps side by side and one that waits for them all
    BLOCK = "block"  # the same, written as branches of one block
    RELAY = "relay"  # size steps, each with the result of the one before as its parameter
    REVISION = "revision"  # the same, where each step changes one field of it
    SINGLE = "single"  # one step
    EACH = "each"  # a foreach over size items, with one step in it


class Measure(StrEnum):
    """What is counted."""

    STEPS = "steps/s"  # from the first start to the last end
    STARTS = "starts/s"  # nothing consumes
    LATENCY = "ms"  # from one start to its end seen, one after the other


class Fusion(StrEnum):
    """Whether consecutive and parallel small steps may share a message."""

    ON = "fused"
    OFF = "step by step"


FUSION_VARIABLE: Final = "ORCHESTRATOR_FUSION"

Bounds = Mapping[tuple[str, Fusion], Target]
"""Targets by broker and fusion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One line of the benchmark.

    Args:
        key: its short name.
        label: for people; `{}` stands for the number of instances.
        shape, size: of one instance.
        instances: how many are started; for latencies, how many one after the other.
        measure: what is counted.
        both: measured step by step as well.
        small: instances of a reduced run.
        targets: what the ratio must hold; where it is silent, nothing was asked.
    """

    key: str
    label: str
    shape: Shape
    size: int
    instances: int
    measure: Measure = Measure.STEPS
    both: bool = False
    small: int
    targets: Bounds = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The label with the number of instances."""
        return self.label.format(self.instances)

    @property
    def steps(self) -> int:
        """Steps of all instances together.

        >>> Workload(key="W", label="", shape=Shape.FAN, size=100, instances=10, small=1).steps
        1010
        """
        # A block is a step of its own to nobody: what is counted is what runs.
        return self.instances * (self.size + (self.shape in (Shape.FAN, Shape.BLOCK)))

    def reduced(self) -> Workload:
        """The same with fewer instances."""
        return replace(self, instances=self.small)

    def warming(self) -> Workload:
        """A short run of the same shape, not counted."""
        return replace(self, instances=max(2, self.instances // 5))


WORKLOADS: Final = (
    Workload(
        key="W1",
        label="{} × 10 sequential steps",
        shape=Shape.CHAIN,
        size=10,
        instances=200,
        both=True,
        small=60,
        targets={("redis", Fusion.ON): Target(bound=1.5), ("rabbitmq", Fusion.ON): Target(bound=1.2)},
    ),
    Workload(
        key="W2",
        label="{} × (100 parallel + join), needs",
        shape=Shape.FAN,
        size=100,
        instances=10,
        both=True,
        small=3,
        targets={("redis", Fusion.ON): Target(bound=1.5), ("redis", Fusion.OFF): Target(bound=0.7)},
    ),
    Workload(
        key="W2p",
        label="{} × (100 parallel + join), block",
        shape=Shape.BLOCK,
        size=100,
        instances=10,
        both=True,
        small=3,
    ),
    Workload(
        key="W3",
        label="one step, start to end seen, {} times",
        shape=Shape.SINGLE,
        size=1,
        instances=300,
        measure=Measure.LATENCY,
        small=100,
        targets={("redis", Fusion.ON): Target(bound=4, lower_is_better=True)},
    ),
    Workload(
        key="W4",
        label="{} × 200 sequential steps",
        shape=Shape.CHAIN,
        size=200,
        instances=5,
        both=True,
        small=3,
        targets={("redis", Fusion.ON): Target(bound=2.5), ("rabbitmq", Fusion.ON): Target(bound=2.0)},
    ),
    Workload(
        key="W5",
        label="{} × 10 steps, 100 kB handed on",
        shape=Shape.RELAY,
        size=10,
        instances=20,
        small=6,
        targets={("redis", Fusion.ON): Target(bound=1.5)},
    ),
    # No target: it is there so that nobody takes W5, whose steps change nothing, for what every large value costs.
    Workload(
        key="W5c",
        label="{} × 10 steps, 100 kB handed on, changed by each",
        shape=Shape.REVISION,
        size=10,
        instances=20,
        small=6,
    ),
    # Last: its workers are stopped meanwhile, and what it started is thrown away.
    Workload(
        key="W7",
        label="{} starts from one client",
        shape=Shape.CHAIN,
        size=10,
        instances=300,
        measure=Measure.STARTS,
        small=150,
        targets={("redis", Fusion.ON): Target(bound=0.7)},
    ),
)
KEYS: Final = tuple(workload.key for workload in WORKLOADS)
