"""``--where KEY=VALUE``: which instances a command of operators means, beside their workflow and tags."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management import CommandError

from workflows_app.engine.states import InstanceState

FILTERS = ("state", "correlation_id")


def read(given: Iterable[str] | None) -> dict[str, str]:
    """Return the filters by key.

    Args:
        given: each ``KEY=VALUE``; of a key that stands twice the last one counts.

    Raises:
        CommandError: with exit code 2; a filter that is none, or a state that there is not.
    """
    wanted: dict[str, str] = {}
    for each in given or ():
        key, equals, value = each.partition("=")
        if not equals or key not in FILTERS:
            raise CommandError(f"--where takes {' or '.join(f'{name}=VALUE' for name in FILTERS)}", returncode=2)
        if key == "state" and value not in list(InstanceState):
            raise CommandError(f"{value!r} is no state: {', '.join(InstanceState)}", returncode=2)
        wanted[key] = value
    return wanted
