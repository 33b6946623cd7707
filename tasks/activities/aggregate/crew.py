"""The crew: pieces of one attempt's work side by side in threads, with one thread for what needs the database.

A connection to the database belongs to a thread, and a thread for each source would need one each. So the thread that
performs the attempt, which has to wait anyway, does this part of everybody's work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from workflows_app.activities import ActivityContext, AttemptCancelled
from workflows_app.activities.effects import Effect, Effects

POLL = 0.1
"""Seconds between two looks at the stop request."""
GRACE = 1.0
"""Seconds that those who are told to stop have to say what became of their calls."""

Result = TypeVar("Result")


class _Errand:
    """Something that another thread wants done here."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._over = threading.Event()
        self._result: Any = None
        self._raised: BaseException | None = None

    def perform(self) -> None:
        try:
            self._result = self._work()
        except Exception as raised:
            self._raised = raised
        except BaseException as raised:
            self._raised = raised
            raise
        finally:
            self._over.set()

    def awaited(self, is_closed: Callable[[], bool]) -> Any:
        while not self._over.wait(POLL):
            if is_closed():
                raise AttemptCancelled("The attempt is over.")
        if self._raised is not None:
            raise self._raised
        return self._result


class Crew:
    """Threads for the pieces of one attempt; ``run`` once.

    ``late`` are the outcomes of those that were told to stop and said what became of them.

    Args:
        context: the attempt.
    """

    def __init__(self, context: ActivityContext) -> None:
        self._context = context
        self._home = threading.current_thread()
        self._post: SimpleQueue[_Errand | tuple[str, Any]] = SimpleQueue()
        self.late: dict[str, Any] = {}
        self._told = threading.Event()
        self._closed = threading.Event()

    def should_stop(self) -> bool:
        """Whether a piece should stop: the attempt was told to, or the others have decided about the whole."""
        return self._told.is_set() or self._context.should_stop()

    def do(self, work: Callable[[], Result]) -> Result:
        """Have something done in the thread that performs the attempt; callable from any thread.

        Raises:
            AttemptCancelled: nobody is there any more to do it; and whatever ``work`` raises.
        """
        if threading.current_thread() is self._home:
            return work()
        errand = _Errand(work)
        self._post.put(errand)
        result: Result = errand.awaited(self._closed.is_set)
        return result

    def run(
        self,
        works: Mapping[str, Callable[[], Any]],
        *,
        seconds: float,
        enough: Callable[[Mapping[str, Any]], bool],
    ) -> dict[str, Any]:
        """Have all pieces performed at the same time.

        Args:
            works: by name.
            seconds: after which nobody is waited for any longer.
            enough: whether what has come decides about the whole.

        Returns:
            by name, what each returned or raised; those that did not come in time are left out.

        Raises:
            AttemptCancelled: when told to stop.
        """
        outcomes: dict[str, Any] = {}
        deadline = time.monotonic() + seconds
        for name, work in works.items():
            # Each in a copy of the context: what it is told not to show is hidden in its logs too.
            perform = copy_context().run
            threading.Thread(target=perform, args=(self._perform, name, work), name=name, daemon=True).start()
        try:
            while len(outcomes) < len(works) and not enough(outcomes):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._attend(min(left, POLL), outcomes)
                self._context.check()
            self._told.set()
            until = time.monotonic() + GRACE
            while len(outcomes) + len(self.late) < len(works) and (left := until - time.monotonic()) > 0:
                self._attend(left, self.late)
        finally:
            self._told.set()
            self._closed.set()
        return outcomes

    def _perform(self, name: str, work: Callable[[], Any]) -> None:
        try:
            result = work()
        except BaseException as raised:
            result = raised
        self._post.put((name, result))

    def _attend(self, seconds: float, outcomes: dict[str, Any]) -> None:
        """Wait for the next outcome, or do the next errand."""
        try:
            post = self._post.get(timeout=seconds)
        except Empty:
            return
        if isinstance(post, _Errand):
            post.perform()
        else:
            name, outcome = post
            outcomes[name] = outcome


class CrewEffects:
    """The attempt's ledger for one piece, written by the thread that performs the attempt.

    Args:
        effects: the attempt's.
        crew: whose thread writes.
        key: the idempotency key that the piece sends.
    """

    def __init__(self, effects: Effects, crew: Crew, key: str) -> None:
        self._effects = effects
        self._crew = crew
        self._key = key

    def planned(self, *about: Any, key: str | None = None, **more: Any) -> AbstractContextManager[Effect]:
        return self._at_home(self._effects.planned(*about, key=key or self._key, **more))

    def asked(self, *about: Any, **more: Any) -> AbstractContextManager[Effect]:
        return self._at_home(self._effects.asked(*about, **more))

    @contextmanager
    def _at_home(self, entry: AbstractContextManager[Effect]) -> Iterator[Effect]:
        effect = self._crew.do(entry.__enter__)
        try:
            yield effect
        except BaseException as raised:
            ended = raised  # the name of an except clause is gone when the lambda runs
            self._crew.do(lambda: _left(entry, ended))
            raise
        self._crew.do(lambda: entry.__exit__(None, None, None))


def _left(entry: Any, raised: BaseException) -> None:
    """End a block of the ledger with what was raised in it; it is raised again by whoever asked."""
    try:
        entry.__exit__(type(raised), raised, raised.__traceback__)
    except BaseException as again:
        if again is not raised:
            raise
