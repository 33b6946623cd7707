"""Activities resolve when a definition is published, and stay what they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.driver import Driver
from workflows_app.activities import activity, registry
from workflows_app.models import Attempt
from workflows_app.services import definitions, graphs, instances, steps

DOCUMENT = "workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: versions.greet}"


@pytest.fixture(autouse=True)
def greet() -> Iterator[None]:
    registry.discover()
    known = dict(registry._activities)

    @activity("versions.greet", version="1.0.0", description="Greets.", timeout=7)
    def first() -> str:
        return "hello"

    yield
    registry._activities = known


def publish_newer() -> None:
    @activity("versions.greet", version="2.0.0", description="Greets otherwise.")
    def second() -> str:
        return "good day"


def test_a_published_version_keeps_the_activity_that_was_newest_then(driver: Driver) -> None:
    definitions.publish(text=DOCUMENT, actor="ada")
    publish_newer()
    definitions.publish(text=DOCUMENT.replace("version: 1.0.0", "version: 1.1.0"), actor="ada")

    found = []
    for version in ("1.0.0", "1.1.0"):
        instance = instances.start(name="w", version=version, actor="ada")
        held = steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")
        assert held is not None
        found.append(held.activity)

    assert found == ["versions.greet@1.0.0", "versions.greet@2.0.0"]


def test_a_step_s_time_out_goes_before_its_activity_s_and_that_before_the_default(driver: Driver) -> None:
    default = "defaults: {timeout: 9s}\n"
    own = DOCUMENT.replace("activity: versions.greet", "timeout: 5s, activity: versions.greet")
    plain = DOCUMENT.replace("versions.greet", "core.echo")
    written = [(default + own, 5), (default + DOCUMENT, 7), (default + plain, 9), (plain, 60), (DOCUMENT, 7)]
    for number, (text, seconds) in enumerate(written):
        text = text.replace("version: 1.0.0", f"version: 1.{number}.0")
        published = definitions.publish(text=text, actor="ada")
        assert graphs.of_version(published.pk)["a"].timeout == seconds

    instance = instances.start(name="w", actor="ada")
    steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")

    attempt = Attempt.objects.get()
    assert (attempt.timeout_at - attempt.started_at).total_seconds() == 7
