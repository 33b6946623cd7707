"""A step that takes its time does not keep those that came along waiting: the leases' keeper hands them back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tasks import execution, leases
from tests.integration.hot_path.workbench import WIDE, Workbench
from workflows_app.models import Dispatch


def test_what_came_along_leaves_while_the_slow_step_still_runs(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "keeper", leases.Keeper())
    monkeypatch.setattr(leases.steps, "renew", lambda **_: False)
    instance = bench.start(WIDE)
    handed_back = threading.Event()
    seen: list[bool] = []

    def takes_its_time(parameters: Any, context: Any) -> None:
        seen.append(handed_back.wait(120))

    bench.on_send = handed_back.set
    bench.perform["s0"] = takes_its_time

    bench.message(instance)

    assert seen == [True]
    assert bench.performed == ["s0"]
    assert bench.sent == [["s1", "s2", "s3", "s4"]]
    assert sorted(Dispatch.objects.values_list("path", flat=True)) == ["s1", "s2", "s3", "s4"]
