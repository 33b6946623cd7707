"""What a hostile page, link or host name can make a visitor's browser do here: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.ui.conftest import browser

PASSWORD = "a long pass phrase"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def vera(db: None) -> User:
    return User.objects.create_user("vera", password=PASSWORD)


@pytest.fixture
def root(db: None) -> Client:
    return browser(User.objects.create_superuser("root", password=PASSWORD))


@pytest.mark.parametrize("address", ["/", "/login/", "/healthz", "/instances/", "/admin/", "/nowhere", "/login/x"])
@pytest.mark.parametrize("who", ["anybody", "root"])
def test_no_answer_can_be_framed_or_run_foreign_scripts(root: Client, who: str, address: str) -> None:
    client = root if who == "root" else browser()

    headers = client.get(address).headers

    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "evil.example:80"]
)
@pytest.mark.parametrize("address", ["/login/", "/healthz", "/instances/", "/nowhere"])
def test_a_made_up_host_name_is_refused(db: None, host: str, address: str) -> None:
    response = browser().get(address, headers={"host": host})

    assert response.status_code == 400
    assert host not in response.content.decode()


def test_a_forwarded_host_name_is_not_believed(db: None) -> None:
    response = browser().get("/instances/", headers={"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"})

    assert "evil" not in response.headers["Location"]


def test_a_log_in_sent_from_another_site_is_refused(vera: User) -> None:
    client = browser()
    token = str(client.get("/login/").context["csrf_token"])
    form = {"username": "vera", "password": PASSWORD, "csrfmiddlewaretoken": token}

    foreign = client.post("/login/", form, headers={"origin": "https://evil.example"})
    sandboxed = client.post("/login/", form, headers={"origin": "null"})
    own = client.post("/login/", form, headers={"origin": "http://testserver"})

    assert [foreign.status_code, sandboxed.status_code, own.status_code] == [403, 403, 302]


def test_another_site_cannot_log_somebody_out(vera: User) -> None:
    client = browser(vera)

    without_token = client.post("/logout/")
    foreign = client.post("/logout/", headers={"origin": "https://evil.example"})

    assert [without_token.status_code, foreign.status_code] == [403, 403]
    assert "_auth_user_id" in client.session


def test_a_session_id_that_somebody_else_chose_is_not_taken_over(vera: User) -> None:
    client = browser()
    client.cookies[settings.SESSION_COOKIE_NAME] = "attackerschoice0attackerschoice0"
    token = str(client.get("/login/").context["csrf_token"])

    client.post("/login/", {"username": "vera", "password": PASSWORD, "csrfmiddlewaretoken": token})

    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie.value != "attackerschoice0attackerschoice0"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_an_ended_session_stays_ended_and_a_new_password_ends_the_others(vera: User) -> None:
    first, second = Client(), Client()
    for client in (first, second):
        client.force_login(vera, backend="django.contrib.auth.backends.ModelBackend")
    kept = first.cookies[settings.SESSION_COOKIE_NAME].value

    first.post("/logout/")
    vera.set_password("another long pass phrase")
    vera.save()
    replayed = Client()
    replayed.cookies[settings.SESSION_COOKIE_NAME] = kept

    assert replayed.get("/instances/").status_code == 302
    assert second.get("/instances/").status_code == 302


@pytest.mark.parametrize(
    "query",
    [
        "instance__started_by__password__startswith=p",
        "definition_version__definition__versions__source__contains=x",
        "state__regex=(a%2B)%2B%24",
        "o=99999999999999999999",
        "p=-1",
        "e=1",
        "q=%00",
        "_to_field=password",
    ],
)
def test_the_administration_filters_by_nothing_but_its_own_fields(root: Client, query: str) -> None:
    response = root.get(f"/admin/workflows_app/instance/?{query}")

    assert response.status_code in (200, 302, 400)


@pytest.mark.parametrize("query", ["password__startswith=md5", "logentry__user__password__startswith=m"])
def test_password_hashes_cannot_be_guessed_through_filters(root: Client, query: str) -> None:
    response = root.get(f"/admin/auth/user/?{query}")

    assert response.status_code == 400


def test_a_form_with_ten_thousand_fields_is_refused(db: None) -> None:
    client = Client()

    response = client.post("/login/", {f"f{n}": "x" for n in range(10_000)})

    assert response.status_code == 400


def test_a_form_over_the_limit_is_refused(db: None) -> None:
    assert Client().post("/login/", {"username": "x" * 3_000_000}).status_code in (400, 413)


def test_in_production_cookies_travel_over_tls_and_to_one_host_only() -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "orchestrator.settings.prod",
        "SECRET_KEY": "0123456789-abcdefghij-ABCDEFGHIJ-klmnopqrstu-KLMNOP",
        "ALLOWED_HOSTS": "flows.example.com",
        "DATABASE_URL": "postgresql://app@db/orchestrator",
        "CELERY_BROKER_URL": "amqp://broker",
    }
    environment.pop("DEBUG", None)
    questions = (
        "from django.conf import settings as s; print(s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, "
        "s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SECURE_SSL_REDIRECT, "
        "s.SECURE_HSTS_SECONDS > 0, s.SECURE_PROXY_SSL_HEADER, s.USE_X_FORWARDED_HOST)"
    )

    done = subprocess.run(
        [sys.executable, "-c", questions], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == [
        *("False", "True", "True", "True", "__Host-session", "__Host-csrf", "True", "True", "None", "False")
    ]
