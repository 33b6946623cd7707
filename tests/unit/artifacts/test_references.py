"""References to artifacts: only the installation makes them, nothing of them can be changed, names are only data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from workflows_app.artifacts import references
from workflows_app.artifacts.references import Reference
from workflows_app.engine.errors import ActivityError

INSTANCE = UUID("11111111-2222-3333-4444-555555555555")
DIGEST = "ab" * 32


@pytest.fixture
def reference() -> Reference:
    return Reference(digest=DIGEST, instance=INSTANCE, size=7, media_type="text/csv", name="orders.csv")


def code(value: Any) -> str:
    with pytest.raises(ActivityError) as refused:
        references.parse(value)
    assert refused.value.recoverable is False
    return refused.value.code


def test_a_reference_says_what_it_stands_for_and_is_read_back(reference: Reference) -> None:
    written = reference.as_dict()

    assert written.pop("signature")
    assert written == {
        "$artifact": f"sha256:{DIGEST}",
        "instance": str(INSTANCE),
        "size": 7,
        "media_type": "text/csv",
        "name": "orders.csv",
    }
    assert references.parse(reference.as_dict()) == reference


@pytest.mark.parametrize(
    "change",
    [
        {"$artifact": "sha256:" + "cd" * 32},
        {"instance": "11111111-2222-3333-4444-666666666666"},
        {"size": 8},
        {"media_type": "text/html"},
        {"name": "other.csv"},
        {"signature": "00" * 32},
        {"signature": ""},
        {"signature": None},
        {"signature": 7},
        {"signature": "ä"},
    ],
)
def test_a_reference_of_which_anything_was_changed_is_refused(reference: Reference, change: dict[str, Any]) -> None:
    assert code(reference.as_dict() | change) == "ARTIFACT_NOT_ALLOWED"


def test_a_reference_without_signature_is_refused(reference: Reference) -> None:
    by_hand = {key: value for key, value in reference.as_dict().items() if key != "signature"}

    assert code(by_hand) == "ARTIFACT_NOT_ALLOWED"


@pytest.mark.parametrize("value", [None, "sha256:" + DIGEST, 7, [], {}, {"$artifact": "sha256:" + DIGEST}])
def test_what_is_no_reference_is_told_so(value: Any) -> None:
    assert code(value) == "ARTIFACT_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"$artifact": "md5:" + DIGEST},
        {"$artifact": "sha256:../../etc/passwd"},
        {"$artifact": "sha256:" + DIGEST.upper()},
        {"$artifact": "sha256:" + DIGEST + "\n"},
        {"$artifact": 5},
        {"instance": "../.."},
        {"size": True},
        {"size": 7.0},
        {"size": "7"},
        {"name": None},
        {"extra": 1},
    ],
)
def test_a_reference_with_an_impossible_part_is_none(reference: Reference, change: dict[str, Any]) -> None:
    assert code(reference.as_dict() | change) == "ARTIFACT_INVALID"


def test_earlier_references_hold_while_the_earlier_key_is_named(reference: Reference, settings: Any) -> None:
    settings.SECRET_KEY = "the old key"
    written = reference.as_dict()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key", ["the old key"]

    assert references.parse(written) == reference
    assert reference.as_dict()["signature"] != written["signature"]


def test_with_another_key_nothing_is_read(reference: Reference, settings: Any) -> None:
    settings.SECRET_KEY = "the old key"
    written = reference.as_dict()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", []

    assert code(written) == "ARTIFACT_NOT_ALLOWED"


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "a\0b", "a\r\nSet-Cookie: x", "a\tb", "\u202egpj.exe", "\ud800", None, 5]
)
def test_a_name_that_could_not_be_shown_or_sent_is_refused(name: Any) -> None:
    with pytest.raises(ActivityError) as refused:
        references.check_words(name, "text/plain")

    assert refused.value.code == "ARTIFACT_INVALID"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/shadow", "C:\\con", "<script>alert(1)</script>", "Ärger.pdf", "."]
)
def test_a_name_may_look_like_a_path_as_it_never_becomes_one(name: str) -> None:
    references.check_words(name, "text/plain")


@pytest.mark.parametrize(
    "kind", ["", "text", "text/", "/x", "text/html; charset=x", "a/b\r\nX: y", "a/b\n", "ä/b", None]
)
def test_a_media_type_is_type_and_subtype(kind: Any) -> None:
    with pytest.raises(ActivityError) as refused:
        references.check_words("a", kind)

    assert refused.value.code == "ARTIFACT_INVALID"
