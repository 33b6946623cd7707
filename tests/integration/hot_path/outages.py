"""A database that drops the connection once, at a place that the test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from unittest import mock

from django.db import connections

DEFAULT = "default"


class Moment(StrEnum):
    """When the connection drops."""

    BEFORE_STATEMENT = "before a statement"
    AFTER_STATEMENT = "after a statement, before its answer"
    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit, before its answer"


class Outage:
    """One outage; ``happened`` says whether its turn came."""

    def __init__(self, moment: Moment, turn: int) -> None:
        self.moment = moment
        self.turn = turn
        self.happened = False

    def drop(self, moment: Moment) -> None:
        if moment is self.moment and not self.happened:
            self.turn -= 1
            if self.turn < 0:
                self.happened = True
                connections[DEFAULT].connection.close()


@contextmanager
def outage(moment: Moment, turn: int) -> Iterator[Outage]:
    """Let the connection drop once.

    Args:
        moment: at which kind of moment.
        turn: how many such moments pass before.
    """
    once = Outage(moment, turn)
    connection = connections[DEFAULT]
    commit = type(connection)._commit

    def execute(run: Callable[..., Any], *call: Any) -> Any:
        once.drop(Moment.BEFORE_STATEMENT)
        answer = run(*call)
        once.drop(Moment.AFTER_STATEMENT)
        return answer

    def committing(wrapper: Any) -> None:
        once.drop(Moment.BEFORE_COMMIT)
        commit(wrapper)
        once.drop(Moment.AFTER_COMMIT)
        if once.happened and once.moment is Moment.AFTER_COMMIT:
            commit(wrapper)  # on the closed connection: the driver's own error

    with connection.execute_wrapper(execute), mock.patch.object(type(connection), "_commit", committing):
        yield once
