"""What each step does, in the order of the document, blocks before what stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.definition.shape import inner_lists
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.documentation.policies import error_words, join_words, retry_words, undo_words
from workflows_app.engine.documentation.spans import Block, Fact, Sentence, code, listed, sentence
from workflows_app.engine.durations import format_duration
from workflows_app.engine.needs import Needs
from workflows_app.engine.node import DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One step, or the heading of a branch (then ``id`` is empty and nothing else is said).

    Args:
        number: place in the document: ``3``, ``3.2.1``.
        depth: how many blocks it stands in, branches counted.
        id: of the step.
        title: its name, else its id; of a heading what the branch is for.
        kind: ``activity``, ``choice`` …
        does: what it does, one sentence.
        description: the definition's own words.
        facts: policies, one a line.
        blocks: parameters and the like, as written.
    """

    number: str
    depth: int
    title: str
    id: str = ""
    kind: str = ""
    does: Sentence = ()
    description: str = ""
    facts: tuple[Fact, ...] = ()
    blocks: tuple[Block, ...] = ()
    heading: Sentence = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a step alone does not say.

    Args:
        timeout: the document's default.
        retry: the document's default.
        activities: descriptions of activities by name.
        needs: what each step waits for, by id.
    """

    timeout: str | None = None
    retry: Mapping[str, Any] | None = None
    activities: Mapping[str, str]
    needs: Mapping[str, Needs] = field(default_factory=dict)


def sections(
    steps: Sequence[Mapping[str, Any]], defaults: Defaults, *, number: str = "", depth: int = 0, chosen: bool = False
) -> Iterator[Section]:
    """Yield the sections of a dumped list of steps and of the lists inside it; ``chosen``: people say which is next."""
    for position, step in enumerate(steps, 1):
        own = f"{number}{position}"
        yield _section(step, defaults, number=own, depth=depth, chosen=chosen)
        lists = inner_lists(step)
        for branch, (keys, entries) in enumerate(lists, 1):
            heading = branch_words(step, keys)
            inner = f"{own}.{branch}" if heading else own
            if heading:
                title = "".join(span.text for span in heading)
                yield Section(number=inner, depth=depth + 1, title=title, heading=heading)
            deeper = depth + (2 if heading else 1)
            yield from sections(entries, defaults, number=f"{inner}.", depth=deeper, chosen="adhoc" in step)


def branch_words(step: Mapping[str, Any], keys: tuple[str | int, ...]) -> Sentence:
    """Return what a list inside a step is headed with; nothing where it is the step's only one."""
    if keys[0] == "choice":
        case = step["choice"][keys[1]]
        return sentence("When ", code(case["when"])) if "when" in case else sentence("Otherwise")
    return sentence("Branch ", code(keys[2])) if keys[0] == "parallel" else ()


def kind_of(step: Mapping[str, Any]) -> str:
    return next((kind for kind in STEP_KINDS if kind in step), "")


def _section(step: Mapping[str, Any], defaults: Defaults, *, number: str, depth: int, chosen: bool) -> Section:
    kind = kind_of(step)
    return Section(
        number=number,
        depth=depth,
        id=step["id"],
        title=step.get("name") or step["id"],
        kind=kind,
        does=_does(kind, step[kind], defaults) if kind else (),
        description=step.get("description") or "",
        facts=tuple(_facts(step, kind, defaults, chosen)),
        blocks=tuple(_blocks(step, kind)),
    )


def _does(kind: str, value: Any, defaults: Defaults) -> Sentence:
    match kind:
        case "activity":
            words = defaults.activities.get(value, "")
            return sentence("Performs ", code(value), f": {words}" if words else ".")
        case "set":
            return sentence("Sets ", *listed(value), ".")
        case "choice":
            return sentence("Takes the first of its branches whose condition holds.")
        case "parallel":
            return sentence(f"Runs its {len(value['branches'])} branches side by side.")
        case "foreach" if isinstance(value["items"], str):
            return sentence("Runs its steps once for each of ", code(value["items"]), ".")
        case "foreach":
            return sentence(f"Runs its steps once for each of {len(value['items'])} items.")
        case "loop":
            (how,) = [key for key in ("while", "until", "times") if key in value][:1] or ["times"]
            return sentence(f"Repeats its steps, {how} ", code(value.get(how)), ".")
        case "wait":
            how = "until" if "until" in value else "for"
            return sentence(f"Waits {how} ", code(value.get(how)), ".")
        case "receive" if "callback" in value:
            signed = ", signed" if isinstance(value["callback"], Mapping) else ""
            return sentence(f"Waits for the answer at an address of its own{signed}.")
        case "receive":
            return sentence("Waits for the event ", code(value["event"]), ".")
        case "emit":
            return sentence("Publishes the event ", code(value["event"]), ".")
        case "call":
            return sentence("Runs the workflow ", code(value["workflow"]), ".")
        case "decide" if "version" in value:
            return sentence("Asks the decision table ", code(value["table"]), ", version ", code(value["version"]), ".")
        case "decide":
            return sentence("Asks the decision table ", code(value["table"]), ".")
        case "adhoc":
            people = f"People choose which of its {len(value['steps'])} steps is done next"
            if "complete_when" not in value:
                return sentence(f"{people}, until none is planned any more.")
            return sentence(f"{people}, until ", code(value["complete_when"]), ".")
        case "approval" | "form" | "manual":
            asked = {"approval": "for a decision", "form": "for data", "manual": "to do something"}[kind]
            return sentence(f"Asks people {asked}: ", code(value["title"]))
        case "return":
            return sentence("Ends the instance early, as completed.")
        case "fail":
            return sentence("Ends the instance as failed with ", code(value["code"]), ".")
    return sentence(f"A step of the kind {kind}.")


def _facts(step: Mapping[str, Any], kind: str, defaults: Defaults, chosen: bool) -> Iterator[Fact]:
    needs = defaults.needs.get(step["id"], Needs())
    if chosen:
        yield Fact("Begins", sentence("when somebody picks it, as often as that happens"))
    elif needs.written or not needs.inferred:
        yield Fact("Follows", sentence(*(listed(needs.written) or ["nothing: it starts at once"])))
    if needs.inferred:
        yield Fact("Follows what it reads", sentence(*listed(needs.inferred)))
    if words := join_words(step, what="steps"):
        yield Fact("Join", words)
    if step.get("when") is not None:
        yield Fact("Condition", sentence(code(step["when"])))
    if step.get("disabled"):
        yield Fact("Disabled", sentence("it is skipped"))
    if kind == "parallel" and (words := join_words(step["parallel"], what="branches")):
        yield Fact("Branches", words)
    yield from _times(step, kind, defaults)
    if kind not in ("return", "fail"):
        yield Fact("On error", error_words(step.get("on_error")))
    if step.get("compensate") is not None:
        yield Fact("Undone by", undo_words(step["compensate"]))
        if isinstance(step["compensate"], Mapping) and step["compensate"].get("retry"):
            yield Fact("Undo is tried", retry_words(step["compensate"]["retry"]))
    if step.get("idempotency_key") is not None:
        yield Fact("Idempotency key", sentence(code(step["idempotency_key"])))
    if step.get("queue"):
        yield Fact("Queue", sentence(code(step["queue"])))
    if isinstance(step.get("notes"), str):
        yield Fact("Notes", sentence(step["notes"]))


def _times(step: Mapping[str, Any], kind: str, defaults: Defaults) -> Iterator[Fact]:
    if kind == "activity":
        usual = f"{defaults.timeout or format_duration(DEFAULT_TIMEOUT)} an attempt, unless the activity has its own"
        yield Fact("Time-out", sentence(f"{step['timeout']} an attempt" if step.get("timeout") else usual))
        retry = step.get("retry") or defaults.retry
        yield Fact("Attempts", retry_words(retry) if retry else sentence("one attempt"))
    elif step.get("timeout"):
        yield Fact("Time-out", sentence(str(step["timeout"])))
    if step.get("deadline"):
        yield Fact("Deadline", sentence(f"{step['deadline']}, attempts and pauses together"))


def _blocks(step: Mapping[str, Any], kind: str) -> Iterator[Block]:
    if step.get("with"):
        yield Block("Parameters", write_yaml(step["with"]))
    body = step.get(kind)
    own = {key: value for key, value in body.items() if key not in _SAID} if isinstance(body, Mapping) else {}
    if own and kind not in ("wait", "set"):
        yield Block("Settings", write_yaml(own))
    if kind == "set":
        yield Block("Values", write_yaml(step["set"]))
    on_error, undo = step.get("on_error"), step.get("compensate")
    for reaction in [case["then"] for case in on_error] if isinstance(on_error, list) else [on_error]:
        if isinstance(reaction, Mapping) and "output" in reaction:
            yield Block("Output on error", write_yaml({"output": reaction["output"]}))
        if isinstance(reaction, Mapping) and reaction.get("fallback", {}).get("with"):
            yield Block("Parameters of the fallback", write_yaml(reaction["fallback"]["with"]))
    if isinstance(undo, Mapping) and undo.get("with"):
        yield Block("Parameters of the undo", write_yaml(undo["with"]))
    if step.get("notes") is not None and not isinstance(step["notes"], str):
        yield Block("Notes", write_yaml({"notes": step["notes"]}))


_SAID = frozenset({"steps", "branches", "join", "rest", "tolerate"})
"""Keys of a block that its branches, its heading or its join say already."""
