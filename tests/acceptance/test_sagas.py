"""A workflow that fails half-way leaves nothing half-done."""

from tests.faults import invariants
from tests.services.documents import SAGA, effect, perform, workflow


def test_completed_steps_are_undone_in_reverse_with_their_own_output(installation):
    view = installation.run(SAGA)

    assert (view["state"], view["cause"]) == ("compensated", "failure")
    assert view["error"]["code"] == "REFUSED"
    assert view["steps"] == {"reserve": "compensated", "charge": "compensated", "refuse": "failed"}
    undos = installation.calls("undo", instance=view["id"])
    assert [(call["step"], call["value"]) for call in undos] == [("charge", "charge"), ("reserve", "reserve")]
    assert all(call["key"].endswith(":undo") for call in undos)
    invariants.check(installation, [view["id"]])


def test_an_undo_that_fails_for_good_is_visible_and_the_others_still_happen(installation):
    broken = effect("charge", compensate={"activity": "core.fail", "with": {"code": "NO_REFUND", "recoverable": False}})
    document = workflow("saga-broken-undo", effect("reserve"), broken, SAGA["steps"][-1])

    view = installation.run(document)

    assert view["state"] == "compensation_failed"
    assert view["steps"] == {"reserve": "compensated", "charge": "compensation_failed", "refuse": "failed"}
    invariants.check(installation, [view["id"]])


def test_an_undo_is_tried_again_as_its_retry_says(installation):
    flaky = effect("charge")
    flaky["compensate"] = {
        "activity": "core.fail",
        "with": {"code": "BUSY", "until_attempt": 2},
        "retry": {"max_attempts": 3, "initial_interval": "200ms"},
    }

    view = installation.run(workflow("saga-flaky-undo", flaky, SAGA["steps"][-1]))

    assert view["state"] == "compensated"
    invariants.check(installation, [view["id"]])


def test_branches_that_ran_side_by_side_are_undone_after_what_followed_them(installation):
    document = workflow(
        "saga-parallel",
        effect("open"),
        {
            "id": "book",
            "parallel": {"branches": {"hotel": [effect("room")], "air": [effect("seat"), effect("meal")]}},
        },
        effect("invoice"),
        SAGA["steps"][-1],
    )

    view = installation.run(document)

    assert view["state"] == "compensated"
    undone = [call["value"] for call in installation.calls("undo", instance=view["id"])]
    assert undone[0] == "invoice"
    assert undone[-1] == "open"
    assert undone.index("meal") < undone.index("seat")
    assert sorted(undone) == ["invoice", "meal", "open", "room", "seat"]
    invariants.check(installation, [view["id"]])


def test_a_failure_with_nothing_to_undo_ends_failed_with_its_reason(installation):
    view = installation.run(workflow("plain-failure", perform("refuse", "core.fail", parameters={"code": "NO"})))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "NO"
    assert view["ended_at"]
    invariants.check(installation, [view["id"]])
