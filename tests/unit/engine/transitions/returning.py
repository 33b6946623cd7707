"""What simulated activities return: mostly what they were given, all of it, a part of it, or something more."""

from __future__ import annotations

import random
from typing import Any

from workflows_app.engine import handing
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.passing import Passed


def returned(graph: Graph, node: Node, parameters: Any) -> tuple[Any, Passed | None]:
    """Return an output, the same whenever the step runs, and where that has the value that another event brought.

    The place is said whether the step's row refers to such an event or not: it is the engine's to believe it.
    """
    chance = random.Random(node.path).random()
    splice = handing.splice(graph, node)
    if splice is None or chance < 0.2 or not isinstance(parameters, dict) or splice.put[0] not in parameters:
        return parameters, None
    if chance < 0.5:
        return parameters, _passed(splice.put, splice.put)
    if chance < 0.8:
        return {**parameters, "more": chance}, _passed(splice.put, splice.put)
    return handing.taken(parameters, splice.put), _passed(splice.put, ())


def _passed(take: tuple[str, ...], put: tuple[str, ...]) -> Passed:
    return Passed(take=take, put=put, frame="", part="")
