"""How far an attempt is, in the words of its activity."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What an attempt reported last.

    Args:
        done: units of work that are done.
        total: units that there are to be, if that is known.
        message: what it is doing, for people; cut after 200 characters.
    """

    done: float | None = None
    total: float | None = None
    message: str = ""

    def as_dict(self) -> dict[str, float | str | None]:
        return {"done": self.done, "total": self.total, "message": self.message}


def words(done: float | None, total: float | None, message: str) -> str:
    """Say it in a few words.

    >>> words(3, 10, "loading"), words(3, None, ""), words(None, None, "waiting for the printer"), words(None, None, "")
    ('3 of 10: loading', '3 done', 'waiting for the printer', '')
    """
    count = "" if done is None else f"{done:,g} of {total:,g}" if total is not None else f"{done:,g} done"
    return ": ".join(part for part in (count, message) if part)
