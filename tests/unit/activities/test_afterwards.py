"""What an activity left to be done is told how its attempt was recorded: once, and whatever else goes wrong."""

from __future__ import annotations

import logging

import pytest

from workflows_app.activities.afterwards import Afterwards, settling


class Ending:
    def __init__(self, told: list[str], name: str = "", broken: bool = False) -> None:
        self.told, self.name, self.broken = told, name, broken

    def recorded(self) -> None:
        self._tell("recorded")

    def dropped(self) -> None:
        self._tell("dropped")

    def _tell(self, what: str) -> None:
        self.told.append(self.name + what)
        if self.broken:
            raise OSError("amqp://guest:canary@host is away")


@pytest.mark.parametrize(("is_recorded", "told"), [(True, ["recorded"]), (False, ["dropped"])])
def test_an_ending_hears_how_the_attempt_was_recorded(is_recorded: bool, told: list[str]) -> None:
    heard: list[str] = []

    with settling(lambda: is_recorded) as afterwards:
        afterwards.leave(Ending(heard))
        assert heard == [], "nothing is told before the attempt is reported"

    assert heard == told


def test_nobody_asks_the_database_where_nothing_was_left() -> None:
    def asked() -> bool:
        raise AssertionError("asked")

    with settling(asked) as afterwards:
        assert not afterwards


def test_whatever_leaves_the_attempt_drops_what_was_taken() -> None:
    heard: list[str] = []

    def end() -> None:
        with settling(lambda: True) as afterwards:
            afterwards.leave(Ending(heard))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        end()
    assert heard == ["dropped"]


def test_a_database_that_cannot_be_asked_counts_as_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def away() -> bool:
        raise OSError("away")

    with settling(away) as afterwards:
        afterwards.leave(Ending(heard))

    assert heard == ["dropped"]
    assert "cannot be asked" in caplog.text


def test_a_broken_ending_is_logged_without_its_text_and_keeps_no_other_from_being_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str] = []
    afterwards = Afterwards()
    afterwards.leave(Ending(heard, "a ", broken=True))
    afterwards.leave(Ending(heard, "b "))

    with caplog.at_level(logging.WARNING):
        afterwards.settle(recorded=True)
        afterwards.settle(recorded=False)

    assert heard == ["a recorded", "b recorded"], "each once"
    assert "OSError" in caplog.text
    assert "canary" not in caplog.text
