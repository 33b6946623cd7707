"""Tags: words by which people find instances again. An instance has those of its definition, and those it is given.

A tag is one word, or two with ``=`` between them: ``urgent``, ``region=eu``. Capitals count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from workflows_app.engine.errors import Problem

MOST_GIVEN: Final = 20
"""How many tags a start may give, and how many an instance takes from its definition."""
MOST: Final = 60
"""How many an instance may have."""
LENGTH: Final = 60
"""Characters of one tag."""
EXPECTED: Final = f"one word or WORD=WORD, at most {LENGTH} letters, digits and . _ - / : @ +"
_TAG = re.compile(r"\w[\w.\-/:@+]*(=[\w.\-/:@+]+)?")


def is_tag(value: Any) -> bool:
    """Whether a value may be a tag.

    >>> [is_tag(each) for each in ("urgent", "region=eu", "Größe=XL", "two words", "=eu", "a=b=c", "", 7)]
    [True, True, True, False, False, False, False, False]
    """
    return isinstance(value, str) and len(value) <= LENGTH and _TAG.fullmatch(value) is not None


def check(given: Sequence[Any], *, path: str = "tags", most: int = MOST_GIVEN) -> Iterator[Problem]:
    """Yield what is wrong with tags that somebody gives, each with its place.

    >>> [str(problem) for problem in check(["urgent", "two words"])]
    ['tags[1]: is no tag: one word or WORD=WORD, at most 60 letters, digits and . _ - / : @ + (INVALID_TAG)']
    """
    if len(given) > most:
        yield Problem(code="TOO_MANY_TAGS", path=path, message=f"are {len(given)}; at most {most} may be given")
    for place, each in enumerate(given):
        if not is_tag(each):
            yield Problem(code="INVALID_TAG", path=f"{path}[{place}]", message=f"is no tag: {EXPECTED}")


def of_definition(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tags that a definition gives its instances: the words among its ``metadata.tags``.

    >>> of_definition({"owner": "sales", "tags": ["orders", "for people", "orders", 7]})
    ('orders',)
    """
    found = metadata.get("tags")
    return together(filter(is_tag, found if isinstance(found, list) else ()))[:MOST_GIVEN]


def together(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of several groups, each once, in order; those beyond ``MOST`` are left out.

    >>> together(("a", "b"), ("b", "c"))
    ('a', 'b', 'c')
    """
    return tuple(dict.fromkeys(tag for group in groups for tag in group))[:MOST]
