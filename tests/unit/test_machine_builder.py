"""State machines written in Python are those of the YAML."""

from __future__ import annotations

import pytest

from workflows_app import builder as b
from workflows_app.engine.definition import parse


def test_a_machine_in_python_is_a_document_of_the_language():
    document = b.machine(
        "order",
        "1.0.0",
        b.transition(
            "pay", "open", "paid", when="event.data > 0", do=[b.action("core.echo", with_={"a": 1}, result="r")]
        ),
        b.transition("cancel", ["open", "paid"], "over", compensate=True),
        initial="open",
        states={"open": b.state(timeout="2h", on_timeout="over"), "paid": b.state(), "over": b.state(terminal=True)},
        variables={"r": None},
    )

    machine = parse(document).machine

    assert [each.id for each in machine.transitions] == ["pay", "cancel"]
    assert machine.transitions[0].before[0].body.parameters == {"a": 1}
    assert machine.states["open"].on_timeout == "over"


def test_python_text_of_a_machine_builds_the_same_document():
    document = b.machine(
        "door", "1.0.0", b.transition("open", "shut", "ajar"), initial="shut", states={"shut": {}, "ajar": b.state()}
    )
    built: dict = {}

    exec(b.source(document), built)

    assert built["document"] == document


def test_a_misspelt_keyword_is_refused():
    with pytest.raises(TypeError, match="did you mean 'compensate'"):
        b.transition("cancel", "open", "over", compensat=True)
