"""The table that these tests publish, in several versions."""

from __future__ import annotations

from workflows_app.models import DecisionTableVersion
from workflows_app.services import decision_tables

DISCOUNTS = """
table: discounts
version: {version}
hit: {hit}
inputs:
  - {{name: customer, type: string, values: [gold, plain]}}
  - {{name: amount, type: number}}
outputs: [{{name: percent}}]
rules:
  - {{id: large, when: {{amount: ">= 100"}}, then: {{percent: {large}}}}}
  - {{id: loyal, when: {{customer: gold, amount: "< 100"}}, then: {{percent: 5}}}}
  - {{id: others, when: {{customer: plain, amount: "< 100"}}, then: {{percent: 0}}}}
"""


def discounts(version: str = "1.0.0", *, large: object = 10, hit: str = "unique") -> str:
    return DISCOUNTS.format(version=version, large=large, hit=hit)


def publish(version: str = "1.0.0", **changed: object) -> DecisionTableVersion:
    return decision_tables.publish(text=discounts(version, **changed), actor="ada")  # type: ignore[arg-type]
