"""Hypothesis strategies: workflows that the hot path meets, and what their steps may return.

``plain_documents`` holds nothing that the hot path leaves to the engine on principle: activities, joins, parallel
branches. ``mixed_documents`` adds, here and there, everything that it must leave alone.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

LONG_TEXT = "0123456789abcdef" * 320
"""Long enough for the database to hand it on itself."""
ROW = """
  - {id: a, activity: core.echo, with: {data: "${ input.data }"}}
  - {id: b, activity: core.echo, with: {data: "${ steps.a.output.data }", n: 1}}
  - {id: c, activity: core.echo, with: {deep: {all: "${ steps.b.output }"}}}
"""
DATA = [LONG_TEXT, {"n": 1e16}]
STORED = [LONG_TEXT, {"n": 10**16}]
"""What ``DATA`` is once it has been stored."""
KEYS = ("a", "b", "n", "list", "odd key", "7")

_TEXTS = st.sampled_from(["", "x", "é", "a\\u0000b", '"quoted"', "line\nbreak", "\x7f\x01", "𝔘", "${ input }", "null"])
_INTEGERS = [0, 1, -1, 7, 2**53, 2**53 + 1, 10**18, 2**63 - 1, -(2**63)]
_DOUBLES = [0.0, -0.0, 1.0, 0.1, 1e-7, 1e15, 1e16, -1e16, 1.5e18, 9.3e18, 1e19, -1e22, 1e300, 5e-324]
_NUMBERS = st.sampled_from([*_INTEGERS, *_DOUBLES, 123456789012345680.0]) | st.floats(
    allow_nan=False, allow_infinity=False
)
_LEAVES = st.none() | st.booleans() | _NUMBERS | _TEXTS
JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | _TEXTS, inner, max_size=4),
    max_leaves=6,
)
"""JSON values of every sort, with the numbers and texts that are easily confused on their way."""


@st.composite
def outputs(draw: st.DrawFn) -> Any:
    """What a step returns: any JSON, but mostly an object with some of the fields that the next steps read."""
    if draw(st.integers(0, 4)) == 0:
        return draw(JSON)
    output: dict[str, Any] = {
        "a": draw(st.dictionaries(st.sampled_from(["b", "n"]), _LEAVES, max_size=2) | _LEAVES),
        "b": draw(JSON),
        "n": draw(_NUMBERS),
        "list": draw(st.lists(_LEAVES, max_size=3)),
        "odd key": draw(_LEAVES),
        "7": 7,
    }
    if draw(st.integers(0, 2)) == 0:
        output["long"] = LONG_TEXT + draw(_TEXTS)
    for missing in draw(st.sets(st.sampled_from(KEYS), max_size=1)):
        output.pop(missing)
    return output


def plain_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Draw workflows of light activities: rows, joins, forks, several ends, parallel blocks inside each other."""
    return st.composite(lambda draw: _Author(draw, mixed=False).document())()


def mixed_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Draw workflows with choices, races, variables, time limits, other queues and heavy steps among the plain ones."""
    return st.composite(lambda draw: _Author(draw, mixed=True).document())()


def inputs() -> st.SearchStrategy[Any]:
    """Draw the input of an instance: mostly with the field that the steps read."""
    return st.one_of(st.fixed_dictionaries({"x": JSON}), st.just({"x": {"a": 1e16}}), JSON)


@st.composite
def chains(draw: st.DrawFn, longest: int = 5) -> dict[str, Any]:
    """Draw rows of activities whose parameters evaluate whatever the steps return."""
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, longest))):
        choices: list[Any] = ["${ input }", "${ instance.id }", "at ${ instance.started_at }", 1e16, -0.0, "${ 1e16 }"]
        choices += ["${ secret('api').key }", "Bearer ${ secret('api') } for ${ instance.id }"]
        for before in steps:
            choices += [f"${{ steps.{before['id']}.{part} }}" for part in ("output", "output", "state", "attempts")]
            choices += [f"got: ${{ steps.{before['id']}.output }}"]
        parameters = draw(st.dictionaries(st.sampled_from(["x", "y", "odd key"]), st.sampled_from(choices), max_size=3))
        steps.append({"id": f"s{number}", "activity": "core.echo", "with": parameters})
    document: dict[str, Any] = {"workflow": "drawn", "version": "1.0.0", "steps": steps}
    if draw(st.booleans()):
        document["output"] = draw(st.sampled_from([f"${{ steps.{step['id']}.output }}" for step in steps]))
    return document


@st.composite
def relays(draw: st.DrawFn) -> dict[str, Any]:
    """Draw rows of activities, also as the branches of a block, each of which hands on one part of what it can read."""
    count = 0

    def row() -> list[dict[str, Any]]:
        nonlocal count
        steps: list[dict[str, Any]] = []
        for _ in range(draw(st.integers(1, 4))):
            parts = ["input", "input.x"]
            if steps:
                before = f"steps.{steps[-1]['id']}.output"
                parts = [before, before, f"{before}.x", f"{before}.x", f"{before}.more", *parts]
            value: Any = f"${{ {draw(st.sampled_from(parts))} }}"
            frame = draw(st.sampled_from([{"x": value}, {"x": {"odd key": value}, "n": 1}, {"y": [1], "x": value}]))
            steps.append({"id": f"s{count}", "activity": "core.echo", "with": frame})
            count += 1
        return steps

    steps = row()
    if draw(st.booleans()):
        steps += [{"id": "block", "parallel": {"branches": {"b1": row(), "b2": row()}}}, *row()]
    return {"workflow": "drawn", "version": "1.0.0", "steps": steps}


def text_of(document: dict[str, Any]) -> str:
    """Write a document as text that can be published."""
    return json.dumps(document, ensure_ascii=False)


class _Author:
    """Writes one document; counts ids, and knows what may be read where."""

    def __init__(self, draw: st.DrawFn, *, mixed: bool) -> None:
        self.draw = draw
        self.mixed = mixed
        self.ids = 0
        self.left = draw(st.integers(4, 12))

    def document(self) -> dict[str, Any]:
        steps, readable = self.steps(0, [])
        document: dict[str, Any] = {"workflow": "drawn", "version": "1.0.0", "steps": steps}
        if self.draw(st.booleans()):
            document["output"] = {"result": self.value(readable[-1:], readable), "all": self.value([], readable)}
        if self.mixed:
            document["variables"] = {"count": 0}
            if self.seldom():
                document["timeout"] = "1h"
            if self.seldom():
                document["defaults"] = {"retry": {"max_attempts": 2, "jitter": 0}}
        return document

    def steps(self, depth: int, readable: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """Write one list; return it with the ids of its steps and of those inside them."""
        steps: list[dict[str, Any]] = []
        upstream: dict[str, list[str]] = {}
        for _ in range(self.draw(st.integers(1 if depth else 3, 4))):
            if self.left <= 0 and steps:
                break
            self.left -= 1
            self.ids += 1
            step: dict[str, Any] = {"id": f"s{self.ids}"}
            before = list(upstream)
            needs = before[-1:]
            match self.draw(st.integers(0, 5)):
                case 3:
                    needs = []
                case 4 | 5 if before:
                    needs = self.draw(st.lists(st.sampled_from(before), unique=True, min_size=1, max_size=3))
            if needs != before[-1:]:
                step["needs"] = needs
            if self.mixed and len(needs) > 1 and self.seldom():
                step["join"] = "any"
            known = list(dict.fromkeys([*readable, *(path for need in needs for path in upstream[need])]))
            inside = self.fill(step, depth, needs, known)
            steps.append(step)
            upstream[step["id"]] = [*dict.fromkeys(p for need in needs for p in upstream[need]), step["id"], *inside]
        return steps, list(dict.fromkeys(path for paths in upstream.values() for path in paths))

    def fill(self, step: dict[str, Any], depth: int, needs: list[str], readable: list[str]) -> list[str]:
        """Give the step its kind and its keys; return the ids of the steps inside it."""
        kinds = ["activity"] * 5
        kinds += ["parallel"] * 2 if depth < 2 and self.left > 0 else []
        if self.mixed:
            kinds += ["set", "wait"] + (["choice"] * 2 if depth < 2 and self.left > 0 else [])
        kind = self.draw(st.sampled_from(kinds))
        if self.mixed:
            self.complicate(step, kind, readable)
        inside: list[str] = []
        match kind:
            case "activity":
                step["activity"] = "core.echo"
                step["with"] = {
                    key: self.value(needs, readable)
                    for key in self.draw(st.sets(st.sampled_from(["x", "y", "odd key"]), max_size=3))
                }
            case "set":
                step["set"] = {"count": self.value(needs, readable)}
            case "wait":
                step["wait"] = {"for": "1s"}
            case "parallel":
                branches = {}
                for _ in range(self.draw(st.integers(1, 3))):
                    self.ids += 1
                    name = f"b{self.ids}"
                    branches[name], known = self.steps(depth + 1, readable)
                    inside += known
                step["parallel"] = {"branches": branches}
                if self.mixed and len(branches) > 1 and self.seldom():
                    step["parallel"]["join"] = "any"
            case "choice":
                first, known = self.steps(depth + 1, readable)
                other, more = self.steps(depth + 1, readable)
                inside += [*known, *more]
                step["choice"] = [{"when": self.condition(readable), "steps": first}, {"steps": other}]
        return inside

    def complicate(self, step: dict[str, Any], kind: str, readable: list[str]) -> None:
        """Add, each seldom, the keys that the hot path must look out for."""
        if self.seldom():
            step["when"] = self.condition(readable)
        if self.seldom():
            step["on_error"] = self.draw(st.sampled_from(["continue", {"output": {"a": "instead"}}]))
        if self.seldom():
            step["deadline"] = "10m"
        if self.seldom() and kind == "activity":
            more = [("batch", False), ("queue", "other"), ("timeout", "2m"), ("timeout", "30s"), ("disabled", True)]
            more += [("retry", {"max_attempts": 3, "jitter": 0}), ("compensate", {"activity": "core.echo"})]
            more += [("idempotency_key", "k-${ instance.id }")] * 2
            key, value = self.draw(st.sampled_from(more))
            step[key] = value

    def condition(self, readable: list[str]) -> str:
        return self.draw(
            st.sampled_from(["true", "false", *[f"steps.{path}.state == 'completed'" for path in readable[-3:]]])
        )

    def value(self, needs: list[str], readable: list[str]) -> Any:
        """Draw a value: a constant, or what the step before, another step, the input or the instance gives."""
        sure = ["${ input }", "${ instance.id }", "${ instance.correlation_id }", "${ instance.started_at }"]
        sure += ["by ${ instance.started_by }", "${ 1e16 }", "${ -0.0 }", "${ [1] }"]
        fragile = ["${ input.x }", "${ input.x.a }"]
        if self.mixed:
            sure += ["${ vars.count }", "${ now }"]
        for path in [*needs, *needs, *readable[-4:]]:
            output = f"steps.{path}.output"
            sure += [f"${{ {output} }}", f"${{ {output} }}", f"got: ${{ {output} }}", f"${{ steps.{path}.attempts }}"]
            sure += [f"${{ steps.{path}.state }}", f"${{ steps.{path}.error }}"]
            fragile += [f"${{ {output}.{key} }}" for key in ("a", "b", "n", "long", "a.b", "list[0]")]
            fragile += [f"${{ {output}['odd key'] }}", f"n: ${{ {output}.n }}", f"${{ {output}.n / 3 }}"]
        values = st.sampled_from(sure)
        if self.seldom():
            values = st.sampled_from(fragile)
        chosen: Any = self.draw(values | values | JSON.filter(_is_constant))
        return {"inside": chosen, "constant": 1e16} if self.seldom() else chosen

    def seldom(self) -> bool:
        return self.draw(st.integers(0, 9)) == 6


def _is_constant(value: Any) -> bool:
    return "$" not in json.dumps(value)
