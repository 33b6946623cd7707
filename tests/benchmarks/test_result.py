"""What a run says: ratios of medians, whether they hold, the table, the document and the picture."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.benchmarks import machine, plot, report
from tests.benchmarks.arithmetic import Target, percentile, ratio
from tests.benchmarks.rows import Row, at_their_best, read
from tests.services.processes import PATIENCE, eventually


def row(**more):
    values = {"plain": [100, 400, 200], "ours": [300, 290, 900], "target": Target(bound=1.5), "unit": "steps/s"}
    place = {"workload": "W1", "title": "chains", "broker": "redis", "pool": "prefork", "variant": "fused"}
    return Row(**{**place, **values, **more})


def test_the_ratio_is_the_one_of_the_medians():
    assert ratio([300, 290, 900], [100, 400, 200]) == 1.5


def test_what_was_not_measured_has_no_ratio():
    assert ratio([], [1.0]) is None
    assert ratio([1.0], []) is None
    assert ratio([1.0], [0.0]) is None


def test_a_high_percentile_of_few_values_is_the_largest():
    assert percentile([5.0, 1.0, 3.0], 0.99) == 5.0
    assert percentile([float(value) for value in range(1, 301)], 0.99) == 297


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(values, share):
    with pytest.raises(ValueError, match="needs values"):
        percentile(values, share)


def test_a_rate_holds_from_its_bound_on_and_is_grossly_missed_below_half_of_it():
    target = Target(bound=1.5)

    assert [target.held(found) for found in (1.49, 1.5, 9)] == [False, True, True]
    assert [target.grossly_missed(found) for found in (0.74, 0.75, 1.4)] == [True, False, False]


def test_a_latency_holds_up_to_its_bound_and_is_grossly_missed_beyond_twice_of_it():
    target = Target(bound=4, lower_is_better=True)

    assert [target.held(found) for found in (0.5, 4, 4.01)] == [True, True, False]
    assert [target.grossly_missed(found) for found in (4.1, 8, 8.1)] == [False, False, True]


def test_a_row_without_a_target_neither_holds_nor_misses():
    free = row(target=None, ours=[1, 1, 1])

    assert free.held is None
    assert not free.grossly_missed


def test_a_workload_that_broke_did_not_hold_even_where_nothing_was_asked():
    broken = row(target=None, plain=[], ours=[], error="TimeoutError: it did not end")

    assert broken.held is False
    assert broken.grossly_missed


def test_either_side_counts_in_the_pool_that_suits_it_best():
    prefork = row(plain=[100], ours=[300])
    solo = row(pool="solo", plain=[200], ours=[250])

    (best,) = at_their_best([prefork, solo])

    assert (list(best.plain), list(best.ours), best.ratio) == ([200], [300], 1.5)
    assert best.title == "chains (plain: solo, ours: prefork)"


def test_of_latencies_the_lower_one_is_the_best():
    prefork = row(unit="ms", plain=[2.0], ours=[6.0])
    solo = row(unit="ms", pool="solo", plain=[3.0], ours=[4.0])

    (best,) = at_their_best([prefork, solo])

    assert (list(best.plain), list(best.ours)) == ([2.0], [4.0])


def test_one_pool_alone_or_one_that_broke_has_no_better():
    assert at_their_best([row(), row(pool="solo", variant="step by step"), row(broker="rabbitmq")]) == []
    assert at_their_best([row(), row(pool="solo", plain=[], ours=[], error="broke")]) == []


def test_the_document_holds_every_value_and_the_machine():
    written = json.loads(report.document([row()], {"cores": 2}, []))

    assert written["machine"] == {"cores": 2}
    assert written["rows"][0]["plain"] == [100, 400, 200]
    assert written["rows"][0]["ours_median"] == 300
    assert written["rows"][0]["ratio"] == 1.5
    assert written["rows"][0]["held"] is True


def test_a_row_survives_the_way_from_a_session():
    sent = row(busy=[3.5], note="a note")

    assert read(json.loads(json.dumps(sent.as_dict()))).as_dict() == sent.as_dict()


def test_the_table_has_a_part_for_each_broker_and_pool_and_says_what_missed():
    shown = report.table([row(), row(ours=[100, 100, 100]), row(pool="solo", workload="W4")])

    first, second = shown.split("\n\n")
    assert first.startswith("redis, two worker processes (prefork)")
    assert "200.0  300.0   1.50   ≥ 1.5   yes" in first
    assert "200.0  100.0   0.50   ≥ 1.5    NO" in first
    assert second.startswith("redis, two worker processes (solo)")


def test_the_table_warns_of_a_machine_that_was_not_quiet():
    assert "others used up to 60 %" in report.table([row(busy=[2.0, 60.0])])
    assert "quiet" not in report.table([row(busy=[2.0, 3.0])])


def test_what_a_process_and_its_children_use_counts_as_their_own():
    spend = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\ninput()"
    before = machine.own_seconds(os.getpid())

    with subprocess.Popen([sys.executable, "-c", spend], stdin=subprocess.PIPE) as child:
        eventually(lambda: machine.own_seconds(child.pid) >= 0.15, PATIENCE, "the child has used its time")
        used = machine.own_seconds(os.getpid()) - before
        child.communicate(b"\n")

    assert used >= 0.15


def test_the_table_says_why_something_broke():
    shown = report.table([row(plain=[], ours=[], error="TimeoutError: it did not end")])

    assert "broke" in shown
    assert "TimeoutError: it did not end" in shown


def test_the_picture_is_well_formed_and_turns_latencies_over():
    drawn = ElementTree.fromstring(
        plot.svg([row(), row(unit="ms", plain=[1.0], ours=[4.0], title="<single>", target=None)], "a & b")
    )

    widths = {bar.get("fill"): float(bar.get("width")) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")}
    starts = {bar.get("fill"): float(bar.get("x", 0)) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")}
    assert starts[plot.COLOURS[True]] == plot.position(1)
    assert starts[plot.COLOURS[None]] == plot.position(0.25)
    assert widths[plot.COLOURS[None]] == pytest.approx(plot.position(1) - plot.position(0.25))


def test_the_picture_leaves_out_what_has_no_ratio_to_plain_celery():
    drawn = plot.svg([row(workload="W9", against="ours, empty database"), row(workload="W8", ours=[])], "title")

    assert "W9" not in drawn
    assert "W8" not in drawn
