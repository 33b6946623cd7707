"""What the shop says no with: an HTTP status, a stable code and a sentence."""

from __future__ import annotations


class Refusal(Exception):
    """A request that has no effect.

    Args:
        status: HTTP status of the answer.
        code: stable upper snake case name.
        message: the reason, one sentence.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> dict[str, object]:
        return {"error": {"code": self.code, "message": self.message}}
