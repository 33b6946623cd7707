"""Steps run side by side, wait for each other and hand each other their values."""

from tests.faults import invariants
from tests.services.documents import effect, perform, workflow


def test_branches_run_side_by_side_and_the_next_step_reads_them_all(installation):
    document = workflow(
        "fan",
        {
            "id": "both",
            "parallel": {
                "branches": {
                    # Each waits for a file that the other makes: one after the other they would never end.
                    "left": [perform("meet_left", "test.meet", parameters={"own": "left", "other": "right"})],
                    "right": [perform("meet_right", "test.meet", parameters={"own": "right", "other": "left"})],
                }
            },
        },
        perform("collect", "core.echo", parameters={"both": "${ steps.both.output }"}),
        output={"met": "${ steps.collect.output.both }"},
    )

    view = installation.run(document)

    assert view["state"] == "completed"
    assert view["output"] == {"met": {"left": {"met": "right"}, "right": {"met": "left"}}}
    invariants.check(installation, [view["id"]])


def test_a_join_over_needs_fires_once_after_every_dependency(installation):
    document = workflow(
        "diamond",
        effect("top"),
        *[effect(f"middle_{number}", needs=["top"]) for number in range(6)],
        effect("bottom", needs=[f"middle_{number}" for number in range(6)]),
    )

    view = installation.run(document)

    assert view["state"] == "completed"
    calls = [call["step"] for call in installation.calls("effect", instance=view["id"])]
    assert calls[0] == "top"
    assert calls[-1] == "bottom"
    assert len(calls) == 8
    invariants.check(installation, [view["id"]])


def test_a_choice_takes_one_branch_and_variables_carry_values_on(installation):
    document = workflow(
        "route",
        {
            "id": "route",
            "choice": [
                {"when": "input.amount > 100", "steps": [effect("large")]},
                {"steps": [effect("small")]},
            ],
        },
        {"id": "note", "set": {"taken": "${ steps.large.state }"}},
        effect("never", when="vars.taken == 'completed'"),
        variables={"taken": None},
        output={"taken": "${ vars.taken }"},
    )

    view = installation.run(document, {"amount": 5})

    assert view["state"] == "completed"
    assert view["output"] == {"taken": "skipped"}
    assert [call["step"] for call in installation.calls(instance=view["id"])] == ["small"]
    invariants.check(installation, [view["id"]])


def test_return_ends_the_instance_and_cancels_the_rest_without_undo(installation):
    document = workflow(
        "early",
        effect("done"),
        {"id": "stop", "return": {"output": {"early": True}}},
        effect("never"),
    )

    view = installation.run(document)

    assert (view["state"], view["output"]) == ("completed", {"early": True})
    assert [call["call"] for call in installation.calls(instance=view["id"])] == ["effect"]
    invariants.check(installation, [view["id"]])
