"""What each step does, in words, for every kind of the language, also those that this release does not run."""

from __future__ import annotations

from typing import Any

import pytest

from workflows_app.engine.definition import parse
from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.documentation import describe
from workflows_app.engine.documentation.steps import Defaults, Section, sections

INNER = [{"id": "inner", "set": {"v": 1}}]
WORDS: dict[str, tuple[Any, str]] = {
    "activity": ("core.echo", "Performs core.echo: Returns what it gets."),
    "set": ({"a": 1, "b": 2}, "Sets a, b."),
    "choice": ([{"steps": INNER}], "Takes the first of its branches whose condition holds."),
    "parallel": ({"branches": {"left": INNER}}, "Runs its 1 branches side by side."),
    "foreach": ({"items": "input.lines", "steps": INNER}, "Runs its steps once for each of input.lines."),
    "loop": ({"until": "vars.v > 3", "steps": INNER}, "Repeats its steps, until vars.v > 3."),
    "wait": ({"for": "2d"}, "Waits for 2d."),
    "receive": ({"event": "order.paid"}, "Waits for the event order.paid."),
    "emit": ({"event": "order.paid"}, "Publishes the event order.paid."),
    "call": ({"workflow": "other"}, "Runs the workflow other."),
    "decide": ({"table": "fees"}, "Asks the decision table fees."),
    "adhoc": ({"steps": INNER}, "People choose which of its 1 steps is done next, until none is planned any more."),
    "approval": ({"title": "Pay?", "assign": {"user": "ann"}}, "Asks people for a decision: Pay?"),
    "form": ({"title": "Who?", "assign": {"user": "ann"}, "schema": {}}, "Asks people for data: Who?"),
    "manual": ({"title": "Pack", "assign": {"user": "ann"}}, "Asks people to do something: Pack"),
    "return": ({"output": 1}, "Ends the instance early, as completed."),
    "fail": ({"code": "NO"}, "Ends the instance as failed with NO."),
}


def described(*steps: dict[str, Any], **defaults: Any) -> list[Section]:
    return list(sections(steps, Defaults(activities={"core.echo": "Returns what it gets."}, **defaults)))


def said(section: Section) -> dict[str, str]:
    return {fact.label: "".join(span.text for span in fact.says) for fact in section.facts}


def test_every_kind_of_the_language_has_words() -> None:
    assert set(WORDS) == set(STEP_KINDS)


@pytest.mark.parametrize("kind", WORDS)
def test_a_kind_is_told_in_a_sentence_and_what_stands_in_it_follows(kind: str) -> None:
    value, words = WORDS[kind]

    first, *inside = described({"id": "outer", kind: value})

    assert "".join(span.text for span in first.does) == words
    assert [section.id for section in inside if section.id] == (["inner"] if "inner" in str(value) else [])
    assert all(section.number.startswith("1.") and section.depth > 0 for section in inside)


def test_a_pinned_decision_table_is_named_with_its_version() -> None:
    (section,) = described({"id": "fee", "decide": {"table": "fees", "version": "1.2.0", "input": {"n": 1}}})

    assert "".join(span.text for span in section.does) == "Asks the decision table fees, version 1.2.0."
    assert "n: 1" in section.blocks[0].text


@pytest.mark.parametrize(
    ("written", "label", "words"),
    [
        ({}, "Attempts", "up to 4 attempts, the first pause 1s, each 2 times the one before, at most 9s"),
        ({"retry": {"max_attempts": 1}}, "Attempts", "one attempt"),
        (
            {
                "retry": {
                    "max_attempts": 1, "backoff": "fixed", "initial_interval": "1s", "multiplier": 2.0,
                    "max_interval": "9s",
                    "limits": [
                        {"code": "BUSY", "max_attempts": 4}, {"when": "error.code != 'X'", "max_attempts": 1},
                    ],
                }
            },
            "Attempts",
            "up to 1 attempt, the first pause 1s, always the same pause, at most 9s; for BUSY up to 4 attempts; "
            "for failures where error.code != 'X' up to 1 attempt",
        ),
        ({}, "Time-out", "15s an attempt, unless the activity has its own"),
        ({"timeout": "3s"}, "Time-out", "3s an attempt"),
        ({"join": "any"}, "Join", "goes on when one of these steps has completed"),
        ({"rest": "cancel"}, "Join", "the others are cancelled"),
        ({"join": {"at_least": 2}}, "Join", "goes on when 2 of these steps have completed"),
        ({"tolerate": 1, "join_deadline": "5m"}, "Join", "1 may fail; the waiting ends after 5m"),
        ({"on_error": {"goto": "later"}}, "On error", "goes on at later; what stands between is skipped"),
        ({"on_error": {"fallback": {"activity": "x.y"}}}, "On error", "performs x.y instead"),
        ({"on_error": {"output": 1}}, "On error", "goes on with an output that is written here"),
        (
            {"on_error": [
                {"codes": ["A", "B"], "when": "error.recoverable", "then": "continue"},
                {"attempts": {"at_least": 3, "within": "10m"}, "then": {"fallback": {"activity": "x.y"}}},
                {"then": {"goto": "later"}},
            ]},
            "On error",
            "after A, B and where error.recoverable: the step counts as failed and the instance goes on; "
            "once 3 attempts failed within 10m: performs x.y instead; "
            "otherwise: goes on at later; what stands between is skipped",
        ),
        (
            {"on_error": [{"codes": ["A"], "then": "continue"}]},
            "On error",
            "after A: the step counts as failed and the instance goes on; otherwise the instance fails",
        ),
        (
            {"compensate": {"activity": "x.y", "when": "output.paid"}},
            "Undone by",
            "performs x.y; needed only if output.paid",
        ),
        ({"compensate": "irreversible"}, "Undone by", "cannot be undone"),
        ({"disabled": True}, "Disabled", "it is skipped"),
        ({"idempotency_key": "order-${ input.id }"}, "Idempotency key", "order-${ input.id }"),
    ],
)  # fmt: skip
def test_policies_are_told_as_they_work_out(written: dict[str, Any], label: str, words: str) -> None:
    retry = {
        "max_attempts": 4, "backoff": "exponential", "initial_interval": "1s", "multiplier": 2.0, "max_interval": "9s",
    }  # fmt: skip

    before, section = described(
        {"id": "before", "set": {}}, {"id": "a", "activity": "core.echo", **written}, timeout="15s", retry=retry
    )

    assert said(section)[label] == words
    assert said(before)["Follows"] == "nothing: it starts at once"


def test_what_a_step_follows_is_told_apart_by_what_says_so() -> None:
    steps = [
        {"id": "first", "set": {"v": 1}},
        {"id": "second", "set": {"v": 2}},
        {"id": "alone", "needs": "inferred", "set": {"v": 3}},
        {"id": "reads", "needs": "inferred", "set": {"v": "${ steps.first.output.v + steps.alone.output.v }"}},
        {
            "id": "both",
            "needs": {"inferred": True, "also": ["second", "reads"]},
            "set": {"v": "${ [steps.reads.state, steps.first.state] }"},
        },
    ]

    page = describe(parse({"workflow": "w", "version": "1.0.0", "steps": steps}))

    follows = [{label: words for label, words in said(step).items() if "Follows" in label} for step in page.steps]
    assert follows == [
        {"Follows": "nothing: it starts at once"},
        {"Follows": "first"},
        {"Follows": "nothing: it starts at once"},
        {"Follows what it reads": "first, alone"},
        {"Follows": "second, reads", "Follows what it reads": "first"},
    ]
    edges = [line.strip() for line in page.diagram.splitlines() if "->" in line]
    assert [edge for edge in edges if "-.->" in edge] == ["n2 -.-> n5", "n4 -.-> n5", "n2 -.-> n6"]
    assert {"n2 --> n3", "n3 --> n6", "n5 --> n6", "n1 --> n4"} <= set(edges)
