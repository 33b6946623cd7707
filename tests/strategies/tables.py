"""A few decision tables that drawn definitions ask: each way to hit, and each way to have no answer."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.decision_tables import Table, parse

DOCUMENTS: tuple[dict[str, Any], ...] = (
    {
        "table": "sizes",
        "version": "1.0.0",
        "inputs": [{"name": "n", "type": "number"}],
        "outputs": [{"name": "size"}],
        "rules": [
            {"id": "small", "when": {"n": "< 2"}, "then": {"size": "small"}},
            {"then": {"size": "${ 'n=' + string(input.n) }"}},
        ],
    },
    {
        "table": "sizes",
        "version": "2.0.0",
        "inputs": [{"name": "n", "type": "number"}],
        "outputs": [{"name": "size"}, {"name": "fee"}],
        "rules": [{"then": {"size": "any", "fee": 1e16}}],
    },
    {
        "table": "tags",
        "version": "1.0.0",
        "hit": "collect",
        "inputs": [{"name": "n", "type": "number"}],
        "outputs": [{"name": "tag"}],
        "rules": [
            {"when": {"n": "> 0"}, "then": {"tag": "positive"}},
            {"if": "input.n > 1", "then": {"tag": ["more", "${ input.n }"]}},
        ],
    },
    {
        "table": "strict",
        "version": "1.0.0",
        "hit": "unique",
        "inputs": [{"name": "n", "type": "integer"}],
        "outputs": [{"name": "o"}],
        "rules": [
            {"when": {"n": 1}, "then": {"o": 1}},
            {"if": "input.n == 1 || input.n == 3", "then": {"o": 2}},
        ],
    },
)
TABLES: dict[tuple[str, str | None], Table | None] = {
    (table.name, table.version): table for table in map(parse, DOCUMENTS)
}
TABLES |= {(name, None): table for (name, _), table in list(TABLES.items()) if table is not None}
"""By name and version asked for; the last of a name is its highest."""
ASKED = (("sizes", None), ("sizes", "1.0.0"), ("tags", None), ("strict", "1.0.0"), ("strict", "9.9.9"), ("gone", None))


def table_of(name: str, version: str | None) -> Table | None:
    return TABLES.get((name, version))
