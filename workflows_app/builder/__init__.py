"""Definitions written in Python: functions that read like the YAML and return plain mappings of the language.

    from workflows_app import builder as b

    order = b.workflow(
        "order",
        "1.0.0",
        b.activity("charge", "core.echo", amount="${ input.amount }", timeout="30s"),
        b.wait("pause", for_="2h"),
        output={"paid": "${ steps.charge.output.amount }"},
    )

Nothing is checked here but the names of keywords; ``parse`` and ``publish`` check the document. What a function has
no keyword for is added to its result: ``b.wait("pause", for_="2h") | {"priority": "normal"}``.
"""

from workflows_app.builder.documents import (
    activity,
    adhoc,
    call,
    choice,
    decide,
    emit,
    fail,
    foreach,
    loop,
    otherwise,
    parallel,
    receive,
    return_,
    set_,
    wait,
    when,
    workflow,
)
from workflows_app.builder.machines import action, machine, state, transition
from workflows_app.builder.writing import source

__all__ = [
    "action",
    "activity",
    "adhoc",
    "call",
    "choice",
    "decide",
    "emit",
    "fail",
    "foreach",
    "loop",
    "machine",
    "otherwise",
    "parallel",
    "receive",
    "return_",
    "set_",
    "source",
    "state",
    "transition",
    "wait",
    "when",
    "workflow",
]
