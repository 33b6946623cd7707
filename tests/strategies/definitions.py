"""Definitions that are sound: they parse, and the verifier finds no error in them.

``documents`` draws the document, ``definitions`` the parsed model. Every step reads only what is upstream of it, every
variable is declared, conditions are booleans whatever happened before, and the workflow needs no input.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows_app.engine import definition
from workflows_app.engine.definition import Definition

VARIABLES = ("count", "label", "flag")
CODES = ("BOOM", "CARD_DECLINED", "ValidationError")

_DURATIONS = st.sampled_from(["500ms", "1s", "90s", "2h", "PT5M", 3, "1h30m"])
_TEXTS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00$"), max_size=8)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=4,
)


def definitions(
    activities: tuple[str, ...] = ("core.echo", "core.fail"), max_steps: int = 10, endings: bool = True
) -> st.SearchStrategy[Definition]:
    """Draw parsed definitions.

    Args:
        activities: names of activity types to draw from; ``core.fail`` gets a code, every other one ``value``.
        max_steps: most steps in all, those inside blocks included.
        endings: whether ``return`` and ``fail`` steps may occur.
    """
    return documents(activities, max_steps, endings).map(definition.parse)


def documents(
    activities: tuple[str, ...] = ("core.echo", "core.fail"), max_steps: int = 10, endings: bool = True
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the documents of ``definitions``."""

    @st.composite
    def draw_document(draw: st.DrawFn) -> dict[str, Any]:
        return _Author(draw, activities, draw(st.integers(1, max_steps)), endings).document()

    return draw_document()


class _Author:
    """Writes one document; counts ids and the steps that are left, and knows what may be read where."""

    def __init__(self, draw: st.DrawFn, activities: tuple[str, ...], steps: int, endings: bool) -> None:
        self.draw = draw
        self.activities = activities
        self.left = steps
        self.endings = endings
        self.ids = 0

    def document(self) -> dict[str, Any]:
        steps, readable = self.steps(depth=0, readable=[])
        document: dict[str, Any] = {
            "workflow": "drawn",
            "version": self.draw(st.sampled_from(["1.0.0", "0.2.1-rc.1", "10.20.30+b1"])),
            "variables": {"count": 0, "label": "", "flag": True},
            "steps": steps,
        }
        if self.chance():
            document["title"] = self.draw(_TEXTS)
        if self.chance():
            document["output"] = {"result": self.value(readable)}
        for key in ("on_failure", "on_cancel", "on_timeout"):
            if self.chance():
                document[key] = self.draw(st.sampled_from(["compensate", "stop"]))
        if self.chance():
            document["timeout"] = self.draw(st.sampled_from(["30d", "1w", "PT12H"]))
        if self.chance():
            document["defaults"] = {"timeout": self.draw(_DURATIONS), "retry": self.retry([])}
        return document

    def steps(self, depth: int, readable: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Write one list; return it with the ids of its steps and of those inside them."""
        steps: list[dict[str, Any]] = []
        upstream: dict[str, list[str]] = {}
        for _ in range(self.draw(st.integers(1, 4))):
            if self.left <= 0 and steps:
                break
            self.left -= 1
            self.ids += 1
            name = f"s{self.ids}"
            before = list(upstream)
            needs = before[-1:]
            step: dict[str, Any] = {"id": name}
            if self.chance():
                needs = self.draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
                step["needs"] = needs
                if len(needs) > 1 and self.chance():
                    step["join"] = "any"
            here = list(dict.fromkeys([*readable, *(known for need in needs for known in upstream[need])]))
            inside = self.fill(step, depth, here)
            steps.append(step)
            upstream[name] = [*dict.fromkeys(k for need in needs for k in upstream[need]), name, *inside]
        return steps, list(dict.fromkeys(known for names in upstream.values() for known in names))

    def fill(self, step: dict[str, Any], depth: int, readable: list[str]) -> list[str]:
        """Give the step its kind and its keys; return the ids of the steps inside it."""
        kinds = ["activity", "activity", "activity", "set", "wait"]
        kinds += ["choice", "parallel"] if depth < 2 and self.left > 0 else []
        kinds += ["return", "fail"] if self.endings and self.ids > 2 else []
        kind = self.draw(st.sampled_from(kinds))
        if self.chance():
            step["when"] = self.condition(readable)
        if self.draw(st.integers(0, 15)) == 0:
            step["disabled"] = True
        if kind not in ("return", "fail") and self.chance():
            step["on_error"] = self.draw(st.sampled_from(["fail", "continue", {"output": {"instead": 1}}]))
        inside: list[str] = []
        match kind:
            case "activity":
                self.fill_activity(step, readable)
            case "set":
                step["set"] = {self.draw(st.sampled_from(VARIABLES[:2])): self.value(readable)}
            case "wait":
                step["wait"] = self.draw(
                    st.sampled_from(
                        [{"for": "1s"}, {"for": "2d"}, {"until": "2030-01-01T00:00:00Z"}, {"for": "${ '5s' }"}]
                    )
                )
            case "choice":
                cases = []
                for index in range(self.draw(st.integers(1, 3))):
                    steps, known = self.steps(depth + 1, readable)
                    plain = {} if index and self.chance() else {"when": self.condition(readable)}
                    cases.append({**plain, "steps": steps})
                    inside += known
                    if not plain:
                        break
                step["choice"] = cases
            case "parallel":
                branches = {}
                for _ in range(self.draw(st.integers(1, 3))):
                    self.ids += 1
                    name = f"b{self.ids}"
                    branches[name], known = self.steps(depth + 1, readable)
                    inside += known
                step["parallel"] = {"branches": branches}
                if len(branches) > 1 and self.chance():
                    step["parallel"]["join"] = "any"
            case "return":
                step["return"] = {"output": self.value(readable)}
            case "fail":
                step["fail"] = {"code": self.draw(st.sampled_from(CODES)), "message": "on purpose"}
        return inside

    def fill_activity(self, step: dict[str, Any], readable: list[str]) -> None:
        step["activity"] = self.draw(st.sampled_from(self.activities))
        if step["activity"] == "core.fail":
            step["with"] = {"code": self.draw(st.sampled_from(CODES)), "message": "on purpose"}
        else:
            step["with"] = {"value": self.value(readable)}
        if self.chance():
            step["retry"] = self.retry(readable)
        for key in ("timeout", "deadline"):
            if self.chance():
                step[key] = self.draw(_DURATIONS)
        if self.chance():
            undo = {"activity": "core.echo", "with": {"undone": "${ output }", "asked": "${ with }"}}
            step["compensate"] = self.draw(st.sampled_from([undo, {**undo, "timeout": "30s"}, "irreversible"]))

    def retry(self, readable: list[str]) -> dict[str, Any]:
        policy: dict[str, Any] = {"max_attempts": self.draw(st.integers(1, 4))}
        if self.chance():
            policy["backoff"] = self.draw(st.sampled_from(["fixed", "linear", "exponential", "random"]))
        if self.chance():
            policy["jitter"] = self.draw(st.sampled_from([0, 0.5, 1]))
        if self.chance():
            policy["initial_interval"] = self.draw(_DURATIONS)
        if self.chance():
            policy["non_retryable"] = [self.draw(st.sampled_from(CODES))]
        if self.chance():
            policy["when"] = "error.code != 'CARD_DECLINED'"
        return policy

    def condition(self, readable: list[str]) -> Any:
        choices: list[Any] = [True, "true", "false", "vars.flag", "${ !vars.flag }"]
        choices += [f"steps.{name}.state == 'completed'" for name in readable[:4]]
        return self.draw(st.sampled_from(choices))

    def value(self, readable: list[str]) -> Any:
        choices: list[Any] = ["${ vars.count }", "count: ${ vars.count }", "$${ literal", "${ instance.id }"]
        choices += [f"${{ steps.{name}.output }}" for name in readable[:4]]
        return self.draw(st.sampled_from(choices) | _JSON)

    def chance(self) -> bool:
        return self.draw(st.integers(0, 3)) == 0
