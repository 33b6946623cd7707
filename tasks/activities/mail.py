"""``mail.send``: one message by Django's mail settings; files in a folder by default, SMTP where it is set up."""

from __future__ import annotations

import hashlib
import smtplib
from email.utils import getaddresses, parseaddr
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email

from tasks.activities import mail_templates
from workflows_app.activities import ActivityContext, ActivityError, activity

DEFAULT_SECONDS = 30.0
_TEXT = {"type": ["string", "null"]}


@activity(
    "mail.send",
    version="1.0.0",
    description="Sends an e-mail.",
    parameters={
        "type": "object",
        "required": ["to", "subject"],
        "properties": {
            "to": {
                "description": "One address or several.",
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 500},
                ],
            },
            "subject": {"type": "string", "maxLength": 900},
            "text": _TEXT,
            "html": _TEXT,
            "template": _TEXT
            | {"description": "A file of the installation's mail templates, instead of text or html."},
            "data": {"type": ["object", "null"], "description": "What the template may show."},
        },
        "additionalProperties": False,
    },
    effects=True,
    category="integration",
)
def send(
    *,
    to: str | list[str],
    subject: str,
    context: ActivityContext,
    text: str | None = None,
    html: str | None = None,
    template: str | None = None,
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Send the message and return ``{message_id, to}``.

    All attempts of a step send the same Message-ID, by which a mailbox recognises a repetition.

    Raises:
        ActivityError: INVALID_PARAMETERS (not recoverable) for addresses, line breaks in a header, no content or a
            template that is not there or does not render; MAIL_NOT_SENT if the server did not take the message,
            ``details.effect`` ``unknown`` where it may have.
    """
    receivers = [_address(one) for one in ([to] if isinstance(to, str) else to)]
    if any(ord(character) < 32 or ord(character) == 127 for character in subject):
        refuse("subject", "A subject is one line.")
    if template is not None:
        if text is not None or html is not None:
            refuse("template", "Give either a template or text and html.")
        text, html = mail_templates.render(template, data or {})
    if text is None and html is None:
        refuse("text", "Give text, html or a template.")
    message = EmailMultiAlternatives(
        subject=subject,
        body=text if text is not None else mail_templates.plain(html or ""),
        to=receivers,
        headers={"Message-ID": message_id(context.idempotency_key), "Auto-Submitted": "auto-generated"},
    )
    if html is not None:
        message.attach_alternative(html, "text/html")
    with context.effects.planned("mail.send", f"to {', '.join(receivers)}") as effect:
        effect.facts["message_id"] = message.extra_headers["Message-ID"]
        _deliver(message, min(DEFAULT_SECONDS, context.deadline_seconds or DEFAULT_SECONDS))
    return {"message_id": message.extra_headers["Message-ID"], "to": receivers}


def refuse(parameter: str, reason: str) -> NoReturn:
    """Fail the attempt because of a parameter.

    Raises:
        ActivityError: INVALID_PARAMETERS, not recoverable.
    """
    raise ActivityError(f"with.{parameter}: {reason}", code="INVALID_PARAMETERS", recoverable=False)


def message_id(idempotency_key: str) -> str:
    """The Message-ID of a step's message (RFC 5322, section 3.6.4), the same for every attempt.

    Args:
        idempotency_key: the step's key.
    """
    _, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]
    return f"<{digest}@{sender.rpartition('@')[2] or 'localhost'}>"


def _address(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        refuse("to", "An address is one line.")
    found = getaddresses([text])
    try:
        validate_email(found[0][1] if len(found) == 1 else "")
    except ValidationError:
        refuse("to", f"{text[:200]!r} is not an e-mail address.")
    return text


def _deliver(message: EmailMultiAlternatives, seconds: float) -> None:
    has_session = False
    try:
        connection = get_connection(**_options(seconds))
        connection.open()
        has_session = True
        try:
            message.connection = connection
            message.send()
        finally:
            connection.close()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise ActivityError(f"The mail server refused the message: {error}", code="MAIL_NOT_SENT") from error
    except (smtplib.SMTPException, OSError) as error:
        raise ActivityError(
            f"The message was not sent: {type(error).__name__}: {error}",
            code="MAIL_NOT_SENT",
            details={"effect": "unknown"} if has_session else None,
        ) from error


def _options(seconds: float) -> dict[str, Any]:
    backend = settings.EMAIL_BACKEND
    if backend.endswith(".smtp.EmailBackend"):
        return {"timeout": min(settings.EMAIL_TIMEOUT or seconds, seconds)}
    folder = getattr(settings, "ORCHESTRATOR_MAIL_DIR", None)
    if backend.endswith(".filebased.EmailBackend") and folder:
        return {"file_path": str(folder)}
    return {}
