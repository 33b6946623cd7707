"""Artifacts: a reference is made by the installation while an instance runs; one written into a definition is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workflows_app.engine.definition.dumping import dump
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.errors import Problem
from workflows_app.engine.values import join_path

KEY = "$artifact"

_MESSAGE = "a reference to an artifact cannot be written by hand; take it from an input or from the output of a step"


def problems(definition: Definition) -> Iterator[Problem]:
    """Yield ``ARTIFACT_BY_HAND`` for every mapping with a text under ``$artifact``; a schema may describe one."""
    yield from _inside(dump(definition), ())


def _inside(value: Any, keys: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        if isinstance(value.get(KEY), str):
            yield Problem(code="ARTIFACT_BY_HAND", path=join_path("", *keys, KEY), message=_MESSAGE)
        for key, part in value.items():
            yield from _inside(part, (*keys, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _inside(part, (*keys, index))
