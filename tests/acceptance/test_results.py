"""Whatever an activity returns or raises, its step ends with a named reason and nobody else is harmed."""

import pytest

from tests.faults import invariants
from tests.services.documents import effect, perform, workflow

CODES = {
    "object": "NOT_JSON",
    "nan": "NOT_JSON",
    "set": "NOT_JSON",
    "nul": "NOT_JSON",
    "huge_integer": "INTEGER_RANGE",
    "large": "TOO_LARGE",
}


@pytest.mark.parametrize("kind", CODES)
def test_a_bad_result_fails_the_step_by_name_and_undoes_its_unknown_effect(installation, kind):
    bad = perform("bad", "test.not_json", parameters={"kind": kind}, timeout="20s")
    name = f"result-{kind.replace('_', '-')}"

    view = installation.run(workflow(name, effect("before"), bad, effect("never")))

    assert view["state"] == "compensated"
    assert view["error"]["code"] == CODES[kind]
    assert [call["step"] for call in installation.calls("undo", instance=view["id"])] == ["before"]
    invariants.check(installation, [view["id"]])


@pytest.mark.parametrize("kind", ["SystemExit", "MemoryError", "KeyboardInterrupt", "RecursionError", "GeneratorExit"])
def test_an_activity_that_raises_what_ends_processes_only_fails_its_step(installation, kind):
    document = workflow(f"raises-{kind.lower()}", perform("raises", "test.raise", parameters={"kind": kind}))

    view = installation.run(document)

    assert view["state"] == "failed"
    assert view["error"]["code"] == kind
    assert installation.attempts(view["id"]) == {"raises": 1}
    invariants.check(installation, [view["id"]])
