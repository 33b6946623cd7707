"""Documents whose order follows from what their steps read.

They are those of ``definitions`` with what they say of needs taken away, or part of it, and every list shuffled: where
a step is written says nothing any more.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.strategies.definitions import documents as sound_documents
from workflows_app.engine.definition.shape import inner_lists, walk


@st.composite
def documents(draw: st.DrawFn, max_steps: int = 12, events: bool = False) -> dict[str, Any]:
    """Draw documents in which every step infers what it waits for, some of them beside what they say.

    What depends on a chosen order is left out: a ``goto``, and joins that count how many are waited for.
    """
    document = deepcopy(draw(sound_documents(("core.echo",), max_steps, endings=False, events=events)))
    by_default = draw(st.booleans())
    if by_default:
        document["defaults"] = {**document.get("defaults", {}), "needs": "inferred"}
    for _, step in walk(document["steps"], ("steps",)):
        for key in ("join", "rest", "tolerate", "join_deadline"):
            step.pop(key, None)
        if isinstance(step.get("on_error"), dict) and "goto" in step["on_error"]:
            del step["on_error"]
        written = step.pop("needs", None)
        if written and draw(st.booleans()):
            step["needs"] = {"inferred": True, "also": written}
        elif not by_default or draw(st.booleans()):
            step["needs"] = draw(st.sampled_from(["inferred", {"inferred": True}, {"inferred": True, "also": []}]))
    lists = [document["steps"]]
    while lists:
        steps = lists.pop()
        lists += [entries for step in steps for _, entries in inner_lists(step)]
        steps[:] = draw(st.permutations(steps))
    return document
