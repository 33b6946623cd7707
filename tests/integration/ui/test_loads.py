"""How busy processes and hosts are: what they say, what is kept of it, and what the page shows."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.test import Client

from tasks import tallies
from tasks.presence import sign_of
from tests.integration.driver import Driver
from tests.integration.ui.test_operations_page import words
from workflows_app.models import Sample, Worker
from workflows_app.selectors import samples
from workflows_app.services import figures, presence

pytestmark = pytest.mark.django_db

FIGURES: dict[str, Any] = {
    "cpu": 42.4, "memory": 300_000_000, "processors": 2, "host_cpu": 71.0, "host_memory": 8_000_000_000,
    "host_memory_used": 2_000_000_000, "disk": 100_000_000_000, "disk_free": 30_000_000_000, "sent": 2048,
    "received": 4096,
}  # fmt: skip
POOL = {"processes": 4, "busy": 3, "completed": 1234, "failed": 5}


def sign(**more: Any) -> presence.Sign:
    return presence.Sign(kind="worker", name="default@host", queues=["default"], processes=4, figures=FIGURES | more)


def test_a_process_measures_itself_and_its_machine() -> None:
    meter = figures.Meter()
    first = meter.read()
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass
    second = meter.read()

    assert "cpu" not in first
    assert second["cpu"] > 0
    assert 1_000_000 < second["memory"] < second["host_memory"]
    assert 0 < second["disk_free"] <= second["disk"]
    assert 0 <= second["host_cpu"] <= 100
    assert second["processors"] >= 1


def test_what_the_system_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise PermissionError

    for name in ("virtual_memory", "net_io_counters"):
        monkeypatch.setattr(figures.psutil, name, refuses)

    assert set(figures.Meter().read()) == {"memory", "disk", "disk_free"}


def test_steps_are_counted_over_all_threads_of_a_process() -> None:
    before = tallies.total(tallies.COMPLETED), tallies.total(tallies.FAILED)

    threads = [threading.Thread(target=lambda: [tallies.count(tallies.COMPLETED) for _ in range(500)]) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tallies.count(tallies.FAILED)

    assert (tallies.total(tallies.COMPLETED), tallies.total(tallies.FAILED)) == (before[0] + 1000, before[1] + 1)


def test_a_worker_says_how_busy_its_pool_is() -> None:
    class Amqp:
        class queues:
            consume_from = ("default",)

    class Consumer:
        hostname = "default@host"
        app = type("App", (), {"amqp": Amqp})
        pool = type("Pool", (), {"num_processes": 4})

    said = sign_of(Consumer, figures.Meter()).figures

    assert {key: said[key] for key in ("processes", "busy")} == {"processes": 4, "busy": 0}
    assert said["completed"] >= 0
    assert sign_of(Consumer).figures == {}


def test_one_sign_a_minute_is_kept_for_a_day(driver: Driver) -> None:
    for _ in range(13):  # two minutes
        sign(**POOL).give()
        driver.advance(10)
    presence.Sign(kind="sweeper", name="sweep@host").give()

    assert Worker.objects.get(kind="worker").figures == FIGURES | POOL
    assert [row.at.minute for row in Sample.objects.order_by("at")] == [0, 1, 2]
    driver.advance(86_400 - 60)
    presence.forget_silent()
    assert [row.at.minute for row in Sample.objects.order_by("at")] == [2]


def test_the_curves_have_a_mean_for_each_stretch_and_gaps(driver: Driver) -> None:
    for cpu in (10, 20, 30, 40, 50):
        sign(cpu=cpu).give()
        driver.advance(60)
    driver.advance(1800)
    sign(cpu=80).give()

    found = samples.last_hours()

    (curves,) = found.processes.values()
    assert len(curves["cpu"]) == 72
    assert curves["cpu"][-1] == 80
    assert [value for value in curves["cpu"] if value is not None] == [30, 80]
    assert next(iter(found.hosts.values()))["received"][-1] == 4096


def test_the_page_shows_them(driver: Driver, pages: Client) -> None:
    for _ in range(8):
        sign(**POOL).give()
        driver.advance(300)
    presence.Sign(kind="sweeper", name="sweep@host", figures={"memory": 50_000_000}).give()

    page = words(pages, "/operations/")
    html = pages.get("/operations/").content.decode()

    assert "worker default@host 42 % 286.1 MB 3 of 4, 1 idle 1,234 5" in page.replace("\xa0", " ")
    assert "sweeper sweep@host – 47.7 MB – – –" in page.replace("\xa0", " ")
    assert "2 processors 71 % 1.9 GB of 7.5 GB 27.9 GB of 93.1 GB 2.0 KB/s 4.0 KB/s" in page.replace("\xa0", " ")
    assert html.count("<polyline") == 9


def test_processes_of_the_release_before_say_nothing(driver: Driver, pages: Client) -> None:
    presence.Sign(kind="worker", name="default@host").give()

    assert "Load" not in words(pages, "/operations/")
