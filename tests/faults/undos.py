"""I4: exactly what may have had its effect is undone, each after all that depended on it, and again only when asked.

Told from the history and the document alone. An undo of the instance goes from ``instance.compensating`` to its end,
one on the way back to a step from ``instance.rewinding`` to ``instance.rewound``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

UNDONE = {"step.compensated", "step.compensation_failed"}
UNKNOWN = ("timed_out", "lost")
"""Outcomes of attempts of which nobody knows how far they came."""


def undone(document: Mapping[str, Any], view: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Tell a history from its beginning; yield what of I4 it violates."""
    undos = Undos(document)
    for event in events:
        yield from undos.tell(event)
    if view["state"] != "terminated" and undos.due | undos.under_way:
        yield f"I4 {sorted(undos.due | undos.under_way)} stay as they are"
    if view["state"] == ("compensated" if undos.failed else "compensation_failed"):
        yield f"I4 ended {view['state']}, and the undos that failed are {sorted(undos.failed)}"


class Undos:
    """What stands outside, and what of it is still to be undone, up to one event of a history."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.places = {place.id: place for place in walk(document["steps"])}
        self.roles: dict[str, str] = {}
        self.stands: set[str] = set()
        """Steps that may have an effect which nobody has undone."""
        self.spared: set[str] = set()
        self.due: set[str] = set()
        """Those of them that the undo in hand has not come to."""
        self.under_way: set[str] = set()
        self.failed: set[str] = set()
        self.asked: set[str] = set()
        """Steps whose undo an operator has run again, and which has not begun yet."""

    def tell(self, event: Mapping[str, Any]) -> Iterator[str]:
        step, data = event["step"], event["data"]
        match event["type"]:
            case "step.started":
                self.roles[step] = data["role"]
            case "instance.compensating" if not data.get("again"):
                self.due = {name for name in self.stands if self.places[name].compensable}
            case "instance.rewinding":
                scope = self._scope(data["to"], including=data["including"])
                self.due = {name for name in self.stands & scope if self.places[name].compensable}
            case "instance.rewound":
                yield from self._rewound(set(data["again"]))
            case "step.undo_unneeded":
                if step not in self.due or not self.places[step].conditional:
                    yield f"I4 the undo of {step} is left out without a condition that says so"
                self.due.discard(step)
                self.spared.add(step)
            case "step.undo_retried":
                if step not in self.failed:
                    yield f"I4 the undo of {step}, which has not failed, is asked for again"
                self.failed.discard(step)
                self.asked.add(step)
            case "step.compensating":
                yield from self._begun(step)
            case "step.compensated" | "step.compensation_failed":
                yield from self._ended(event)
            case _ if step in self.places and self.roles.get(step) != "compensation":
                self._run(event)

    def _run(self, event: Mapping[str, Any]) -> None:
        """Take notice of what a step did, its undo apart."""
        step, data = event["step"], event["data"]
        # A step that gave an output instead of its own completed in name only; its fallback did something.
        whole = event["type"] == "step.completed" and (not data.get("error") or self.roles.get(step) == "fallback")
        if whole or data.get("effect_unknown") or data.get("attempt_state") in UNKNOWN:
            self.stands.add(step)
        elif data.get("attempt_state") == "succeeded":
            self.stands.discard(step)

    def _begun(self, step: str) -> Iterator[str]:
        if step not in self.due | self.asked:
            yield f"I4 {step} is undone, though it has had no effect, or is outside of what is undone"
        self.due.discard(step)
        self.asked.discard(step)
        for later in sorted(self.due | self.under_way):
            if step in upstream(later, self.places):
                yield f"I4 {step} is undone before {later}, which depends on it"
        self.under_way.add(step)

    def _ended(self, event: Mapping[str, Any]) -> Iterator[str]:
        step = event["step"]
        # Where an operator says that it was done by hand, nothing was under way.
        by_hand = step in self.failed and "attempt_state" not in event["data"]
        if step not in self.under_way and not by_hand:
            yield f"I2 the undo of {step} has another outcome, event {event['sequence']} {event['type']}"
        self.under_way.discard(step)
        if event["type"] == "step.compensated":
            self.stands.discard(step)
            self.failed.discard(step)
        else:
            self.failed.add(step)

    def _rewound(self, again: set[str]) -> Iterator[str]:
        for step in sorted(again & self.stands - self.spared):
            if self.places[step].compensable:
                yield f"I4 {step} runs again over its own effect"
        if self.due | self.under_way | self.failed:
            yield f"I4 the way back ended before the undo of {sorted(self.due | self.under_way | self.failed)}"
        self.stands -= again
        self.spared.clear()
        for step in again:
            self.roles.pop(step, None)

    def _scope(self, to: str, *, including: bool) -> set[str]:
        """Return what a way back to a step takes back: what depends on it, and with ``including`` it too."""
        behind = {name for name in self.places if to in upstream(name, self.places)}
        itself = {name for name, place in self.places.items() if to in (name, *place.around)}
        return behind - itself | (itself if including else set())


class Place:
    """Where a step stands in its document.

    Args:
        needs: what it directly depends on.
        around: the blocks that it stands in.
    """

    def __init__(self, step: Mapping[str, Any], needs: Sequence[str], around: Sequence[str]) -> None:
        self.id = step["id"]
        self.needs = needs
        self.around = around
        undo = step.get("compensate")
        self.compensable = isinstance(undo, Mapping)
        self.conditional = self.compensable and "when" in undo


def walk(
    steps: Sequence[Mapping[str, Any]], outer: tuple[str, ...] = (), around: tuple[str, ...] = ()
) -> Iterator[Place]:
    """Yield every step with all it directly depends on; a step of a block depends on what the block depends on.

    A block depends on the steps inside it, so that what follows the block follows them. Steps that repeat are not told.
    """
    before: list[str] = []
    for step in steps:
        needs = [*step.get("needs", before), *outer]
        inner = [case["steps"] for case in step.get("choice", [])]
        inner += list(step.get("parallel", {}).get("branches", {}).values())
        for part in inner:
            yield from walk(part, tuple(needs), (*around, step["id"]))
        yield Place(step, [*needs, *(child["id"] for part in inner for child in part)], around)
        before = [step["id"]]


def upstream(name: str, places: Mapping[str, Place]) -> set[str]:
    """Every step that one depends on, directly or not."""
    found: set[str] = set()
    frontier = [name]
    while frontier:
        frontier = [need for step in frontier for need in places[step].needs if need not in found]
        found.update(frontier)
    return found
