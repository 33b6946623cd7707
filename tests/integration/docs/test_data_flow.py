"""The guide's example of an inferred order runs in the order, and shows the edges, that the guide says."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from tests.integration.docs.pages import DOCS, Block, blocks
from tests.integration.driver import Driver
from workflows_app.models import Dispatch, Event
from workflows_app.services import definitions

GUIDE = blocks(DOCS / "guides" / "language.md")


@pytest.fixture
def example() -> Block:
    (found,) = [block for block in GUIDE if block.info == "yaml" and "defaults: {needs: inferred}" in block.text]
    return found


def test_it_runs_in_the_order_of_its_data(performing: Driver, example: Block) -> None:
    instance = performing.start(example.text, {"amount": 20})
    begun = set(Dispatch.objects.values_list("path", flat=True))

    ended = performing.run(instance)

    assert begun == {"goods", "freight"}
    assert ended["output"] == {"text": "That makes 45"}
    settled = list(Event.objects.filter(type="step.completed").order_by("sequence").values_list("step", flat=True))
    for earlier, later in [
        ("goods", "sum"),
        ("freight", "sum"),
        ("sum", "tell"),
        ("archive", "tell"),
        ("goods", "archive"),
    ]:
        assert settled.index(earlier) < settled.index(later)


def test_the_plan_shows_what_was_inferred_as_the_guide_does(
    db: None, example: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = [block.text for block in GUIDE if block.text.startswith("inferred from what steps read:")]
    definitions.publish(text=example.text, actor="ada")

    call_command("workflow", "plan", "offer")

    assert shown in capsys.readouterr().out
