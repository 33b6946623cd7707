"""A Celery task as an installation may have had it before: it logs what it got and asks for a retry."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.utils.log import get_task_logger


@shared_task(name="give.away", bind=True)
def give_away(self: Any, told: str) -> dict[str, str]:
    get_task_logger(__name__).info("the task was told %s", told)
    return {"told": told}
