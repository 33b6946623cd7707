"""The shapes of the workloads in the definition language."""

from __future__ import annotations

from typing import Any, Final

from tests.benchmarks.workloads import Shape

REVISING: Final = "bench.count"
"""The activity that changes a field: ``tests.benchmarks.activities``."""
WORK: Final = r"^(all\[\d+\]\.)?(s\d+|join)$"
"""Paths of steps that perform something; the others hold them together."""


def name(shape: Shape, size: int) -> str:
    """The workflow's name.

    >>> name(Shape.CHAIN, 10)
    'bench-chain-10'
    """
    return f"bench-{shape}-{size}"


def document(shape: Shape, size: int) -> dict[str, Any]:
    """The definition of one instance of a shape."""
    described: dict[str, Any] = {"workflow": name(shape, size), "version": "1.0.0"}
    match shape:
        case Shape.CHAIN | Shape.SINGLE:
            return {**described, "steps": [nothing(f"s{number}") for number in range(size)]}
        case Shape.FAN:
            members = [f"s{number}" for number in range(size)]
            parallel = [{**nothing(member), "needs": []} for member in members]
            return {**described, "steps": [*parallel, {**nothing("join"), "needs": members}]}
        case Shape.BLOCK:
            branches = {f"b{number}": [nothing(f"s{number}")] for number in range(size)}
            return {**described, "steps": [{"id": "all", "parallel": {"branches": branches}}, nothing("join")]}
        case Shape.EACH:
            each = {"items": "input.items", "steps": [nothing("s0")]}
            return {**described, "input": {"type": "object"}, "steps": [{"id": "all", "foreach": each}]}
        case Shape.RELAY | Shape.REVISION:
            sources = ["input.data", *[f"steps.s{number}.output.data" for number in range(size - 1)]]
            taking: dict[str, Any] = {"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}}
            activity = "core.echo" if shape is Shape.RELAY else REVISING
            steps = [
                {"id": f"s{number}", "activity": activity, "with": {"data": f"${{ {source} }}"}}
                for number, source in enumerate(sources)
            ]
            return {**described, "input": taking, "steps": steps}


def nothing(step: str) -> dict[str, Any]:
    """A step that does nothing."""
    return {"id": step, "activity": "core.echo"}
