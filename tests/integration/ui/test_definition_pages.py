"""Pages of definitions: the list, and what one version does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.ui.conftest import browser
from tests.integration.ui.test_escaping import NASTY, harmless
from workflows_app.models import DefinitionVersion
from workflows_app.services import definitions
from workflows_app.ui import definitions as pages_of_definitions

TRIP: dict[str, Any] = {
    "workflow": "trip",
    "version": "1.0.0",
    "title": "A journey",
    "description": "Books a journey.",
    "metadata": {"owner": "sales"},
    "input": {"type": "object", "properties": {"city": {"type": "string", "description": "where to"}}},
    "steps": [
        {"id": "hotel", "activity": "core.echo", "compensate": {"activity": "core.log", "with": {"message": "off"}}},
        {"id": "size", "choice": [{"when": "input.city == 'Rome'", "steps": [{"id": "rest", "wait": {"for": "2d"}}]}]},
    ],
    "output": {"hotel": "${ steps.hotel.output }"},
}  # fmt: skip


@pytest.fixture
def reader(db: None) -> Client:
    """The browser of somebody who may look at definitions and nothing else."""
    user = User.objects.create_user("rita", password="a long pass phrase")
    user.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))
    return browser(user)


def publish(**changed: Any) -> DefinitionVersion:
    return definitions.publish(text=json.dumps({**TRIP, **changed}), actor="ada")


def test_a_page_says_what_the_version_does(reader: Client) -> None:
    publish()

    page = reader.get("/definitions/trip/1.0.0/").content.decode()

    for said in (
        "A journey",
        "Books a journey.",
        "sales",
        "where to",
        "performs <code>core.log</code>",
        "When <code>input.city == &#x27;Rome&#x27;</code>",
        "Waits for <code>2d</code>.",
        "hotel: ${ steps.hotel.output }",
        "flowchart TD",
        "published by",
    ):
        assert said.lower() in page.lower(), said


def test_the_list_leads_to_every_version(reader: Client) -> None:
    assert "Nothing is published yet" in reader.get("/definitions/").content.decode()
    for version in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
        publish(version=version)

    page = reader.get("/definitions/").content.decode()

    places = [page.index(f"/definitions/trip/{version}/") for version in ("1.10.0", "1.10.0-rc.1", "1.9.0")]
    assert places[0] < places[2]
    for version in ("1.10.0", "1.10.0-rc.1", "1.9.0"):
        assert reader.get(f"/definitions/trip/{version}/").status_code == 200


def test_the_list_names_a_workflow_by_its_title_and_offers_a_start_to_who_may(reader: Client) -> None:
    publish()

    looking = reader.get("/definitions/").content.decode()
    User.objects.get(username="rita").user_permissions.add(Permission.objects.get(codename="add_instance"))
    starting = reader.get("/definitions/").content.decode()

    assert '<a href="/definitions/trip/1.0.0/">A journey</a>' in looking
    assert "/definitions/trip/start/" not in looking
    assert 'href="/definitions/trip/start/?version=1.0.0"' in starting


def test_long_lists_have_pages(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_of_definitions, "VERSIONS_ON_A_PAGE", 2)
    for patch in range(3):
        publish(version=f"1.0.{patch}")

    first, second = reader.get("/definitions/"), reader.get("/definitions/?page=2")

    assert ("?page=2" in first.content.decode(), "1.0.0" in first.content.decode()) == (True, False)
    assert "/definitions/trip/1.0.0/" in second.content.decode()
    assert reader.get("/definitions/?page=<b>").status_code == 200


@pytest.mark.parametrize("address", ["trip/9.9.9", "nobody/1.0.0", "trip/latest", "%2e%2e/1.0.0", "TRIP/1.0.0"])
def test_what_is_not_published_is_not_found(reader: Client, anonymous: Client, address: str) -> None:
    publish()

    assert reader.get(f"/definitions/{address}/").status_code == 404
    assert anonymous.get(f"/definitions/{address}/").status_code == 302


def test_a_version_with_build_metadata_has_its_page(reader: Client) -> None:
    publish(version="1.0.0+build.7")

    page = reader.get("/definitions/").content.decode()

    assert "/definitions/trip/1.0.0+build.7/" in page
    assert reader.get("/definitions/trip/1.0.0+build.7/").status_code == 200


def test_only_those_with_the_permission_look(stranger: Client, pages: Client, anonymous: Client) -> None:
    publish()
    for address in ("/definitions/", "/definitions/trip/1.0.0/", "/definitions/nobody/1.0.0/"):
        assert anonymous.get(address).headers["Location"].startswith("/login/?next=/definitions/")
        for client in (stranger, pages):
            assert client.get(address).status_code == 403
        assert "/definitions/" not in pages.get("/instances/").content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_pages_only_read_and_are_kept_by_no_cache(reader: Client, method: str) -> None:
    publish()
    for address in ("/definitions/", "/definitions/trip/1.0.0/"):
        assert getattr(reader, method)(address).status_code in (403, 405)
        assert "no-store" in reader.get(address).headers["Cache-Control"]


@pytest.mark.parametrize("text", [text for text in NASTY if text.isprintable()])
def test_every_text_of_a_definition_is_escaped(reader: Client, text: str) -> None:
    publish(
        title=text,
        description=text,
        metadata={"owner": text, text: [text]},
        input={"type": "object", "properties": {text: {"description": text, "default": text, "enum": [text]}}},
        variables={"v": text},
        steps=[
            {"id": "a", "name": text, "notes": text, "activity": "core.echo", "with": {text: text}},
            {"id": "b", "when": f"vars.v == {json.dumps(text)}", "fail": {"code": "X", "message": text}},
        ],
        output={text: text},
    )  # fmt: skip

    page = reader.get("/definitions/trip/1.0.0/").content.decode()

    harmless(page)
    assert ">49<" not in page
    assert "<script>alert" not in page


def test_a_long_definition_is_cut_and_says_so(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_of_definitions, "SECTIONS_SHOWN", 1)
    publish()

    page = reader.get("/definitions/trip/1.0.0/").content.decode()

    assert "only its first steps are shown" in page
    assert 'id="step-size"' not in page


def test_an_activity_that_is_gone_leaves_the_page_readable(reader: Client) -> None:
    version = publish()
    gone = {**version.document, "steps": [{"id": "a", "activity": "gone.away"}]}
    made = DefinitionVersion.objects.create(
        definition=version.definition, version="2.0.0", major=2, minor=0, patch=0, document=gone, source="",
        content_hash="x", activities={"gone.away": {"version": "1.0.0", "timeout": None}}, published_by="ada",
    )  # fmt: skip

    assert "gone.away" in reader.get(f"/definitions/trip/{made.version}/").content.decode()
