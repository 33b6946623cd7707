"""The documentation in the product."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from tests.integration.ui.test_escaping import harmless
from workflows_app.engine.definition import language_schema
from workflows_app.ui.docs import FILES


@pytest.mark.parametrize("name", [*FILES, "reference"])
def test_every_page_is_shown_and_its_links_lead_somewhere(stranger: Client, name: str) -> None:
    response = stranger.get(f"/docs/{name}/")

    page = response.content.decode()
    assert response.status_code == 200
    for picture in re.findall(r'<img src="/static/([^"]*)"', page):
        assert finders.find(picture), picture
    harmless(re.sub(r'<img src="/static/docs/[^>]*>', "", re.sub(r'href="https://[^"]*"', 'href="/"', page)))
    for address, anchor in re.findall(r'href="(/docs/[\w-]+/)#([\w-]+)"', page):
        assert f'id="{anchor}"' in stranger.get(address).content.decode(), f"{address}#{anchor}"
    for anchor in re.findall(r'href="#([\w-]+)"', page):
        assert f'id="{anchor}"' in page, anchor


def test_every_guide_is_shown() -> None:
    guides = {path.stem for path in (Path(settings.BASE_DIR) / "docs" / "guides").glob("*.md")}

    assert guides <= set(FILES)


def test_the_contents_lead_to_the_pages_and_find_words(stranger: Client) -> None:
    page = stranger.get("/docs/").content.decode()

    assert 'href="/docs/getting-started/"' in page
    assert 'href="/docs/language/#state-machines"' in stranger.get("/docs/", {"q": "State mach"}).content.decode()
    assert "No heading has that word" in stranger.get("/docs/", {"q": "<script>"}).content.decode()


def test_the_reference_has_every_part_of_the_schema(stranger: Client) -> None:
    page = stranger.get("/docs/reference/").content.decode()

    for part in language_schema()["$defs"]:
        assert f'id="{part}"' in page


def test_a_page_that_does_not_exist_is_not_found(stranger: Client, anonymous: Client) -> None:
    assert stranger.get("/docs/nothing/").status_code == 404
    assert anonymous.get("/docs/").headers["Location"] == "/login/?next=/docs/"
