"""An instance that is held by real workers goes on by another version, and completes by it."""

from tests.faults import invariants
from tests.services.documents import BLOCKED, block, effect, workflow


def test_an_instance_that_waits_completes_by_the_version_that_it_was_migrated_to(installation):
    installation.publish({**BLOCKED, "workflow": "migrated"})
    instance = installation.begin("migrated", {"gate": "migrated"})
    installation.called("block", instance=instance)
    newer = workflow(
        "migrated", effect("before"), effect("too_late"), block("held"), effect("between"), effect("after")
    )
    installation.publish({**newer, "version": "2.0.0"})

    seen = installation.command("workflow", "migrate", instance, "--to", "2.0.0", "--dry-run")
    done = installation.command("workflow", "migrate", instance, "--to", "2.0.0", "--reason", "the new tariff")
    installation.release("migrated")
    view = installation.ended(instance)

    assert (seen.code, done.code) == (0, 0), (seen, done)
    assert "count as skipped: too_late" in seen.out
    assert (view["state"], view["version"]) == ("completed", "2.0.0")
    assert view["steps"] == {
        **dict.fromkeys(("before", "held", "between", "after"), "completed"),
        "too_late": "skipped",
    }
    effects = [call["step"] for call in installation.calls("effect", instance=instance)]
    assert effects == ["before", "between", "after"], "each once, and in order"
    invariants.check(installation, [instance])


def test_an_instance_that_the_new_version_has_no_place_for_is_refused_in_words_and_stays(installation):
    installation.publish({**BLOCKED, "workflow": "placeless"})
    instance = installation.begin("placeless", {"gate": "stays"})
    installation.called("block", instance=instance)
    installation.publish({**workflow("placeless", effect("after")), "version": "3.0.0"})

    answer = installation.command("workflow", "migrate", instance, "--to", "3.0.0")
    installation.release("stays")
    view = installation.ended(instance)

    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "before: has run, and 3.0.0 has nothing that would undo it" in answer.err
    assert "held: is running, and 3.0.0 has no such step" in answer.err
    assert (view["state"], view["version"]) == ("completed", "1.0.0")
    invariants.check(installation, [instance])
