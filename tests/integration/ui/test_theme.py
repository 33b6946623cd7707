"""Light, dark, or as the system: chosen by a form, kept by the browser, there from the first byte of a page."""

from __future__ import annotations

import pytest
from django.test import Client


def choose(client: Client, theme: str, *, back: str = "/instances/?state=failed") -> object:
    """Send the form of the switch, as a browser without JavaScript does."""
    token = str(client.get("/login/", follow=True).context["csrf_token"])
    return client.post("/theme/", {"csrfmiddlewaretoken": token, "theme": theme, "next": back})


def test_what_is_chosen_is_there_on_every_page_until_it_is_left_to_the_system(pages: Client) -> None:
    chosen = choose(pages, "dark")
    dark = pages.get("/instances/").content.decode()
    choose(pages, "system")
    system = pages.get("/instances/").content.decode()

    assert (chosen.status_code, chosen.headers["Location"]) == (302, "/instances/?state=failed")
    assert '<html lang="en" data-theme="dark">' in dark
    assert 'value="dark" title="Dark" aria-label="Dark" aria-pressed="true"' in dark
    assert "data-theme" not in system
    assert 'aria-label="As the system" aria-pressed="true"' in system


def test_it_is_chosen_before_the_log_in_too(anonymous: Client) -> None:
    choose(anonymous, "light", back="/login/")

    assert 'data-theme="light"' in anonymous.get("/login/").content.decode()


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_it_leads_to_no_foreign_address(pages: Client, back: str) -> None:
    assert choose(pages, "dark", back=back).headers["Location"] == "/"


def test_nothing_but_the_choices_is_kept(pages: Client) -> None:
    refused = choose(pages, '"><script>')
    pages.cookies["theme"] = 'dark" onload="alert(1)'

    assert (refused.status_code, "theme" in refused.cookies) == (400, False)
    assert "data-theme" not in pages.get("/instances/").content.decode()
    assert pages.post("/theme/", {"theme": "dark"}).status_code == 403
