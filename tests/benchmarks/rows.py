"""One line of the result: what was measured on either side, and whether the ratio held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final

from tests.benchmarks.arithmetic import Target, ratio

PLAIN: Final = "plain Celery"
BEST: Final = "best"
# Units of what pools can be compared by; milliseconds are better the fewer they are.
RANKED: Final = ("steps/s", "starts/s", "ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A measure and what it is held against.

    Args:
        workload: its key.
        title: for people.
        broker, pool, variant: the arrangement; variant says whether fusion was on.
        unit: of the values.
        against: whose values the ratio divides by.
        plain: the values that ours are held against, one for each repetition.
        ours: ours.
        target: what the ratio must hold, if anything was asked.
        busy: share of the machine (per cent) that others used during each run, in the order of the runs.
        error: why there are no values.
        note: what a reader has to know.
    """

    workload: str
    title: str
    broker: str
    pool: str
    variant: str
    unit: str
    against: str = PLAIN
    plain: Sequence[float] = ()
    ours: Sequence[float] = ()
    target: Target | None = None
    busy: Sequence[float] = field(default_factory=list)
    error: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by what it is held against, of the medians."""
        return ratio(self.ours, self.plain)

    @property
    def held(self) -> bool | None:
        """Whether the target is met; None where nothing was asked. What broke did not hold."""
        if self.error:
            return False
        return None if self.target is None or self.ratio is None else self.target.held(self.ratio)

    @property
    def grossly_missed(self) -> bool:
        """Whether this is a regression that no noise explains; what broke is one."""
        if self.error:
            return True
        return self.target is not None and self.ratio is not None and self.target.grossly_missed(self.ratio)

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-like data."""
        found = self.ratio
        return {
            "workload": self.workload,
            "title": self.title,
            "broker": self.broker,
            "pool": self.pool,
            "variant": self.variant,
            "unit": self.unit,
            "against": self.against,
            "plain": [round(value, 3) for value in self.plain],
            "ours": [round(value, 3) for value in self.ours],
            "plain_median": round(median(self.plain), 3) if self.plain else None,
            "ours_median": round(median(self.ours), 3) if self.ours else None,
            "ratio": None if found is None else round(found, 3),
            "target": None
            if self.target is None
            else {"bound": self.target.bound, "lower_is_better": self.target.lower_is_better},
            "held": self.held,
            "others_percent": list(self.busy),
            "error": self.error,
            "note": self.note,
        }


def at_their_best(rows: Sequence[Row]) -> list[Row]:
    """Each workload with either side in the pool that suits it best, where more than one was measured.

    Args:
        rows: of the pools one by one.

    Returns:
        One row for each broker, workload and variant; its title says which pools those are.
    """
    found = []
    for key in dict.fromkeys((row.broker, row.workload, row.variant) for row in rows):
        same = [row for row in rows if (row.broker, row.workload, row.variant) == key]
        whole = [row for row in same if row.plain and row.ours and row.against == PLAIN]
        if len(whole) < 2 or whole[0].unit not in RANKED:
            continue
        chosen = min if whole[0].unit == "ms" else max
        plain = chosen(whole, key=lambda row: median(row.plain))
        ours = chosen(whole, key=lambda row: median(row.ours))
        best = replace(plain, pool=BEST, ours=ours.ours, busy=[*plain.busy, *ours.busy])
        found.append(replace(best, note="", title=f"{plain.title} (plain: {plain.pool}, ours: {ours.pool})"))
    return found


def read(data: dict[str, Any]) -> Row:
    """The row that ``as_dict`` wrote."""
    target = data["target"]
    return Row(
        target=None if target is None else Target(**target),
        busy=data["others_percent"],
        **{
            name: data[name]
            for name in (
                "workload",
                "title",
                "broker",
                "pool",
                "variant",
                "unit",
                "against",
                "plain",
                "ours",
                "error",
                "note",
            )
        },
    )
