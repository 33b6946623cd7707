"""The operators' verbs of ``manage.py workflow``: by id, by filter, and what they refuse."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.test_commands import Shell, published, shell  # noqa: F401 - fixtures
from workflows_app.models import Instance

pytestmark = pytest.mark.django_db


def begin(prompt: Shell) -> str:
    return str(prompt.json("workflow", "start", "greet", "--input", '{"name": "A"}')[1]["id"])


def test_pause_and_resume_say_what_happened(published: Shell) -> None:  # noqa: F811
    key = begin(published)

    assert published.json("workflow", "pause", key, "--reason", "lunch") == (0, {"id": key, "state": "paused"})
    text = published.run("workflow", "show", key)[1]
    assert "Paused by" in text
    assert "lunch" in text
    assert published.run("workflow", "pause", key)[0] == 1
    assert "only a running one can be paused (STATE_FORBIDS)" in published.errors
    assert published.run("workflow", "resume", key, "--data", '{"nobody": 1}')[0] == 1
    assert "UNKNOWN_VARIABLE" in published.errors
    assert published.run("workflow", "resume", key, "--data", "[1]")[0] == 1
    assert published.run("workflow", "resume", key, "--data", "{")[0] == 1
    assert "NOT_JSON" in published.errors
    assert published.json("workflow", "resume", key) == (0, {"id": key, "state": "running"})


def test_a_filter_gives_one_result_for_each_and_none_stops_the_others(published: Shell) -> None:  # noqa: F811
    keys = [begin(published) for _ in range(3)]
    published.run("workflow", "pause", keys[1])

    code, found = published.json("workflow", "pause", "--workflow", "greet", "--reason", "all of them")

    assert code == 1
    assert (found["done"], found["refused"]) == (2, 1)
    assert {each["id"]: each.get("error", {}).get("code") for each in found["results"]} == {
        keys[0]: None,
        keys[1]: "STATE_FORBIDS",
        keys[2]: None,
    }
    assert set(Instance.objects.values_list("state", flat=True)) == {"paused"}

    code, found = published.json("workflow", "cancel", "--where", "state=paused", "--limit", "2")
    assert (code, found["done"]) == (0, 2)
    assert [each["state"] for each in found["results"]] == ["cancelled"] * 2
    left = Instance.objects.get(state="paused")
    code, text = published.run("workflow", "terminate", "--where", f"correlation_id={left.pk}")
    assert (code, text.strip().splitlines()[-1]) == (0, "1 done, 0 refused")


def test_a_filter_that_chooses_nothing_does_nothing(published: Shell) -> None:  # noqa: F811
    assert published.json("workflow", "cancel", "--workflow", "nobody") == (
        0,
        {"done": 0, "refused": 0, "results": []},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["cancel"],
        ["cancel", "--limit", "3"],
        ["cancel", "some-id", "--workflow", "greet"],
        ["pause", "--where", "state"],
        ["pause", "--where", "state=asleep"],
        ["pause", "--where", "colour=red"],
    ],
)
def test_a_filter_that_is_none_is_wrong_usage(published: Shell, arguments: list[str]) -> None:  # noqa: F811
    begin(published)

    with pytest.raises(CommandError) as wrong:
        call_command("workflow", *arguments)

    assert wrong.value.returncode == 2
    assert Instance.objects.get().state == "running"


def test_the_verbs_about_one_step_and_about_variables(published: Shell) -> None:  # noqa: F811
    key = begin(published)
    step = next(iter(published.json("workflow", "show", key)[1]["steps"]))

    assert published.run("workflow", "run-now", key, step)[0] == 1
    assert "STATE_FORBIDS" in published.errors
    assert published.run("workflow", "set-variables", key, "{}")[0] == 1
    assert published.run("workflow", "skip", key, "nobody")[0] == 1
    assert "STEP_NOT_FOUND" in published.errors
    published.run("workflow", "pause", key)
    assert published.json("workflow", "set-variables", key, "{}") == (0, {"id": key, "state": "paused"})
    assert published.json("workflow", "skip", key, step, "--reason", "x") == (0, {"id": key, "state": "paused"})
    assert published.json("workflow", "show", key)[1]["steps"][step] == "skipped"


def test_a_workflow_a_queue_and_everything_are_paused_and_go_on(published: Shell) -> None:  # noqa: F811
    key = begin(published)

    for option, name in (("--definition", "greet"), ("--queue", "default"), ("--all", None)):
        arguments = [option] if name is None else [option, name]
        document = {"kind": option.strip("-"), "name": name}
        assert published.json("workflow", "pause", *arguments, "--reason", "x") == (0, {**document, "paused": True})
        assert published.run("workflow", "pause", *arguments)[0] == 1
        assert "is paused by" in published.run("workflow", "show", key)[1]
        assert published.json("workflow", "resume", *arguments) == (0, {**document, "paused": False})
        assert published.run("workflow", "resume", *arguments)[0] == 1
    with pytest.raises(CommandError, match="stand alone"):
        call_command("workflow", "pause", key, "--all")


def test_an_undo_that_failed_is_seen_to(published: Shell) -> None:  # noqa: F811
    driver = Driver(undo_a=fail("NO_REFUND"))
    undo = "compensate: {activity: core.echo}"
    steps = f"  - {{id: a, activity: core.echo, {undo}}}\n  - {{id: b, fail: {{code: B}}}}"
    instance = driver.start(flow(steps))
    driver.run(instance)
    key = str(instance.pk)

    text = published.run("workflow", "show", key)[1]
    assert "the undo of a failed: NO_REFUND: it broke" in text
    assert published.json("workflow", "undo", "retry", key, "a") == (
        0,
        {"id": key, "state": "compensating", "step": {"path": "a", "state": "compensating"}},
    )
    driver.drain()
    assert published.run("workflow", "undo", "skip", key, "a", "--reason", "a cent")[:2] == (
        0,
        f"a is compensation_failed; {key} is compensation_failed\n",
    )
    assert "the undo of a failed: UNDO_SKIPPED: a cent" in published.run("workflow", "show", key)[1]
    assert published.run("workflow", "undo", "done", key, "a", "--reason", "")[0] == 1
    assert "REASON_MISSING" in published.errors
    assert published.run("workflow", "undo", "done", key, "a", "--reason", "paid")[0] == 0
    assert published.run("workflow", "undo", "done", key, "a", "--reason", "paid")[0] == 1
    assert "the instance is compensated" in published.errors
    for wrong in (["undo", "done", key, "a"], ["undo"], ["undo", "forget", key, "a"]):
        with pytest.raises(CommandError, match=r"required|invalid choice"):
            call_command("workflow", *wrong)


def test_an_instance_is_taken_back_and_runs_again(published: Shell) -> None:  # noqa: F811
    undo = "compensate: {activity: core.echo}"
    driver = Driver()
    instance = driver.start(flow(f"  - {{id: a, activity: core.echo}}\n  - {{id: b, activity: core.echo, {undo}}}"))
    driver.run(instance)
    key = str(instance.pk)

    told = published.run("workflow", "rewind", key, "a", "--dry-run")
    assert told == (0, "1. undo b\nwait for their turn again: b\n")
    assert published.json("workflow", "rewind", key, "a", "--dry-run")[1]["undone"] == [["b"]]
    assert published.run("workflow", "rewind", key, "a", "--set", '{"none": 1}')[0] == 1
    assert "UNKNOWN_VARIABLE" in published.errors
    assert published.json("workflow", "rewind", key, "a", "--reason", "x") == (0, {"id": key, "state": "compensating"})
    driver.drain()
    assert "Paused by" in published.run("workflow", "show", key)[1]
    published.run("workflow", "resume", key)
    driver.run(instance)
    assert published.json("workflow", "rerun", key, "a", "--input", '{"v": 1}')[1]["state"] == "compensating"
    driver.run(instance)
    text = published.run("workflow", "show", key)[1]
    assert f"a has the key {key}:a:1" in text
    assert f"b has the key {key}:b:2" in text
    assert published.run("workflow", "rerun", key, "a", "--input", "[1]")[0] == 1
    assert "INPUT_INVALID" in published.errors
    assert published.run("workflow", "rewind", key, "b")[0] == 1
    assert "there is nothing to take back (STATE_FORBIDS)" in published.errors
