"""Another version of a drawn document, as people make them: steps are added, removed, renamed, and do their work
differently."""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from typing import Any

from workflows_app.engine.definition.shape import inner_lists, walk

Document = dict[str, Any]


def changed(document: Document, seed: int, *, version: str, number: int = 3) -> tuple[Document, dict[str, str]]:
    """Return a sound version of a sound document, and what steps that were renamed are called in it.

    Args:
        seed: decides what is changed.
        number: how many changes are tried.
    """
    chance = random.Random(seed)
    made, renames = {**deepcopy(document), "version": version}, {}
    for turn in range(number):
        act = chance.choice([_add, _add, _remove, _rename, _revise, _branch])
        made = act(made, chance, f"n{version[0]}{turn}", renames)
    return made, renames


def lists(document: Document) -> list[list[Document]]:
    """Return every list of steps, the outermost first."""
    found = [document["steps"]]
    for _, step in walk(document["steps"], ("steps",)):
        found += [steps for _, steps in inner_lists(step) if isinstance(steps, list)]
    return found


def _add(document: Document, chance: random.Random, name: str, renames: dict[str, str]) -> Document:
    """Write a step somewhere; what is written behind it waits for it, unless it says otherwise."""
    steps = chance.choice(lists(document))
    place = chance.randint(0, len(steps))
    work: Document = chance.choice([{"activity": "core.echo", "with": {"value": 1}}, {"wait": {"for": "1s"}}])
    added = {"id": name, **work}
    if place == 0 and steps and "needs" not in steps[0]:
        steps[0].setdefault("needs", [] if chance.random() < 0.5 else [name])
    if chance.random() < 0.3:
        # Beside what is there: who is written behind it goes on waiting for whom it waited for.
        if place < len(steps) and "needs" not in steps[place]:
            steps[place]["needs"] = [steps[place - 1]["id"]] if place else []
        added["needs"] = [chance.choice(steps[:place])["id"]] if place else []
    steps.insert(place, added)
    return document


def _remove(document: Document, chance: random.Random, name: str, renames: dict[str, str]) -> Document:
    """Take a step away that nothing reads; who waited for it waits for what it waited for."""
    text = json.dumps(document)
    found = [
        (steps, step)
        for steps in lists(document)
        for step in steps
        if len(steps) > 1 and not inner_lists(step) and not re.search(rf"steps\.{step['id']}\b", text)
    ]
    found = [(steps, step) for steps, step in found if f'"goto": "{step["id"]}"' not in text]
    if not found:
        return document
    steps, gone = chance.choice(found)
    place = steps.index(gone)
    before = gone.get("needs", [steps[place - 1]["id"]] if place else [])
    for other in steps:
        if gone["id"] in other.get("needs", ()):
            kept = [need for need in other["needs"] if need != gone["id"]]
            other["needs"] = list(dict.fromkeys([*kept, *before]))
            for key in ("join", "rest", "tolerate", "join_deadline"):
                other.pop(key, None)
    if place + 1 < len(steps) and "needs" not in steps[place + 1]:
        steps[place + 1]["needs"] = before
    del steps[place]
    return document


def _rename(document: Document, chance: random.Random, name: str, renames: dict[str, str]) -> Document:
    """Give a step another id wherever it is named."""
    old = chance.choice([step["id"] for steps in lists(document) for step in steps])
    text = json.dumps(document)
    text = re.sub(rf"steps\.{old}\b", f"steps.{name}", text).replace(f'"{old}"', f'"{name}"')
    first = next((known for known, called in renames.items() if called == old), old)
    if not re.match(r"n\d", first):
        renames[first] = name
    renamed: Document = json.loads(text)
    return renamed


def _revise(document: Document, chance: random.Random, name: str, renames: dict[str, str]) -> Document:
    """Let a step have other times and attempts."""
    step = chance.choice(chance.choice(lists(document)))
    if "activity" in step:
        step["timeout"] = chance.choice(["9s", "2m"])
        step["retry"] = {"max_attempts": chance.randint(1, 3)}
    document["timeout"] = chance.choice(["29d", "3w"])
    return document


def _branch(document: Document, chance: random.Random, name: str, renames: dict[str, str]) -> Document:
    """Add a branch to a block, or take one away."""
    blocks = [step["parallel"] for steps in lists(document) for step in steps if "parallel" in step]
    if blocks:
        chance.choice(blocks)["branches"][name] = [{"id": f"{name}_in", "activity": "core.echo"}]
    return document
