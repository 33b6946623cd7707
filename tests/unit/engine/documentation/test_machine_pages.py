"""The page of a state machine: its states, its transitions with their actions, and the picture."""

from __future__ import annotations

from workflows_app.engine.definition import parse
from workflows_app.engine.definition.comparing import differences
from workflows_app.engine.documentation import describe
from workflows_app.engine.documentation.markdown import markdown

DOCUMENT = {
    "workflow": "order",
    "version": "1.0.0",
    "kind": "state_machine",
    "variables": {"paid": None},
    "initial": "open",
    "states": {
        "open": {"description": "Nobody has paid.", "timeout": "2h", "on_timeout": "over"},
        "paid": {},
        "over": {"terminal": True},
    },
    "transitions": [
        {
            "name": "Pay <now>",
            "from": "open",
            "to": "paid",
            "event": "pay",
            "when": "event.data > 0",
            "do": [{"activity": "bank.pay", "result": "paid", "compensate": {"activity": "bank.refund"}}],
            "then": [{"activity": "mail.send"}],
        },
        {"from": ["open", "paid"], "to": "over", "event": "cancel", "compensate": True, "set": {"paid": None}},
    ],
}


def test_states_and_transitions_are_sections_with_what_people_ask_about():
    text = markdown(describe(parse(DOCUMENT), activities={"bank.pay": "Charges a card."}))

    assert "## States and transitions" in text
    assert "### 1 open" in text
    assert "Nobody has paid." in text
    assert "- **Time-out:** after 2h the machine moves to `over`" in text
    assert "### 4 Pay &lt;now&gt; `pay`" in text
    assert "- **Only if:** `event.data > 0`" in text
    assert "#### 4.1 pay" in text
    assert "Charges a card." in text
    assert "Its result becomes the variable paid." in text
    assert "**Undo:** what was done so far is undone before the move" in text
    assert "the instance fails" not in text.split("## States and transitions")[1]


def test_the_picture_has_every_state_and_every_move():
    diagram = describe(parse(DOCUMENT)).diagram

    assert diagram.splitlines()[0] == "stateDiagram-v2"
    assert "s1 --> s2 : pay, if event.data #gt; 0" in diagram
    assert "s1 --> s3 : after 2h" in diagram
    assert "s2 --> s3 : cancel" in diagram


def test_two_machines_differ_by_state_transition_and_action():
    new = parse(
        {
            **DOCUMENT,
            "states": {**DOCUMENT["states"], "open": {}},
            "transitions": [
                {**DOCUMENT["transitions"][0], "do": [{"activity": "bank.pay", "result": "paid"}]},
                DOCUMENT["transitions"][1],
            ],
        }
    )

    found = differences(parse(DOCUMENT), new)

    assert {(each.kind.value, each.path) for each in found} == {
        ("removed", "states.open.description"),
        ("removed", "states.open.timeout"),
        ("removed", "states.open.on_timeout"),
        ("removed", "transitions.pay.do.pay.compensate"),
        ("changed", "on_failure"),
        ("changed", "on_cancel"),
        ("changed", "on_timeout"),
    }
