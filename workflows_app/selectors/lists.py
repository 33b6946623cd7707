"""Lists of instances and of archived ones: filtered, the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from workflows_app.models import ArchivedInstance, Instance
from workflows_app.selectors import attention
from workflows_app.selectors.attention import Concern

Row = TypeVar("Row", bound=Model)


def instances(
    *,
    workflow: str | None = None,
    version: str | None = None,
    state: str | None = None,
    states: Collection[str] = (),
    concern: Concern | None = None,
    correlation_id: str | None = None,
    ended_after: datetime | None = None,
    created_from: datetime | None = None,
    created_before: datetime | None = None,
    tags: Collection[str] = (),
    text: str | None = None,
) -> QuerySet[Instance]:
    """Return instances, the newest first, without their large values.

    Args:
        workflow: only of this workflow.
        version: only of this version.
        state: only in this state.
        states: only in one of these.
        concern: only those that somebody had better look at, for this reason.
        correlation_id: only with this correlation id.
        ended_after, created_from, created_before: only in these times.
        tags: only with every one of these tags.
        text: only with this text somewhere in the correlation id, or the instance of this id.
    """
    large = ("input", "variables", "output", "machine_queue")
    found = Instance.objects.order_by("-created_at", "-id").defer(*large)
    wanted = {
        "workflow": workflow,
        "version": version,
        "state": state,
        "state__in": states,
        "correlation_id": correlation_id,
        "ended_at__gte": ended_after,
        "created_at__gte": created_from,
        "created_at__lt": created_before,
        "tags__contains": list(tags),
    }
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    if concern is not None:
        found = attention.filtered(found, concern)
    return found.filter(_holding(text)) if text else found


def archived(
    *, workflow: str | None = None, states: Collection[str] = (), text: str | None = None
) -> QuerySet[ArchivedInstance]:
    """Return archived instances, the last archived first.

    Args:
        workflow: only of this workflow.
        states: only in one of these.
        text: only with this text somewhere in the correlation id, or the instance of this id.
    """
    found = ArchivedInstance.objects.order_by("-archived_at", "-id")
    wanted = {"workflow": workflow, "state__in": states}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    return found.filter(_holding(text)) if text else found


def _holding(text: str) -> Q:
    matching = Q(correlation_id__icontains=text)
    with suppress(ValueError):
        matching |= Q(pk=UUID(text))
    return matching


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """One page of a list, and whether there are others on either side."""

    rows: list[Row]
    newer: bool
    older: bool


Place = tuple[datetime, UUID]
"""Where a page ends or begins: time and id of the row next to the cut."""


def page(
    found: QuerySet[Row],
    *,
    size: int,
    older_than: Place | None = None,
    newer_than: Place | None = None,
    by: str = "created_at",
) -> Page[Row]:
    """Return one page of a list by key, so that page 1,000 costs what page 1 does.

    Args:
        found: what ``instances`` or ``archived`` returned.
        size: number of rows.
        older_than: begin after this place.
        newer_than: end before this place; where fewer than ``size`` are newer, the first page.
        by: the time that it is ordered by, the newest first.
    """
    if newer_than:
        at, key = newer_than
        newer = found.filter(Q(**{f"{by}__gt": at}) | Q(pk__gt=key), **{f"{by}__gte": at})
        rows = list(newer.order_by(by, "id")[: size + 1])
        if len(rows) > size:
            return Page(rows=rows[size - 1 :: -1], newer=True, older=True)
    elif older_than:
        at, key = older_than
        found = found.filter(Q(**{f"{by}__lt": at}) | Q(pk__lt=key), **{f"{by}__lte": at})
    rows = list(found[: size + 1])
    return Page(rows=rows[:size], newer=older_than is not None and newer_than is None, older=len(rows) > size)
