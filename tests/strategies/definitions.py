"""Definitions that are sound: they parse, and the verifier finds no error in them.

``documents`` draws the document, ``definitions`` the parsed model. Every step reads only what is upstream of it, every
variable is declared, conditions are booleans whatever happened before, and the workflow needs no input.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.strategies.tables import ASKED
from workflows_app.engine import definition
from workflows_app.engine.definition import Definition

VARIABLES = ("count", "label", "flag")
EVENTS = ("ping", "pong.heard")
KEYS = ("k1", "${ instance.correlation_id }", "${ 7 }")
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
    activities: tuple[str, ...] = ("core.echo", "core.fail"),
    max_steps: int = 10,
    endings: bool = True,
    events: bool = False,
    calls: bool = False,
    decisions: bool = True,
    people: bool = False,
) -> st.SearchStrategy[Definition]:
    """Draw parsed definitions.

    Args:
        activities: names of activity types to draw from; ``core.fail`` gets a code, every other one ``value``.
        max_steps: most steps in all, those inside blocks included.
        endings: whether ``return`` and ``fail`` steps may occur.
        events: whether ``receive`` and ``emit`` steps may occur; what is received may never come.
        calls: whether steps may call the workflow ``other``.
        decisions: whether ``decide`` steps may occur; they ask ``tables.ASKED``, some of which nobody published.
        people: whether ad-hoc sections may occur, which wait for somebody to choose.
    """
    return documents(activities, max_steps, endings, events, calls, decisions, people).map(definition.parse)


def documents(
    activities: tuple[str, ...] = ("core.echo", "core.fail"),
    max_steps: int = 10,
    endings: bool = True,
    events: bool = False,
    calls: bool = False,
    decisions: bool = True,
    people: bool = False,
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the documents of ``definitions``."""

    @st.composite
    def draw_document(draw: st.DrawFn) -> dict[str, Any]:
        left = draw(st.integers(1, max_steps))
        return _Author(draw, activities, left, endings, events, calls, decisions, people).document()

    return draw_document()


class _Author:
    """Writes one document; counts ids and the steps that are left, and knows what may be read where."""

    def __init__(
        self,
        draw: st.DrawFn,
        activities: tuple[str, ...],
        steps: int,
        endings: bool,
        events: bool,
        calls: bool,
        decisions: bool,
        people: bool,
    ) -> None:
        self.draw = draw
        self.activities = activities
        self.left = steps
        self.endings = endings
        self.events = events
        self.calls = calls
        self.decisions = decisions
        self.people = people
        self.ids = 0
        self.around: list[tuple[str, ...]] = []

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
            keeping = ["90d", "forever", {"keep": "1w", "then": "archive"}, {"keep": 60}]
            document["retention"] = self.draw(st.sampled_from(keeping))
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
                step |= self.join(len(needs))
            here = list(dict.fromkeys([*readable, *(known for need in needs for known in upstream[need])]))
            inside = self.fill(step, depth, here)
            steps.append(step)
            self.maybe_go_to(step, steps, upstream)
            upstream[name] = [*dict.fromkeys(k for need in needs for k in upstream[need]), name, *inside]
        return steps, list(dict.fromkeys(known for names in upstream.values() for known in names))

    def maybe_go_to(self, step: dict[str, Any], steps: list[dict[str, Any]], upstream: dict[str, list[str]]) -> None:
        """Let one of the steps that a step depends on go to it where it fails."""
        by_name = {each["id"]: each for each in steps[:-1]}
        needs = step.get("needs", list(upstream)[-1:])
        before = [name for name in dict.fromkeys(n for need in needs for n in upstream[need]) if name in by_name]
        able = [by_name[name] for name in before if not {"return", "fail"} & by_name[name].keys()]
        if able and self.draw(st.integers(0, 4)) == 0:
            self.draw(st.sampled_from(able))["on_error"] = {"goto": step["id"]}

    def join(self, among: int) -> dict[str, Any]:
        """Write what is waited for of so many steps or branches."""
        if among < 2 or not self.chance():
            return {}
        if self.chance():
            return {"tolerate": self.draw(st.integers(0, among))}
        join = self.draw(st.sampled_from(["any", *({"at_least": count} for count in range(1, among + 1))]))
        return {"join": join, "rest": self.draw(st.sampled_from(["let_finish", "cancel"]))}

    def error_cases(self, able: list[Any], kind: str) -> list[dict[str, Any]]:
        """Write cases of ``on_error``: by the codes that attempts of the tests end with, conditions, and numbers."""
        asks: list[dict[str, Any]] = [
            {"codes": ["BOOM", "CANCELLED"]},
            {"codes": ["TIMEOUT"]},
            {"when": "error.recoverable"},
            {"codes": ["BOOM"], "when": "error.nothing > 1"},
        ]
        if kind == "activity":
            asks += [{"attempts": {"at_least": 2}}, {"attempts": {"at_least": 2, "within": "2s"}}]
        cases = [{**self.draw(st.sampled_from(asks)), "then": self.draw(st.sampled_from(able))} for _ in range(2)]
        return [*cases, {"then": self.draw(st.sampled_from(able))}] if self.chance() else cases

    def fill(self, step: dict[str, Any], depth: int, readable: list[str]) -> list[str]:
        """Give the step its kind and its keys; return the ids of the steps inside it."""
        kinds = ["activity", "activity", "activity", "set", "wait"]
        kinds += ["decide"] if self.decisions else []
        kinds += ["choice", "parallel", "foreach", "loop"] if depth < 2 and self.left > 0 else []
        kinds += ["adhoc", "adhoc"] if self.people and depth < 2 and self.left > 0 else []
        kinds += ["receive", "receive", "emit", "emit"] if self.events else []
        kinds += ["call", "call"] if self.calls else []
        kinds += ["return", "fail"] if self.endings and self.ids > 2 else []
        kind = self.draw(st.sampled_from(kinds))
        if self.chance():
            step["when"] = self.condition(readable)
        if self.draw(st.integers(0, 15)) == 0:
            step["disabled"] = True
        if kind not in ("return", "fail") and self.chance():
            instead = {"fallback": {"activity": "core.echo", "with": {"why": "${ error.code }"}}}
            policies: list[Any] = ["fail", "continue", {"output": {"instead": 1}}]
            able = [*policies, *([instead] if kind == "activity" else [])]
            step["on_error"] = self.draw(st.sampled_from([*able, self.error_cases(able, kind)]))
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
            case "receive":
                step["receive"] = self.receive(readable)
            case "emit":
                step["emit"] = {"event": self.draw(st.sampled_from(EVENTS))}
                if self.chance():
                    step["emit"]["data"] = self.draw(st.sampled_from([{"ok": True}, {"ok": False}, "plain"]))
                if self.chance():
                    step["emit"]["correlate"] = self.draw(st.sampled_from(KEYS))
            case "call":
                wait = {} if self.draw(st.integers(0, 4)) else {"wait": False}
                step["call"] = {"workflow": "other", "input": {"value": self.value(readable)}, **wait}
                if not wait and self.chance():
                    step["deadline"] = self.draw(st.sampled_from(["1s", "90s"]))
                if self.chance():
                    undo = {"activity": "core.echo", "with": {"undone": "${ output }", "asked": "${ with }"}}
                    step["compensate"] = self.draw(st.sampled_from([undo, "irreversible"]))
            case "decide":
                step["decide"] = self.decide(readable)
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
                step["parallel"] |= self.join(len(branches))
            case "foreach":
                step["foreach"] = self.foreach(depth, readable)
            case "loop":
                step["loop"] = self.loop(depth, readable)
            case "adhoc":
                step["adhoc"] = self.adhoc(depth, readable)
            case "return":
                step["return"] = {"output": self.value(readable)}
            case "fail":
                step["fail"] = {"code": self.draw(st.sampled_from(CODES)), "message": "on purpose"}
        return inside

    def foreach(self, depth: int, readable: list[str]) -> dict[str, Any]:
        self.ids += 1
        name = f"i{self.ids}"
        block: dict[str, Any] = {
            "items": self.draw(st.sampled_from(["[]", "[1, 2, 3]", "${ [vars.count, 1] }", [1, "a", 3]]))
        }
        if self.chance():
            block["as"] = name
        self.around.append((block.get("as", "item"), "index"))
        block["steps"], known = self.steps(depth + 1, readable)
        self.around.pop()
        if self.chance():
            block["max_concurrency"] = self.draw(st.integers(1, 2))
        if self.chance():
            block["batch_size"] = self.draw(st.integers(1, 2))
        if self.chance():
            block |= self.draw(
                st.sampled_from([{"tolerate": 1}, {"join": "any"}, {"join": {"at_least": 2}, "rest": "cancel"}])
            )
        if self.chance():
            block["collect"] = self.draw(st.sampled_from([f"${{ steps.{known[0]}.state }}", "${ index }", {"kept": 1}]))
        return block

    def decide(self, readable: list[str]) -> dict[str, Any]:
        table, version = self.draw(st.sampled_from(ASKED))
        asked: dict[str, Any] = {"table": table} if version is None else {"table": table, "version": version}
        numbers: list[Any] = [1, 2.5, 3, "${ vars.count }", self.value(readable)]
        numbers += ["${ index }"] * any("index" in names for names in self.around)
        numbers += ["${ iteration }"] * any("iteration" in names for names in self.around)
        given = self.draw(st.sampled_from([None, "${ {'n': 2} }", "${ vars }", *({"n": each} for each in numbers)]))
        return asked if given is None else {**asked, "input": given}

    def loop(self, depth: int, readable: list[str]) -> dict[str, Any]:
        self.around.append(("iteration",))
        steps, known = self.steps(depth + 1, readable)
        self.around.pop()
        until = f"iteration >= 1 || steps.{known[0]}.state == 'failed'"
        bound = self.draw(
            st.sampled_from([{"times": 2}, {"times": "1 + 1"}, {"while": "iteration < 2"}, {"until": until}])
        )
        limit = {"max_iterations": self.draw(st.integers(2, 4))} if self.chance() else {}
        return {**bound, **limit, "steps": steps}

    def adhoc(self, depth: int, readable: list[str]) -> dict[str, Any]:
        self.around.append(("item", "index"))
        members: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(1, 3))):
            self.left -= 1
            self.ids += 1
            members.append({"id": f"s{self.ids}"})
            self.fill(members[-1], depth + 1, readable)
        self.around.pop()
        section: dict[str, Any] = {"steps": members}
        if self.chance():
            first = members[0]["id"]
            conditions = [f"steps.{first}.state != 'pending'", f"steps.{first}.attempts >= 0 || vars.flag"]
            section["complete_when"] = self.draw(st.sampled_from(conditions))
        if self.chance():
            section["assign"] = self.draw(
                st.sampled_from(
                    [{"user": "ada"}, {"users": ["ada", "bob"]}, {"group": "all"}, {"expression": "['ada']"}]
                )
            )
        return section

    def fill_activity(self, step: dict[str, Any], readable: list[str]) -> None:
        step["activity"] = self.draw(st.sampled_from(self.activities))
        if step["activity"] == "core.fail":
            step["with"] = {"code": self.draw(st.sampled_from(CODES)), "message": "on purpose"}
        else:
            step["with"] = {"value": self.value(readable)}
        if self.chance():
            step["retry"] = self.retry(readable)
        if self.draw(st.integers(0, 7)) == 0:
            around = [f"${{ {name} }}" for names in self.around for name in names]
            step["idempotency_key"] = f"key of {' '.join(['${ instance.id }', *around])}"
        for key in ("timeout", "deadline"):
            if self.chance():
                step[key] = self.draw(_DURATIONS)
        if self.chance():
            undo = {"activity": "core.echo", "with": {"undone": "${ output }", "asked": "${ with }"}}
            written = [undo, {**undo, "timeout": "30s"}, {**undo, "when": "output != null"}, "irreversible"]
            step["compensate"] = self.draw(st.sampled_from(written))

    def receive(self, readable: list[str]) -> dict[str, Any]:
        """Write what is waited for; a condition may hold, not hold, or fail."""
        receive = {"event": self.draw(st.sampled_from(EVENTS))}
        if self.chance():
            receive["correlate"] = self.draw(st.sampled_from(KEYS))
        if self.chance():
            conditions = ["event.data.ok", "event.correlate == null", "vars.flag"]
            # One that holds: a step that waits for what never comes would leave an instance without an end.
            conditions += [f"steps.{name}.state != 'pending'" for name in readable[:2]]
            receive["where"] = self.draw(st.sampled_from(conditions))
        if self.chance():
            receive["timeout"] = self.draw(_DURATIONS)
        return receive

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
        if self.chance():
            kinds = [{"code": code} for code in CODES] + [{"when": "error.code == 'BOOM'"}, {"when": "error.nothing"}]
            kinds = self.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))
            policy["limits"] = [{**kind, "max_attempts": self.draw(st.integers(1, 3))} for kind in kinds]
        return policy

    def condition(self, readable: list[str]) -> Any:
        choices: list[Any] = [True, "true", "false", "vars.flag", "${ !vars.flag }"]
        choices += [f"steps.{name}.state == 'completed'" for name in readable[:4]]
        return self.draw(st.sampled_from(choices))

    def value(self, readable: list[str]) -> Any:
        choices: list[Any] = ["${ vars.count }", "count: ${ vars.count }", "$${ literal", "${ instance.id }"]
        choices += ["${ input }", *[f"${{ steps.{name}.output }}" for name in readable[:4]]]
        choices += [f"${{ {name} }}" for names in self.around for name in names]
        return self.draw(st.sampled_from(choices) | _JSON)

    def chance(self) -> bool:
        return self.draw(st.integers(0, 3)) == 0
