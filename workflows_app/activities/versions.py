"""Semantic versions of activities and which of several is the newest (https://semver.org, section 11)."""

from __future__ import annotations

import re

_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)


def is_version(text: str) -> bool:
    """Whether ``text`` is a semantic version.

    >>> is_version("1.2.0"), is_version("1.2.0-rc.1"), is_version("1.2")
    (True, True, False)
    """
    return _SEMVER.fullmatch(text) is not None


def newest(versions: list[str]) -> str:
    """The highest release; among prereleases only, the highest of those.

    Raises:
        ValueError: if ``versions`` is empty or holds something else than semantic versions.

    >>> newest(["1.9.0", "1.10.0", "2.0.0-rc.1"])
    '1.10.0'
    >>> newest(["1.0.0-rc.2", "1.0.0-rc.10", "1.0.0-beta"])
    '1.0.0-rc.10'
    """
    releases = [version for version in versions if "-" not in version.partition("+")[0]]
    return max(releases or versions, key=_precedence)


def _precedence(version: str) -> tuple[object, ...]:
    match = _SEMVER.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a semantic version")
    numbers = tuple(int(part) for part in match.group(1, 2, 3))
    tail = [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (match.group(4) or "").split(".") if part
    ]
    return (numbers, not tail, tail, version)
