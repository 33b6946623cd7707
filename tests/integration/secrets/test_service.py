"""Secrets at rest: set, replaced, listed without values, re-encrypted and forgotten, each with its audit entry."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from tests.integration.secrets.conftest import CANARY, leaks
from workflows_app.engine.credentials import SecretInvalid, SecretType
from workflows_app.engine.errors import NotFound
from workflows_app.models import AuditEntry, Secret
from workflows_app.running import checkup
from workflows_app.running.checkup import Health
from workflows_app.services import keyring, secrets, verification
from workflows_app.services.keyring import KeysUnusable, Undecryptable

pytestmark = pytest.mark.django_db

OLD, NEW = "o" * 43, "n" * 42 + "g="


def audited() -> list[tuple[str, str, str, dict[str, object]]]:
    return list(AuditEntry.objects.order_by("sequence").values_list("actor", "action", "target", "data"))


def test_a_secret_is_kept_encrypted_and_described_without_its_value():
    found, is_new = secrets.put(name="api", type=SecretType.TOKEN, text="tok-1234567", description="bank", actor="ada")

    assert (found.name, found.type, found.description, found.created_by, is_new) == (
        "api",
        SecretType.TOKEN,
        "bank",
        "ada",
        True,
    )
    assert secrets.listed() == [found]
    assert secrets.reveal("api") == "tok-1234567"
    assert not leaks("tok-1234567")
    assert audited() == [("ada", "secret.created", "api", {"type": "token"})]


def test_a_name_is_set_anew_and_keeps_what_was_not_said():
    first, _ = secrets.put(name="api", type=SecretType.BASIC, text="u:first-one", description="bank", actor="ada")

    second, is_new = secrets.put(name="api", text="u:second-one", actor="bob")

    assert not is_new
    assert (second.type, second.description, second.created_by, second.updated_by) == (
        SecretType.BASIC,
        "bank",
        "ada",
        "bob",
    )
    assert second.created_at == first.created_at
    assert secrets.reveal("api") == {"username": "u", "password": "second-one"}
    assert [entry[:3] for entry in audited()] == [("ada", "secret.created", "api"), ("bob", "secret.replaced", "api")]
    assert verification.verify_audit() is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "no name"},
        {"text": "short"},
        {"type": SecretType.TOKEN, "text": "two words"},
        {"description": "x" * 301},
    ],
)
def test_what_is_refused_leaves_nothing_behind(wrong):
    with pytest.raises(SecretInvalid):
        secrets.put(**{"name": "api", "text": CANARY, "actor": "ada"} | wrong)

    assert not Secret.objects.exists()
    assert audited() == []


def test_without_a_key_nothing_can_be_set(settings):
    settings.ORCHESTRATOR_SECRET_KEYS = []

    with pytest.raises(KeysUnusable):
        secrets.put(name="api", text=CANARY, actor="ada")

    assert not Secret.objects.exists()


@pytest.mark.parametrize("key", ["short", "ä" * 43, "=" * 44, "a" * 44, "x" * 43 + " y"])
def test_what_is_no_key_is_refused_without_repeating_it(settings, key):
    settings.ORCHESTRATOR_SECRET_KEYS = [OLD, key]

    with pytest.raises(KeysUnusable) as refused:
        keyring.encrypt(b"x")

    assert "key 2 in ORCHESTRATOR_SECRET_KEYS" in refused.value.message
    assert key not in refused.value.message


def test_every_key_decrypts_and_rotation_makes_the_first_one_enough(settings):
    settings.ORCHESTRATOR_SECRET_KEYS = [OLD]
    secrets.put(name="api", text=CANARY, actor="ada")
    secrets.put(name="bank", text="another one", actor="ada")
    settings.ORCHESTRATOR_SECRET_KEYS = [NEW, OLD]
    assert secrets.reveal("api") == CANARY

    count = secrets.rotate(actor="ada")

    settings.ORCHESTRATOR_SECRET_KEYS = [NEW]
    assert count == 2
    assert (secrets.reveal("api"), secrets.reveal("bank")) == (CANARY, "another one")
    assert audited()[-1] == ("ada", "secrets.rotated", "secrets", {"count": 2})


def test_a_rotation_that_cannot_read_one_changes_none_and_names_it(settings):
    settings.ORCHESTRATOR_SECRET_KEYS = [OLD]
    secrets.put(name="lost", text=CANARY, actor="ada")
    settings.ORCHESTRATOR_SECRET_KEYS = [NEW]
    secrets.put(name="api", text="another one", actor="ada")
    before = list(Secret.objects.order_by("name").values_list("ciphertext", flat=True))

    with pytest.raises(Undecryptable) as refused, transaction.atomic():
        secrets.rotate(actor="ada")

    assert [problem.path for problem in refused.value.problems] == ["lost"]
    assert list(Secret.objects.order_by("name").values_list("ciphertext", flat=True)) == before
    assert secrets.unreadable() == ["lost"]


def test_a_secret_is_forgotten_once():
    secrets.put(name="api", text=CANARY, actor="ada")

    secrets.delete(name="api", actor="bob")

    for act in (lambda: secrets.delete(name="api", actor="bob"), lambda: secrets.reveal("api")):
        with pytest.raises(NotFound) as refused:
            act()
        assert refused.value.code == "SECRET_NOT_FOUND"
    assert [entry[:3] for entry in audited()][1:] == [("bob", "secret.deleted", "api")]


def test_the_database_knows_one_secret_of_a_name_and_no_other_types():
    secrets.put(name="api", text=CANARY, actor="ada")
    row = Secret.objects.get()

    given = {"type": row.type, "ciphertext": row.ciphertext, "created_by": "x", "updated_by": "x"}

    for wrong in ({"name": "api"}, {"name": "b", "type": "pin"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Secret.objects.create(**given | wrong)


@pytest.mark.parametrize(
    ("kept", "keys", "state", "words"),
    [
        (False, [OLD], Health.OK, "No secret is stored"),
        (True, [NEW, OLD], Health.OK, "1 stored secrets can be decrypted"),
        (False, [], Health.WARNING, "No key is set"),
        (True, [], Health.FAILED, "No key is set"),
        (False, [OLD, "x"], Health.FAILED, "Key 2 in ORCHESTRATOR_SECRET_KEYS"),
        (True, [NEW], Health.FAILED, "1 of 1 stored secrets cannot be decrypted: api."),
    ],
)
def test_the_doctor_says_whether_secrets_can_be_decrypted(settings, kept, keys, state, words):
    settings.ORCHESTRATOR_SECRET_KEYS = [OLD]
    if kept:
        secrets.put(name="api", text=CANARY, actor="ada")
    settings.ORCHESTRATOR_SECRET_KEYS = keys

    found = checkup.keys()

    assert (found.state, words in found.detail) == (state, True), found
    assert bool(found.mend) is (state is not Health.OK)
