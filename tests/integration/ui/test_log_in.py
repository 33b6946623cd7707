"""Logging in and out."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.ui.conftest import browser

PASSWORD = "a long pass phrase"


def send(client: Client, *, name: str = "vera", password: str = PASSWORD, address: str = "/login/", **more: str):
    """Open the log-in page and send its form, as a browser does."""
    page = client.get(address, more)
    token = page.context["csrf_token"]
    return client.post("/login/", {"username": name, "password": password, "csrfmiddlewaretoken": str(token), **more})


def test_a_good_log_in_leads_to_the_instances(viewer: User, anonymous: Client) -> None:
    response = send(anonymous)

    assert response.status_code == 302
    assert response.headers["Location"] == "/"
    assert anonymous.get("/instances/").status_code == 200


def test_a_bad_log_in_says_so_and_does_not_say_which_part_was_wrong(viewer: User, anonymous: Client) -> None:
    wrong = send(anonymous, password="no")
    unknown = send(anonymous, name="nobody", password="no")

    assert wrong.status_code == unknown.status_code == 200
    assert [str(e) for e in wrong.context["form"].errors["__all__"]] == [
        str(e) for e in unknown.context["form"].errors["__all__"]
    ]
    assert anonymous.get("/instances/").status_code == 302


def test_the_page_that_was_asked_for_follows_the_log_in(viewer: User, anonymous: Client) -> None:
    assert send(anonymous, next="/instances/?state=failed").headers["Location"] == "/instances/?state=failed"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "///evil.example",
        "http:///evil.example",
        "/%09/evil.example\t",
    ],
)
def test_next_stays_local(viewer: User, elsewhere: str) -> None:
    for client in (browser(), browser(viewer)):
        first = client.get("/login/", {"next": elsewhere})
        response = first if first.status_code == 302 else send(client, next=elsewhere)

        assert response.status_code == 302
        location = response.headers["Location"]
        assert location == "/" or (location.startswith("/%09/") and "//" not in location)


def test_a_log_in_without_its_token_is_refused_with_advice(viewer: User, anonymous: Client) -> None:
    response = anonymous.post("/login/", {"username": "vera", "password": PASSWORD})

    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()


def test_log_in_gives_a_new_session(viewer: User, anonymous: Client) -> None:
    session = anonymous.session
    session["seen"] = True
    session.save()
    before = session.session_key

    send(anonymous)

    assert anonymous.session.session_key != before


def test_logging_out_needs_the_button_and_ends_the_session(viewer: User, anonymous: Client) -> None:
    send(anonymous)
    page = anonymous.get("/instances/")

    by_link = anonymous.get("/logout/")
    response = anonymous.post("/logout/", {"csrfmiddlewaretoken": str(page.context["csrf_token"])})

    assert by_link.status_code == 405
    assert response.headers["Location"] == "/login/"
    assert anonymous.get("/instances/").status_code == 302


def test_twenty_bad_log_ins_close_the_door_for_a_name_from_everywhere(viewer: User) -> None:
    answers = [send(browser(REMOTE_ADDR=f"192.0.2.{n}"), password="no").status_code for n in range(20)]

    right = send(browser(REMOTE_ADDR="198.51.100.7"))

    assert answers[:19] == [200] * 19
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= 3600
    assert "Too many failed log-ins" in right.content.decode()


def test_twenty_bad_log_ins_close_the_door_for_an_address_whatever_it_claims(viewer: User) -> None:
    for n in range(20):
        send(browser(HTTP_X_FORWARDED_FOR=f"203.0.113.{n}", HTTP_X_REAL_IP=f"203.0.113.{n}"), name=f"n{n}")

    assert send(browser(HTTP_X_FORWARDED_FOR="203.0.113.99")).status_code == 429
    assert send(browser(REMOTE_ADDR="198.51.100.7")).status_code == 302


def test_a_good_log_in_in_between_does_not_reset_the_count(viewer: User) -> None:
    User.objects.create_user("mallory", password=PASSWORD)
    for n in range(19):
        send(browser(), password="no")
        if n == 10:
            assert send(browser(), name="mallory").status_code == 302

    send(browser(), password="no")

    assert send(browser()).status_code == 429


def test_the_door_opens_again(viewer: User, settings: object) -> None:
    from datetime import timedelta

    from axes.models import AccessAttempt
    from django.db.models import F

    for _ in range(20):
        send(browser(), password="no")
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=6))

    assert send(browser()).status_code == 302


def test_no_password_is_kept_of_a_bad_log_in(viewer: User, anonymous: Client) -> None:
    from axes.models import AccessAttempt

    send(anonymous, password="nearly my pass phrase")

    kept = AccessAttempt.objects.get()
    assert "nearly" not in f"{kept.post_data}{kept.get_data}"
