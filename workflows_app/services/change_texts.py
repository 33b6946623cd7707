"""What publishers say of a version's changes: a short text beside the differences that are computed."""

from __future__ import annotations

from workflows_app.engine.errors import Conflict, InputInvalid, Problem
from workflows_app.models import DefinitionVersion

LONGEST = 2_000
"""Characters."""


def read(text: str) -> str:
    """Return a text as it is kept, without space around it.

    Raises:
        InputInvalid: with code INVALID_CHANGES: it is too long, or has characters other than those of plain text.

    >>> read(" Refunds are limited.\\n")
    'Refunds are limited.'
    """
    kept = text.strip().replace("\r\n", "\n")
    odd = next((letter for letter in kept if not (letter.isprintable() or letter in "\n\t")), None)
    if odd is not None:
        raise _refused(f"{odd!a} cannot stand in a text")
    if len(kept) > LONGEST:
        raise _refused(f"at most {LONGEST:,} characters; these are {len(kept):,}")
    return kept


def demand(found: DefinitionVersion, said: str) -> None:
    """Refuse a text for a version that was published before with another one.

    Raises:
        Conflict: with code CHANGES_EXIST.
    """
    if said and found.changes != said:
        kept = f"another one: {found.changes[:100]}" if found.changes else "none"
        raise Conflict(
            f"{found} is published with the same content, and what is said of its changes is {kept}; "
            "a published version never changes",
            code="CHANGES_EXIST",
        )


def _refused(message: str) -> InputInvalid:
    problem = Problem(code="INVALID_CHANGES", path="changes", message=message)
    return InputInvalid(f"the text about the changes is refused: {message}", code=problem.code, problems=[problem])
