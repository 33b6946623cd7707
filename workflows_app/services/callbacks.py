"""Callbacks: steps that make a call hand out addresses, and the first answer at one is recorded as an event.

The token in an address is derived from the installation's key and what it is for, so that every attempt hands out the
same one; the database keeps its hash only. An answer is a published event under a key of the one step that waits, so
all that is true of events is true of it (ADR 0014): it may come before the step waits, nothing is held meanwhile, and
the engine decides.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from workflows_app.engine import callbacks, credentials, idempotency, stored, strict_json, values, webhook_signature
from workflows_app.engine.definition.model import ReceiveBody
from workflows_app.engine.errors import (
    ActivityError,
    InputInvalid,
    NotFound,
    OrchestratorError,
    Problem,
    Refused,
    StateForbids,
)
from workflows_app.engine.states import STEP_OPEN, InstanceState, Role, StepState
from workflows_app.models import Callback, Step
from workflows_app.services import arrivals, audit, decisions, secrets
from workflows_app.services.claims import Claim
from workflows_app.services.signals import ACCEPTING

log = logging.getLogger(__name__)

TOKEN_LENGTH = 43
"""Characters of a token: 256 bits in URL-safe base64."""
_SALT = "workflows_app.callbacks"


class NotConfigured(Refused):
    """The installation does not know the address under which it is reached."""

    code = "CALLBACKS_NOT_CONFIGURED"


class Unsigned(Refused):
    """An answer whose signature is missing, wrong or too old."""

    code = "SIGNATURE_INVALID"


class Unverifiable(Refused):
    """An answer that cannot be checked now: the secret that signs it is missing or unreadable."""

    code = "SIGNATURE_UNVERIFIABLE"


class Answered(Refused):
    """A second answer at the same address."""

    code = "CALLBACK_ANSWERED"


class Over(StateForbids):
    """An answer that nothing waits for any more."""

    code = "CALLBACK_OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, empty where they are missing."""

    identity: str = ""
    timestamp: str = ""
    signatures: str = ""


def base_url() -> str:
    """Return the address under which other systems reach this installation, without a slash at its end.

    Raises:
        NotConfigured: ``ORCHESTRATOR_PUBLIC_URL`` is not set, or is no address of HTTP.
    """
    written = settings.ORCHESTRATOR_PUBLIC_URL or ""
    parts = urlsplit(written)
    sound = (
        parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment or parts.username)
    )
    if not sound:
        raise NotConfigured(
            "ORCHESTRATOR_PUBLIC_URL must be the address of this installation, such as https://flow.example"
        )
    return written.rstrip("/")


def is_configured() -> bool:
    """Whether addresses can be handed out."""
    try:
        base_url()
    except NotConfigured:
        return False
    return True


def hand_out(*, claim: Claim, name: str) -> tuple[str, str]:
    """Return the address at which a step is answered, and the token in it; both are the same for every attempt.

    It is on record before the attempt can give it away.

    Args:
        claim: the attempt that gives it away.
        name: the id of the step that waits, in the same iteration.

    Raises:
        ActivityError: CALLBACKS_NOT_CONFIGURED, not recoverable.
    """
    try:
        base = base_url()
    except NotConfigured as refused:
        raise ActivityError(f"{refused.message}.", code=refused.code, recoverable=False) from None
    path = callbacks.path_of(claim.path, name)
    body = claim.graph[path].step.body
    assert isinstance(body, ReceiveBody)
    assert body.callback is not None
    token = _token(claim.instance_id, claim.path, claim.own_key, path)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflows_app_callback (token_hash, instance_id, path, sender, secret, handed_out_at) "
            "VALUES (%s, %s, %s, %s, %s, wf_clock()) ON CONFLICT DO NOTHING",
            [_hash(token), claim.instance_id, path, claim.path, body.callback.secret or ""],
        )
    return f"{base}/callbacks/{token}", token


def _is_current(found: Callback, own_key: str | None) -> bool:
    """Whether an address is that of the sender's present run, under a key of the installation that is accepted."""
    tokens = (
        _token(found.instance_id, found.sender, own_key, found.path, secret)
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )
    return any(constant_time_compare(_hash(token), found.token_hash) for token in tokens)


def _token(instance_id: UUID, sender: str, own_key: str | None, path: str, secret: str | None = None) -> str:
    """Derive the token of one run of the sender: its idempotency key is the same for all attempts of it."""
    key = idempotency.of(instance_id, sender, own_key, Role.ACTION)
    digest = salted_hmac(_SALT, f"{instance_id}/{sender}/{key}>{path}", secret=secret, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def answer(*, token: str, body: bytes, signature: Signature, now: float | None = None) -> None:
    """Record the answer at an address, once; the step that waits takes it.

    Args:
        token: the last part of the address.
        body: JSON, as it arrived.
        signature: how it was signed.
        now: seconds since 1970; by default the clock's.

    Raises:
        NotFound: CALLBACK_NOT_FOUND: no address has this token.
        Unsigned: it has to be signed and is not, or wrongly, or more than five minutes ago.
        Unverifiable: the secret cannot be read now; the same answer may be accepted later.
        InputInvalid: the body is no JSON that can be stored.
        Answered: somebody has answered already.
        Over: the step or its instance has ended.
    """
    found = Callback.objects.filter(token_hash=_hash(token)).first() if len(token) == TOKEN_LENGTH else None
    if found is None:
        raise NotFound("there is no such address", code="CALLBACK_NOT_FOUND")
    if found.secret:
        _check(found, body, signature, time.time() if now is None else now)
    data = _data(body)
    _record(found, data)


def _check(found: Callback, body: bytes, signature: Signature, now: float) -> None:
    try:
        secret = credentials.in_text(secrets.reveal(found.secret))
        signed = webhook_signature.verify(
            secret=secret,
            identity=signature.identity,
            timestamp=signature.timestamp,
            signatures=signature.signatures,
            body=body,
            now=now,
        )
    except (Refused, ValueError) as problem:
        log.warning("answers for %s of %s cannot be checked: %s", found.path, found.instance_id, problem)
        raise Unverifiable("the signature cannot be checked now") from None
    if not signed:
        raise Unsigned("the answer is not signed, or wrongly, or its time is more than five minutes off")


def _data(body: bytes) -> Any:
    """Read the body as data that is stored as it is."""
    try:
        limit = settings.ORCHESTRATOR_MAX_INPUT_BYTES
        return stored.as_stored(values.encode(strict_json.read(body), limit_bytes=limit, what="the body"))
    except ValueError:
        raise _unusable("NOT_JSON", "the body is no JSON") from None
    except OrchestratorError as refused:
        raise _unusable(refused.code, refused.message) from None


def _unusable(code: str, message: str) -> InputInvalid:
    return InputInvalid(message, code=code, problems=[Problem(code=code, path="", message=message)])


@transaction.atomic
def _record(found: Callback, data: Any) -> None:
    """Publish the answer for the one step; the instance's lock orders it with other answers and with the step's end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, ending FROM workflows_app_instance WHERE id = %s FOR UPDATE", [found.instance_id])
        row: tuple[str, str | None] | None = cursor.fetchone()
        if row is None:
            raise NotFound("there is no such address", code="CALLBACK_NOT_FOUND")
        cursor.execute(
            "UPDATE workflows_app_callback SET answered_at = wf_clock() WHERE id = %s AND answered_at IS NULL",
            [found.pk],
        )
        if not cursor.rowcount:
            raise Answered("an answer has come already")
    rows = Step.objects.filter(instance_id=found.instance_id, path__in=[found.path, found.sender])
    steps = {row.path: row for row in rows.only("path", "state", "rerun", "idempotency_key")}
    if InstanceState(row[0]) not in ACCEPTING or row[1] is not None:
        raise Over("the workflow has ended or is ending")
    waits, sender = steps.get(found.path), steps.get(found.sender)
    if waits is not None and StepState(waits.state) not in STEP_OPEN:
        raise Over("the step does not wait any more")
    if not _is_current(found, sender.idempotency_key if sender else None):
        raise Over("the step that handed the address out has been run again, and hands out another one")
    key = callbacks.key_of(str(found.instance_id), found.path, waits.rerun if waits else 0)
    document: Mapping[str, Any] = {"published": [{"type": callbacks.EVENT, "key": key, "data": data}]}
    woken = arrivals.publish(None, dict(document), actor=f"callback:{found.sender}")
    facts = {"step": found.path, "handed_out_by": found.sender}
    audit.record(actor="callback", action="callback.answered", target=str(found.instance_id), data=facts)
    arrivals.hand_over_later(woken, decisions.take)
