"""An operator stops an instance: softly with its undo, or at once without."""

from tests.faults import invariants
from tests.services.documents import BLOCKED, perform, workflow
from tests.services.processes import PATIENCE, eventually


def held(installation, gate: str) -> str:
    """An instance whose middle step runs until its gate is opened or it is told to stop."""
    installation.publish(BLOCKED)
    instance = installation.begin("blocked", {"gate": gate})
    installation.called("block", instance=instance)
    return instance


def test_cancelling_tells_the_running_step_to_stop_and_undoes_what_was_done(installation):
    instance = held(installation, "cancelled")

    answer = installation.command("workflow", "cancel", instance, "--reason", "the customer called")
    view = installation.ended(instance)

    assert answer.code == 0, answer
    assert (view["state"], view["cause"]) == ("compensated", "cancelled")
    assert view["steps"]["before"] == "compensated"
    assert view["steps"]["after"] == "cancelled"
    assert [call["step"] for call in installation.calls("undo", instance=instance)] == ["before"]
    assert not installation.calls("released", instance=instance)
    invariants.check(installation, [instance])


def test_cancelling_without_compensation_undoes_nothing(installation):
    instance = held(installation, "kept")

    answer = installation.command("workflow", "cancel", instance, "--no-compensate")
    view = installation.ended(instance)

    assert answer.code == 0, answer
    assert view["state"] == "cancelled"
    assert not installation.calls("undo", instance=instance)
    invariants.check(installation, [instance])


def test_cancelling_twice_is_refused_in_words(installation):
    instance = held(installation, "twice")
    installation.command("workflow", "cancel", instance)
    installation.ended(instance)

    answer = installation.command("workflow", "cancel", instance)

    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "compensated" in answer.err


def test_terminating_ends_at_once_undoes_nothing_and_keeps_a_late_result_out(installation):
    instance = held(installation, "terminated")

    answer = installation.command("workflow", "terminate", instance, "--reason", "wrong customer")
    view = installation.show(instance)
    installation.release("terminated")
    # A stopped step and a released one both end; then the process performs the next instance.
    echo = workflow("echo", *[perform(f"echo_{number}", "core.echo", needs=[]) for number in range(4)])
    assert installation.run(echo)["state"] == "completed"

    assert answer.code == 0, answer
    assert view["state"] == "terminated"
    assert installation.show(instance)["steps"] == view["steps"]
    assert not installation.calls("undo", instance=instance)
    assert not installation.calls("effect", instance=instance, step="after")
    invariants.check(installation, [instance])


def test_starting_and_waiting_answers_with_the_ending_as_exit_code(installation):
    installation.publish(workflow("fine", {"id": "echo", "activity": "core.echo", "with": {"a": 1}}))
    installation.publish(workflow("wrong", {"id": "no", "fail": {"code": "NO", "message": "never"}}))
    installation.publish(workflow("slow-one", {"id": "pause", "wait": {"for": "1h"}}))

    fine = installation.command("workflow", "start", "fine", "--wait", "--format", "json")
    wrong = installation.command("workflow", "start", "wrong", "--wait", "--format", "json")
    slow = installation.command("workflow", "start", "slow-one", "--wait", "--timeout", "1", "--format", "json")
    installation.command("workflow", "terminate", slow.json["id"])

    assert [answer.code for answer in (fine, wrong, slow)] == [0, 1, 3]
    assert [answer.json["state"] for answer in (fine, wrong, slow)] == ["completed", "failed", "running"]
    assert wrong.json["error"]["code"] == "NO"


def test_pausing_lets_the_running_step_finish_and_nothing_follow_until_the_resume(installation):
    instance = held(installation, "paused")

    answer = installation.command("workflow", "pause", instance, "--reason", "the depot is closed")
    installation.release("paused")
    eventually(
        lambda: installation.show(instance)["steps"]["held"] == "completed", PATIENCE, "the running step has ended"
    )
    paused = installation.show(instance)

    assert answer.code == 0, answer
    assert (paused["state"], paused["steps"]["after"]) == ("paused", "pending")
    assert "the depot is closed" in paused["paused"]["sentence"]
    assert not installation.calls("effect", instance=instance, step="after")

    assert installation.command("workflow", "resume", instance).code == 0
    view = installation.ended(instance)

    assert view["state"] == "completed"
    assert set(installation.attempts(instance).values()) == {1}
    assert len(installation.calls("effect", instance=instance)) == 2
    invariants.check(installation, [instance])


def test_a_failed_instance_goes_on_when_it_is_retried_and_is_not_deleted_without_the_owner(installation):
    parameters = {"code": "AWAY", "message": "not yet", "until_attempt": 2}
    installation.publish(
        workflow("mended", perform("first", "core.echo"), perform("fails", "core.fail", parameters=parameters))
    )
    instance = installation.begin("mended")
    assert installation.ended(instance)["state"] == "failed"

    answer = installation.command("workflow", "retry", instance, "--reason", "it is back")
    eventually(lambda: installation.show(instance)["state"] == "completed", PATIENCE, lambda: installation.tails())

    assert answer.code == 0, answer
    assert installation.attempts(instance) == {"first": 1, "fails": 2}
    invariants.check(installation, [instance])

    gone = installation.command("workflow", "delete", instance, "--reason", "asked to")
    assert (gone.code, "OWNER_NEEDED" in gone.err) == (1, True), gone
    assert installation.show(instance)["state"] == "completed"
