"""The published schema: sound, complete, closed and described, so that editors and documentation can rely on it."""

import jsonschema
import pytest

from tests.strategies.whole_language import MACHINE, WHOLE
from workflows_app.engine.definition import language_schema
from workflows_app.engine.definition.language import STEP_KINDS
from workflows_app.engine.definition.model import Kind
from workflows_app.engine.schemas import check_schema

KINDS = "activity set choice parallel foreach loop wait receive emit call decide adhoc approval form manual return fail"
COMMON = (
    "id name description needs when join rest tolerate join_deadline timeout deadline retry on_error compensate queue "
    "priority placement resources reads writes idempotency_key cache batch disabled notes ui with"
)
DOCUMENT = (
    "workflow version kind title description metadata input variables timeout on_failure on_cancel on_timeout priority "
    "concurrency retention defaults steps output triggers"
)


def subschemas(schema, path=""):
    yield path, schema
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            for name, part in value.items():
                yield from subschemas(part, f"{path}/{key}/{name}")
        elif key in ("anyOf", "oneOf"):
            for index, part in enumerate(value):
                yield from subschemas(part, f"{path}/{key}/{index}")
        elif key == "items" and isinstance(value, dict):
            yield from subschemas(value, f"{path}/items")


def test_the_schema_is_sound_also_for_other_validators():
    assert check_schema(language_schema()) == []
    jsonschema.Draft202012Validator.check_schema(language_schema())


def test_every_kind_and_every_key_of_the_language_is_in_it():
    step = language_schema()["$defs"]["step"]["properties"]
    assert set(STEP_KINDS) == set(KINDS.split())
    assert set(step) == set(KINDS.split()) | set(COMMON.split())
    assert set(language_schema()["$defs"]["flow"]["properties"]) == set(DOCUMENT.split())
    assert {kind.value for kind in Kind} <= set(STEP_KINDS)


@pytest.mark.parametrize("document", [WHOLE, MACHINE], ids=["flow", "state machine"])
def test_a_document_that_uses_the_whole_language_is_valid_for_a_plain_validator(document):
    assert list(jsonschema.Draft202012Validator(language_schema()).iter_errors(document)) == []


def test_every_mapping_with_known_keys_refuses_others():
    closed = {path for path, part in subschemas(language_schema()) if part.get("additionalProperties") is False}
    known = {path for path, part in subschemas(language_schema()) if "properties" in part and "/if" not in path}
    assert known <= closed | {"", "/if"}


def test_every_named_part_and_every_key_is_described():
    schema = language_schema()
    silent = []
    for path, part in subschemas(schema):
        target = schema["$defs"].get(part.get("$ref", "").rpartition("/")[2], {})
        if path.count("/") and "/anyOf/" not in path and "/oneOf/" not in path and not path.endswith("/items"):
            silent += [path] if not (part.get("description") or target.get("description")) else []
    assert silent == []


def test_each_call_gives_a_copy_of_its_own():
    language_schema()["$defs"].clear()
    assert language_schema()["$defs"]
