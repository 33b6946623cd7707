"""mail.send: the message, its identity, and what is refused."""

from __future__ import annotations

import smtplib
import socket
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.core import mail

from tasks.activities import mail as mail_activity  # noqa: F401
from workflows_app.activities import ActivityError, registry


@pytest.fixture
def send(attempt):
    def perform(context=None, **parameters):
        given = {"to": "depot@example.com", "subject": "Order 7"} | parameters
        return registry.get("mail.send").perform(given, context or attempt())

    return perform


@pytest.fixture
def templates(settings, tmp_path):
    folder = tmp_path / "templates"
    (folder / "orders").mkdir(parents=True)
    (folder / "orders" / "paid.html").write_text("<p>Hello {{ name }}</p>")
    (folder / "orders" / "paid.txt").write_text("Hello {{ name }}")
    (folder / "broken.txt").write_text("{% nonsense %}")
    (tmp_path / "secret.txt").write_text("canary")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    settings.ORCHESTRATOR_MAIL_TEMPLATES = str(folder)
    return folder


def test_text_and_html_are_sent_to_every_receiver(send):
    result = send(to=["a@example.com", "Bea <b@example.com>"], text="Hello", html="<p>Hello</p>")

    (message,) = mail.outbox
    assert result == {"message_id": message.extra_headers["Message-ID"], "to": ["a@example.com", "Bea <b@example.com>"]}
    assert (message.subject, message.body, message.to) == ("Order 7", "Hello", result["to"])
    assert message.alternatives[0].content == "<p>Hello</p>"


def test_html_alone_gets_a_text_version(send):
    send(html="<p>Hello &amp; welcome</p>")

    assert mail.outbox[0].body == "Hello & welcome"


def test_attempts_of_a_step_share_the_message_id_and_steps_do_not(send, attempt):
    first = send(attempt(attempt=1), text="x")["message_id"]
    again = send(attempt(attempt=2), text="x")["message_id"]
    other = send(attempt(idempotency_key="i-1:pay:0:undo"), text="x")["message_id"]

    assert first == again != other
    assert first.startswith("<")
    assert first.endswith("@localhost>")


def test_by_default_messages_are_files_in_a_folder(send, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.ORCHESTRATOR_MAIL_DIR = str(tmp_path / "mail")

    send(subject="Grüße", text="Hello")

    (file,) = Path(settings.ORCHESTRATOR_MAIL_DIR).iterdir()
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (message["Subject"], message["To"]) == ("Grüße", "depot@example.com")


@pytest.mark.parametrize(
    "parameters",
    [
        {"subject": "Hi\r\nBcc: evil@example.com"},
        {"subject": "Hi\nBcc: evil@example.com"},
        {"subject": "Hi\x00"},
        {"to": "a@example.com\r\nBcc: evil@example.com"},
        {"to": "a@example.com\nBcc: evil@example.com"},
        {"to": "nobody"},
        {"to": "a@example.com, b@example.com"},
        {"to": []},
        {"to": ""},
        {"to": ["a@example.com", "b"]},
        {"text": None},
        {"template": "orders/paid.txt", "text": "both"},
        {"template": "no-such.txt", "text": None},
        {"template": "../secret.txt", "text": None},
        {"template": "orders/../../secret.txt", "text": None},
        {"template": "/etc/passwd", "text": None},
        {"template": "link.txt", "text": None},
        {"template": "orders", "text": None},
        {"template": "", "text": None},
        {"template": "a\x00", "text": None},
        {"cc": "x@example.com"},
    ],
)
def test_injection_traversal_and_missing_content_are_refused_and_nothing_is_sent(send, templates, parameters):
    with pytest.raises(ActivityError) as failure:
        send(**({"text": "Hello"} | parameters))

    assert (failure.value.code, failure.value.recoverable) == ("INVALID_PARAMETERS", False)
    assert mail.outbox == []


def test_an_html_template_escapes_every_value(send, templates):
    send(template="orders/paid.html", data={"name": "<script>"})

    assert mail.outbox[0].alternatives[0].content == "<p>Hello &lt;script&gt;</p>"
    assert mail.outbox[0].body == "Hello <script>"


def test_a_text_template_and_template_code_in_values_stay_as_they_are(send, templates):
    send(template="orders/paid.txt", data={"name": "{{ 7 }} & {% debug %}"})

    assert mail.outbox[0].body == "Hello {{ 7 }} & {% debug %}"
    assert mail.outbox[0].alternatives == []


def test_a_template_that_does_not_render_is_named(send, templates):
    with pytest.raises(ActivityError) as failure:
        send(template="broken.txt")

    assert (failure.value.code, failure.value.recoverable) == ("TEMPLATE_INVALID", False)


def test_without_a_folder_there_are_no_templates(send, settings):
    settings.ORCHESTRATOR_MAIL_TEMPLATES = None

    with pytest.raises(ActivityError, match="ORCHESTRATOR_MAIL_TEMPLATES"):
        send(template="a.txt")


@pytest.fixture
def smtp(settings):
    """An SMTP server that says the given lines, one per line received (the first at once)."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = listener.getsockname()
    threads = []

    def says(*answers: bytes) -> None:
        def serve() -> None:
            peer, _ = listener.accept()
            with peer, peer.makefile("rb") as lines:
                is_data = False
                for answer in answers:
                    peer.sendall(answer + b"\r\n")
                    is_data = answer.startswith(b"354")
                    for line in lines:
                        if not is_data or line == b".\r\n":
                            break

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()

    yield says
    listener.close()
    for thread in threads:
        thread.join(5)


def test_a_server_takes_the_message(send, smtp):
    smtp(b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go", b"250 taken", b"221 bye")

    assert send(text="Hello")["to"] == ["depot@example.com"]


def test_a_server_that_refuses_the_receiver_has_sent_nothing(send, smtp):
    smtp(b"220 hi", b"250 ok", b"250 ok", b"550 nobody here", b"250 reset", b"221 bye")

    with pytest.raises(ActivityError) as failure:
        send(text="Hello")

    assert (failure.value.code, failure.value.details, failure.value.recoverable) == ("MAIL_NOT_SENT", {}, True)


def test_a_server_that_hangs_up_may_have_sent(send, smtp):
    smtp(b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go")

    with pytest.raises(ActivityError) as failure:
        send(text="Hello")

    assert (failure.value.code, failure.value.details) == ("MAIL_NOT_SENT", {"effect": "unknown"})
    assert isinstance(failure.value.__cause__, smtplib.SMTPException | OSError)


def test_a_server_that_is_not_there_has_sent_nothing(send, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()

        with pytest.raises(ActivityError) as failure:
            send(text="Hello")

    assert (failure.value.code, failure.value.details) == ("MAIL_NOT_SENT", {})
