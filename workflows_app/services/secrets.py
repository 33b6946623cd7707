"""Secrets: set, re-encrypt, delete and list them; a worker gets their values, nobody else does.

A name may be set before or after the definitions that use it, and set anew at any time: an attempt gets what is set
when it begins. The audit trail says who did what to which name, never a value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from workflows_app.engine import credentials
from workflows_app.engine.credentials import SecretInvalid, SecretType
from workflows_app.engine.errors import NotFound, Problem
from workflows_app.models import Secret
from workflows_app.services import audit, keyring
from workflows_app.services.keyring import Undecryptable

DESCRIPTION_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A secret without its value."""

    name: str
    type: SecretType
    description: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


@transaction.atomic
def put(
    *, name: str, type: SecretType | None = None, text: str, description: str | None = None, actor: str
) -> tuple[Described, bool]:
    """Set a secret; one of that name is replaced.

    Args:
        name: how definitions call it.
        type: what it is; ``None`` for what it was, or ``text``.
        text: its value, as ``credentials.read`` takes it.
        description: for people, kept in the clear; ``None`` keeps what was said.
        actor: who sets it.

    Returns:
        the secret without its value, and whether it is new.

    Raises:
        SecretInvalid: the name, the value or the description is refused; nothing is stored.
        KeysUnusable: there is no key to encrypt with.
    """
    credentials.check_name(name)
    if len(description or "") > DESCRIPTION_LENGTH or "\0" in (description or ""):
        raise SecretInvalid(f"a description is text of {DESCRIPTION_LENGTH} characters at most")
    before = Secret.objects.select_for_update().filter(name=name).first()
    chosen = type or SecretType(before.type if before else SecretType.TEXT)
    ciphertext = _seal(name, chosen, credentials.read(chosen, text))
    who = actor[:150]
    row, is_new = Secret.objects.update_or_create(
        name=name,
        defaults={
            "type": chosen.value,
            "ciphertext": ciphertext,
            "updated_at": Now(),
            "updated_by": who,
            **({} if description is None else {"description": description}),
        },
        create_defaults={
            "type": chosen.value,
            "ciphertext": ciphertext,
            "description": description or "",
            "created_by": who,
            "updated_by": who,
        },
    )
    action = "secret.created" if is_new else "secret.replaced"
    audit.record(actor=actor, action=action, target=name, data={"type": chosen.value})
    row.refresh_from_db()
    return _described(row), is_new


@transaction.atomic
def delete(*, name: str, actor: str) -> None:
    """Forget a secret; steps that use it fail from now on.

    Raises:
        NotFound: with code SECRET_NOT_FOUND.
    """
    deleted, _ = Secret.objects.filter(name=name).delete()
    if not deleted:
        raise _missing(name)
    audit.record(actor=actor, action="secret.deleted", target=name)


@transaction.atomic
def rotate(*, actor: str) -> int:
    """Encrypt every secret anew with the first key, so that the others may be taken away.

    Returns:
        how many there are.

    Raises:
        Undecryptable: naming every secret that no key fits; nothing is changed.
        KeysUnusable: there is no key.
    """
    rows = list(Secret.objects.select_for_update().order_by("name"))
    lost = []
    for row in rows:
        try:
            row.ciphertext = keyring.encrypt(_open(row))
        except Undecryptable as refused:
            lost.append(Problem(code=refused.code, path=row.name, message=refused.message))
    if lost:
        raise Undecryptable(f"{len(lost)} of {len(rows)} secrets cannot be decrypted", problems=lost)
    Secret.objects.bulk_update(rows, ["ciphertext"])
    audit.record(actor=actor, action="secrets.rotated", target="secrets", data={"count": len(rows)})
    return len(rows)


def listed() -> list[Described]:
    """Return all secrets by name, without their values."""
    return [_described(row) for row in Secret.objects.defer("ciphertext").order_by("name")]


def names() -> frozenset[str]:
    """Return the names of all secrets."""
    return frozenset(Secret.objects.values_list("name", flat=True))


def reveal(name: str) -> Any:
    """Return the value of a secret: for the process that runs a step, just before it does.

    Raises:
        NotFound: with code SECRET_NOT_FOUND.
        Undecryptable: with code SECRET_UNREADABLE.
        KeysUnusable: there is no key.
    """
    row = Secret.objects.filter(name=name).first()
    if row is None:
        raise _missing(name)
    return json.loads(_open(row))["value"]


def unreadable() -> list[str]:
    """Return the names of the secrets that cannot be decrypted.

    Raises:
        KeysUnusable: there is no key, and there are secrets.
    """
    found = []
    for row in Secret.objects.order_by("name"):
        try:
            _open(row)
        except Undecryptable:
            found.append(row.name)
    return found


def _seal(name: str, type: SecretType, value: Any) -> str:
    """Encrypt a value together with its name and type: a ciphertext put into another row is refused."""
    return keyring.encrypt(json.dumps({"name": name, "type": type.value, "value": value}).encode())


def _open(row: Secret) -> bytes:
    try:
        plain = keyring.decrypt(row.ciphertext)
    except Undecryptable as refused:
        raise Undecryptable(f"the secret {row.name!r} cannot be read: {refused.message}") from None
    held = json.loads(plain)
    if (held["name"], held["type"]) != (row.name, row.type):
        raise Undecryptable(f"the secret {row.name!r} cannot be read: its ciphertext was made for another one")
    return plain


def _described(row: Secret) -> Described:
    return Described(
        name=row.name,
        type=SecretType(row.type),
        description=row.description,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _missing(name: str) -> NotFound:
    return NotFound(f"no secret {name[:100]!r} is set on this installation", code="SECRET_NOT_FOUND")
