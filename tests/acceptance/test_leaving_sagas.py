"""An operator leaves a failed saga, and has an instance run again from a step, with real workers."""

from tests.faults import invariants
from tests.services.documents import CHAIN, SAGA, effect, workflow


def test_an_undo_that_failed_is_retried_and_the_saga_is_compensated(installation):
    broken = effect("charge", compensate={"activity": "core.fail", "with": {"code": "BUSY", "until_attempt": 3}})
    view = installation.run(workflow("saga-left", effect("reserve"), broken, SAGA["steps"][-1]))
    assert (view["state"], view["steps"]["charge"]) == ("compensation_failed", "compensation_failed")

    answer = installation.command("workflow", "undo", "retry", view["id"], "charge", "--format", "json")

    assert answer.json["state"] == "compensating"
    view = installation.ended(view["id"])
    assert (view["state"], view["steps"]["charge"]) == ("compensated", "compensated")
    assert [call["value"] for call in installation.calls("undo", instance=view["id"])] == ["reserve"]
    invariants.check(installation, [view["id"]])


def test_what_runs_again_is_undone_first_and_calls_under_another_key(installation):
    view = installation.run(CHAIN)
    assert view["state"] == "completed"

    installation.command("workflow", "rerun", view["id"], "second", "--input", '{"value": "other"}')

    view = installation.ended(view["id"])
    assert view["state"] == "completed"
    effects = installation.calls("effect", instance=view["id"])
    assert [call["value"] for call in effects] == ["first", "second", "third", "other", "third"]
    assert [call["value"] for call in installation.calls("undo", instance=view["id"])] == ["third", "second"]
    assert len({call["key"] for call in effects}) == len(effects)
    invariants.check(installation, [view["id"]])
