"""``manage.py secret``: set, list and delete the secrets of this installation, and encrypt them under another key."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from workflows_app.engine.credentials import SecretInvalid, SecretType
from workflows_app.management.answers import DONE, AnsweringCommand, person
from workflows_app.management.listing import table
from workflows_app.management.reading import read
from workflows_app.services import keyring, secrets
from workflows_app.services.secrets import Described


class Command(AnsweringCommand):
    help = "Set, list and delete secrets; encrypt them anew under the first key. No command shows a value."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
        sets = verbs.add_parser("set", help="set a secret, from standard input, a file or a prompt; never an argument")
        sets.add_argument("name", metavar="NAME")
        sets.add_argument("--type", choices=[kind.value for kind in SecretType], help="text by default")
        sets.add_argument("--description", metavar="TEXT", help="for people, kept in the clear")
        sets.add_argument("--file", metavar="FILE", help="where its value is, - for standard input")
        listed = verbs.add_parser("list", help="list the secrets, without their values")
        deleted = verbs.add_parser("delete", help="forget a secret")
        deleted.add_argument("name", metavar="NAME")
        rotated = verbs.add_parser("rotate", help="encrypt all secrets anew with the first of ORCHESTRATOR_SECRET_KEYS")
        key = verbs.add_parser("key", help="print a new key for ORCHESTRATOR_SECRET_KEYS")
        for sub in (sets, listed, deleted, rotated, key):
            self.add_format(sub)

    def answer(self, *, verb: str, **options: Any) -> int:
        answers = {
            "set": self._set,
            "list": self._list,
            "delete": self._delete,
            "rotate": self._rotate,
            "key": self._key,
        }
        answers[verb](**options)
        return DONE

    def _set(self, *, name: str, type: str | None, description: str | None, file: str | None, **options: Any) -> None:
        kind = SecretType(type) if type else None
        text = _typed(name, kind) if file is None and sys.stdin.isatty() else _read(file or "-")
        found, is_new = secrets.put(name=name, type=kind, text=text, description=description, actor=person())
        self.show(_document(found), f"the secret {name} is {'set' if is_new else 'replaced'}")

    def _list(self, **options: Any) -> None:
        found = [_document(each) for each in secrets.listed()]
        columns = ("name", "type", "description", "updated_at", "updated_by")
        self.show({"secrets": found}, table([{column: row[column] for column in columns} for row in found]))

    def _delete(self, *, name: str, **options: Any) -> None:
        secrets.delete(name=name, actor=person())
        self.show({"deleted": name}, f"the secret {name} is deleted")

    def _rotate(self, **options: Any) -> None:
        count = secrets.rotate(actor=person())
        self.show({"rotated": count}, f"{count} secret(s) are encrypted with the first key")

    def _key(self, **options: Any) -> None:
        key = keyring.new_key()
        self.show({"key": key}, key)


def _document(found: Described) -> dict[str, Any]:
    times = {name: getattr(found, name).isoformat().replace("+00:00", "Z") for name in ("created_at", "updated_at")}
    return {**asdict(found), "type": found.type.value, **times}


def _read(file: str) -> str:
    """Return what a file holds without the line end that editors and ``echo`` put behind it."""
    try:
        text = read(file).decode()
    except UnicodeDecodeError:
        raise SecretInvalid("the value is no UTF-8 text") from None
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _typed(name: str, kind: SecretType | None) -> str:
    """Ask for the value twice, unseen."""
    user = ""
    if kind is SecretType.BASIC:
        user = input("User name: ") + ":"
    value = getpass.getpass(f"Value of {name}: ")
    if value != getpass.getpass("Again: "):
        raise SecretInvalid("the two values differ; nothing is set")
    return user + value
