"""How the tests get into a situation: start, claim one step, let others succeed, and read what was recorded."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import Pair
from workflows_app.models import Dispatch, Instance
from workflows_app.services import claims, steps
from workflows_app.services.claims import Claim

ROW = "steps: [{id: a, activity: core.echo}, {id: b, activity: core.echo}, {id: c, activity: core.echo}]"
ERROR = {"code": "NO", "message": "no", "details": {}, "recoverable": False}


def start(driver: Driver, document: str, input: Any = None, name: str = "w") -> Instance:
    return driver.start(f"workflow: {name}\nversion: 1.0.0\n{document}", input)


def claim(instance: Instance, path: str, worker: str = "w") -> Claim:
    generation = Dispatch.objects.get(instance=instance, path=path).generation
    found = claims.claim(instance_id=instance.pk, path=path, generation=generation, worker=worker)
    assert found
    return found


def done(instance: Instance, *paths: str) -> None:
    """Let a worker of its own claim each of these steps, one after the other, and succeed with its path."""
    for path in paths:
        steps.succeeded(claim=claim(instance, path, "other"), output=path)


def events(pair: Pair) -> list[str]:
    """What the hot path recorded: type and step."""
    return _events(pair, pair.hot.rows["event"])


def left_to_the_engine(pair: Pair) -> list[str]:
    """What the engine recorded after the hot path had refused."""
    assert not pair.accepted
    return _events(pair, pair.engine.rows["event"])


def _events(pair: Pair, rows: list[str]) -> list[str]:
    news = [json.loads(row) for row in rows[len(pair.before["event"]) :]]
    return [f"{event['type']} {event['step']}".strip() for event in news]


def step_row(rows: dict[str, list[str]], path: str) -> dict[str, Any]:
    """The stored row of one step."""
    return next(row for row in map(json.loads, rows["step"]) if row["path"] == path)
