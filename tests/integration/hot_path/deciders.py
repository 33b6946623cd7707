"""The two ways to decide what follows from a step's success, each tried on the same stored state and taken back."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any
from unittest import mock

from django.conf import settings
from django.db import transaction

from tests.integration.hot_path.stored import everything, identical
from workflows_app.engine import values
from workflows_app.services import advancing, claims, steps
from workflows_app.services.advancing import NotPlain
from workflows_app.services.claims import Claim, Onward

Mates = Iterable[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one way led to: whether it recorded the success, what is stored then, and what the worker does next."""

    recorded: bool
    rows: dict[str, list[str]]
    next: Claim | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The answers of both to one success, and what was stored before."""

    claim: Claim
    before: dict[str, list[str]]
    hot: Answer
    engine: Answer

    @property
    def accepted(self) -> bool:
        """Whether the hot path decided."""
        return self.hot.recorded

    def check(self) -> None:
        """Hold the answers against each other: alike where the hot path decided, and nothing done where it did not."""
        if self.accepted:
            assert self.engine.recorded
            for table, rows in self.engine.rows.items():
                assert self.hot.rows[table] == rows, f"{table} after {self.claim.path}"
            assert same_claim(self.hot.next, self.engine.next), (self.hot.next, self.engine.next)
        else:
            assert self.hot.rows == self.before, f"refused after {self.claim.path}"
        if not self.engine.recorded:
            assert self.engine.rows == self.before, f"stale after {self.claim.path}"


def decide(claim: Claim, output: Any = None, *, mates: Mates = (), goes_on: bool = True) -> Pair:
    """Let both decide on the same stored state, and check that they agree.

    Args:
        claim: the attempt that succeeds.
        output: its result, as the activity returns it.
        mates: (path, generation) of steps that came with the same message.
        goes_on: whether the worker has time for another step.
    """
    pair = Pair(
        claim=claim,
        before=everything(claim.instance_id),
        hot=_by_the_hot_path(claim, output, list(mates), goes_on),
        engine=_by_the_engine(claim, output, list(mates), goes_on),
    )
    pair.check()
    return pair


def _by_the_hot_path(claim: Claim, output: Any, mates: list[tuple[str, int]], goes_on: bool) -> Answer:
    text = values.encode(output, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the output")
    with _taken_back(claim) as held:
        onward = Onward(goes_on=lambda: goes_on, mates=mates)
        try:
            advancing.advance(held, text, onward, held.given.passed(output, text) if held.given else None)
        except NotPlain:
            assert onward.next is None
            assert list(onward.mates) == mates
            return Answer(recorded=False, rows=everything(claim.instance_id), next=None)
        following = onward.next or next_mate(held, onward)
        return Answer(recorded=True, rows=everything(claim.instance_id), next=following)


def _by_the_engine(claim: Claim, output: Any, mates: list[tuple[str, int]], goes_on: bool) -> Answer:
    with _taken_back(claim) as held:
        onward = Onward(goes_on=lambda: goes_on, mates=mates)
        with only_the_engine():
            recorded = steps.succeeded(claim=held, output=output, onward=onward)
        following = (onward.next or next_mate(held, onward)) if recorded else None
        return Answer(recorded=recorded, rows=everything(claim.instance_id), next=following)


def next_mate(claim: Claim, onward: Onward) -> Claim | None:
    """Claim the next of the steps that came with the message, as the worker does after a step without a successor."""
    while (key := onward.take_mate()) is not None:
        found = claims.claim(
            instance_id=claim.instance_id, path=key[0], generation=key[1], worker=claim.worker, known=claim.known
        )
        if found is not None:
            return found
    return None


@contextmanager
def _taken_back(claim: Claim) -> Iterator[Claim]:
    """Undo in the end what is done in the database; what the worker knows is a copy."""
    point = transaction.savepoint()
    try:
        yield replace(claim, known=copy.deepcopy(claim.known))
    finally:
        transaction.savepoint_rollback(point)


@contextmanager
def only_the_engine() -> Iterator[None]:
    """Let the hot path refuse everything."""
    with mock.patch.object(advancing, "advance", side_effect=NotPlain):
        yield


def same_claim(one: Claim | None, other: Claim | None) -> bool:
    """Whether two claims agree in every field, in value and in type; what the worker knows besides is not compared."""
    if one is None or other is None:
        return one is other
    return all(
        identical(getattr(one, field.name), getattr(other, field.name))
        for field in fields(Claim)
        if field.name not in ("known", "given")
    )
