"""The language as one JSON Schema (draft 2020-12): the published contract, from which the documentation derives.

It covers the whole language, also what this release does not run yet (``availability`` says which that is). Its parts:
``scalars`` (names, durations, expressions), ``step_keys`` (keys of every step), ``steps`` (the kinds), ``people``,
``events``, ``machine`` (state machines) and ``document``. ``errorMessage`` carries the words for a refusal.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from workflows_app.engine.definition.language import document, events, machine, people, scalars, step_keys, steps

DIALECT = "https://json-schema.org/draft/2020-12/schema"

STEP_KINDS: tuple[str, ...] = tuple(steps.KINDS)
"""The kind keys; every step has exactly one."""


@cache
def _assembled() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for part in (scalars, step_keys, people, events, steps, machine, document):
        definitions.update(part.DEFINITIONS)
    return {
        "$schema": DIALECT,
        "$id": "urn:orchestrator:definition",
        "title": "Workflow definition",
        "description": "One document describes one workflow; `kind` says whether it is a flow or a state machine.",
        "type": "object",
        "if": {"required": ["kind"], "properties": {"kind": {"const": "state_machine"}}},
        "then": {"$ref": "#/$defs/state_machine"},
        "else": {"$ref": "#/$defs/flow"},
        "$defs": definitions,
    }


def language_schema() -> dict[str, Any]:
    """Return the JSON Schema of the whole language, a fresh copy at each call.

    >>> sorted(language_schema()["$defs"]["step"]["properties"])[:3]
    ['activity', 'adhoc', 'approval']
    """
    return deepcopy(_assembled())
