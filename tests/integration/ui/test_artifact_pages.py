"""Artifacts on pages: named for whoever sees the instance, downloaded by those who may, never shown."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.core.handlers.asgi import ASGIRequest
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.ui.conftest import browser
from workflows_app.artifacts import store
from workflows_app.artifacts.references import Reference
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Instance
from workflows_app.ui import artifacts
from workflows_app.ui import instance as views

HOSTILE = '"><script>alert(1)</script>.html'


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path)
    return tmp_path


@pytest.fixture
def instance(driver: Driver, root: Path) -> Instance:
    return driver.start(flow("  - {id: one, activity: core.echo}"))


@pytest.fixture
def allowed(viewer: User) -> Client:
    """The browser of a viewer who may also have artifacts."""
    viewer.user_permissions.add(Permission.objects.get(codename="view_artifact"))
    return browser(viewer)


def keep(instance: Instance, content: bytes = b"<script>alert(1)</script>", name: str = "a.html") -> Reference:
    return store.store(content, instance_id=instance.pk, step="one", name=name, media_type="text/html")


def address(instance: UUID | Instance, digest: str) -> str:
    return f"/instances/{instance.pk if isinstance(instance, Instance) else instance}/artifacts/{digest}/"


def page(client: Client, instance: Instance) -> str:
    return client.get(f"/instances/{instance.pk}/").content.decode()


def test_an_instance_without_artifacts_has_no_such_part(instance: Instance, pages: Client) -> None:
    assert "Artifacts" not in page(pages, instance)


def test_name_size_and_media_type_are_shown_escaped(instance: Instance, allowed: Client) -> None:
    reference = keep(instance, b"x" * 2048, name=HOSTILE)

    shown = page(allowed, instance)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;.html" in shown
    assert "<script>alert" not in shown
    assert "2.0\xa0KB" in shown
    assert "text/html" in shown
    assert f'href="{address(instance, reference.digest)}"' in shown


@pytest.mark.parametrize("length", [20_000, 150], ids=["whole", "cut"])
def test_pages_hide_the_signature_of_a_reference(
    instance: Instance, driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Whoever has a whole reference may hand it on as an input."""
    monkeypatch.setattr(views, "VALUE_LENGTH", length)
    reference = keep(instance, name="report.pdf").as_dict()
    reader = driver.start(flow("  - {id: one, activity: core.echo, with: {x: '${ input }'}}", name="reader"), reference)
    driver.drain()

    shown = page(pages, reader)

    assert "report.pdf" in shown
    assert reference["signature"][:8] not in shown
    assert "[hidden]" in shown


def test_a_viewer_without_the_permission_sees_the_name_and_no_link(instance: Instance, pages: Client) -> None:
    reference = keep(instance, name="report.pdf")

    shown = page(pages, instance)

    assert "report.pdf" in shown
    assert address(instance, reference.digest) not in shown
    assert pages.get(address(instance, reference.digest)).status_code == 404


def test_a_download_is_a_file_to_save_and_nothing_a_browser_would_show(instance: Instance, allowed: Client) -> None:
    reference = keep(instance)

    answer = allowed.get(address(instance, reference.digest))

    assert (answer.status_code, answer.getvalue()) == (200, b"<script>alert(1)</script>")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.html"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == "25"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", [HOSTILE, 'a"; filename="b.exe', "Ärger.pdf", "../../x", "a;b=c", "\\"])
def test_a_hostile_name_stays_inside_its_header(instance: Instance, allowed: Client, name: str) -> None:
    reference = keep(instance, name=name)

    answer = allowed.get(address(instance, reference.digest))

    disposition = answer.headers["Content-Disposition"]
    assert answer.getvalue() == b"<script>alert(1)</script>"
    assert disposition.startswith("attachment; filename")
    assert "inline" not in disposition
    assert '; filename="b.exe' not in disposition.replace('\\"', "")


def test_what_is_not_there_is_not_found(instance: Instance, allowed: Client, root: Path, driver: Driver) -> None:
    reference = keep(instance)
    other = driver.start(flow("  - {id: one, activity: core.echo}", name="other"))

    for digest in ("ab" * 32, "x", reference.digest.upper(), "..", "%2e%2e%2fsecret"):
        assert allowed.get(address(instance, digest)).status_code in (404,), digest
    assert allowed.get(address(other, reference.digest)).status_code == 404
    assert allowed.get(address(uuid4(), reference.digest)).status_code == 404
    next(root.rglob(reference.digest)).unlink()
    assert allowed.get(address(instance, reference.digest)).status_code == 404


def test_the_permission_for_artifacts_alone_opens_nothing(instance: Instance, db: None) -> None:
    user = User.objects.create_user("ada", password="a long pass phrase")
    user.user_permissions.add(Permission.objects.get(codename="view_artifact"))
    reference = keep(instance)

    assert browser(user).get(address(instance, reference.digest)).status_code == 404


def test_damaged_content_breaks_off_before_its_end(instance: Instance, allowed: Client, root: Path) -> None:
    reference = keep(instance, os.urandom(600_000))
    with next(root.rglob(reference.digest)).open("r+b") as file:
        file.write(b"damaged")
    got: list[bytes] = []
    answer = allowed.get(address(instance, reference.digest))

    with pytest.raises(ActivityError, match="damaged"):
        got.extend(answer.streaming_content)

    assert len(b"".join(got)) < 600_000


def test_head_says_the_size_and_only_reading_is_allowed(instance: Instance, allowed: Client) -> None:
    reference = keep(instance)

    head = allowed.head(address(instance, reference.digest))

    assert (head.status_code, head.headers["Content-Length"], head.getvalue()) == (200, "25", b"")
    assert allowed.post(address(instance, reference.digest)).status_code in (403, 405)


def test_the_server_reads_content_piece_by_piece(instance: Instance, viewer: User) -> None:
    """Under ASGI, as in production, where Django would otherwise gather the whole before it sends anything."""
    viewer.user_permissions.add(Permission.objects.get(codename="view_artifact"))
    content = os.urandom(1_000_000)
    reference = keep(instance, content)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    request = ASGIRequest(scope, None)
    request.user = viewer
    response = artifacts.download(request, instance.pk, reference.digest)

    async def gather() -> list[bytes]:
        return [piece async for piece in response]

    got = async_to_sync(gather)()

    assert response.is_async
    assert hashlib.sha256(b"".join(got)).hexdigest() == reference.digest
    assert len(got) > 1
