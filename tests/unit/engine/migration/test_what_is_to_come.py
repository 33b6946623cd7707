"""What has not begun follows the new version; what that adds too late is passed by, and nothing reads too early."""

from __future__ import annotations

from tests.unit.engine.migration.standings import codes, planned

ROW = """
id: a, activity: core.echo
id: b, activity: core.echo
id: c, activity: core.echo
"""


def with_check(before: str, check: str = "id: check, activity: core.echo") -> str:
    return ROW.replace(f"id: {before},", f"{check.strip()}\nid: {before},")


def test_a_step_added_before_what_has_begun_is_passed_by() -> None:
    found = planned(ROW, with_check("b"), {"a": "completed", "b": "running"})

    assert (codes(found), found.passed) == ([], {"check": "migrated"})


def test_a_step_added_before_what_is_to_come_waits_for_its_turn() -> None:
    assert planned(ROW, with_check("c"), {"a": "completed", "b": "running"}).passed == {}


def test_a_row_of_steps_is_passed_by_as_a_whole() -> None:
    after = with_check("b", "id: check, activity: core.echo\nid: check_2, activity: core.echo")

    assert planned(ROW, after, {"a": "completed", "b": "running"}).passed == {
        "check": "migrated",
        "check_2": "migrated",
    }


def test_a_step_that_something_to_come_waits_for_is_performed() -> None:
    after = ROW.replace("id: c,", "id: check, needs: [a], activity: core.echo\nid: c, needs: [b, check],")
    late = after.replace("id: b,", "id: b, needs: [a],")

    found = planned(ROW, late, {"a": "completed", "b": "completed", "c": "pending"})

    assert (codes(found), found.passed) == ([], {})


def test_a_step_that_nothing_waits_for_is_performed() -> None:
    after = f"{ROW}\nid: notify, needs: [a], activity: core.echo"

    assert planned(ROW, after, {"a": "completed", "b": "completed", "c": "running"}).passed == {}


def test_a_step_of_both_versions_is_never_passed_by() -> None:
    old = "id: a, activity: core.echo\nid: x, needs: [], wait: {for: 1h}\nid: b, needs: [x], activity: core.echo"
    new = "id: x, wait: {for: 1h}\nid: b, activity: core.echo\nid: a, activity: core.echo"

    assert planned(old, new, {"a": "running", "x": "waiting"}).passed == {}


def test_what_is_added_to_a_block_that_is_over_is_skipped_with_what_is_inside() -> None:
    def block(inside: str) -> str:
        return f"id: p, parallel: {{branches: {{x: [{inside}], y: [{{id: y1, activity: core.echo}}]}}}}\n{ROW}"

    x1 = "{id: x1, activity: core.echo}"
    choice = f"{x1}, {{id: x2, choice: [{{steps: [{{id: x3, activity: core.echo}}]}}]}}"
    states = dict.fromkeys(("p", "x", "x1", "y", "y1"), "completed") | {"a": "running"}

    assert planned(block(x1), block(choice), states).passed == {"x2": "migrated", "x3": "block"}


def test_what_is_added_to_cases_that_were_not_taken_is_skipped() -> None:
    def choice(first: str, second: str) -> str:
        return f"id: ask, choice: [{{when: 'true', steps: [{first}]}}, {{steps: [{second}]}}]"

    x, y = "{id: x, activity: core.echo}", "{id: y, activity: core.echo}"
    old, new = choice(x, y), choice(f"{x}, {{id: x2, activity: core.echo}}", f"{y}, {{id: y2, activity: core.echo}}")

    found = planned(old, new, {"ask": "waiting", "x": "running", "y": "skipped"})

    assert (codes(found), found.passed) == ([], {"y2": "choice"})


def test_a_branch_is_added_to_an_open_block() -> None:
    def block(*names: str) -> str:
        branches = ", ".join(f"{name}: [{{id: {name}_1, activity: core.echo}}]" for name in names)
        return f"id: p, parallel: {{branches: {{{branches}}}}}"

    states = {"p": "waiting", "x": "waiting", "x_1": "running", "y": "completed", "y_1": "completed"}

    assert planned(block("x", "y"), block("x", "y", "z"), states).passed == {}
    assert planned(block("x", "y"), block("x", "z"), states).gone == ("y", "y_1")
    assert codes(planned(block("x", "y"), block("y", "z"), states)) == [("STEP_GONE", "x"), ("STEP_GONE", "x_1")]


# ---------------------------------------------------------------- reading
READS = "id: c, activity: core.echo, with: {v: '${ steps.check.output }'}"


def test_what_would_read_a_step_that_is_passed_by_is_a_problem() -> None:
    after = with_check("b").replace("id: c, activity: core.echo", READS)

    found = planned(ROW, after, {"a": "completed", "b": "running"})

    assert codes(found) == [("READS_SKIPPED", "c")]
    assert found.problems[0].message == "reads check in 2.0.0, which would be passed by"


def test_whether_a_step_was_skipped_may_be_asked() -> None:
    asks = "id: c, activity: core.echo, when: 'steps.check.state == \"completed\"'"
    after = with_check("b").replace("id: c, activity: core.echo", asks)

    assert codes(planned(ROW, after, {"a": "completed", "b": "running"})) == []


def test_what_would_read_a_step_before_it_has_settled_is_a_problem() -> None:
    old = f"{ROW}\nid: d, needs: [c], activity: core.echo"
    new = f"""
id: a, activity: core.echo
id: check, activity: core.echo
id: b, activity: core.echo
{READS}
id: d, needs: [check], activity: core.echo
"""

    found = planned(old, new, {"a": "completed", "b": "running"})

    assert codes(found) == [("READS_TOO_EARLY", "c")], "d waits for it, so it runs, and c does not wait for it"


def test_what_waits_for_what_it_reads_is_none() -> None:
    after = with_check("c").replace("id: c, activity: core.echo", READS)

    assert codes(planned(ROW, after, {"a": "completed", "b": "running"})) == []


def test_what_was_read_without_waiting_before_may_be_so_again() -> None:
    races = """
id: a, activity: core.echo
id: b, needs: [], activity: core.echo
id: j, needs: [a, b], join: any, activity: core.echo
id: k, activity: core.echo, with: {v: "${ steps.b.output }"}
"""

    states = {"a": "completed", "b": "running", "j": "running"}

    assert codes(planned(races, races, states)) == []
    assert codes(planned(races, races.replace("id: k", "id: z"), states, renames={"k": "z"})) == []
    assert codes(planned(races, races.replace("id: k", "id: z"), states)) == [("READS_TOO_EARLY", "z")]
