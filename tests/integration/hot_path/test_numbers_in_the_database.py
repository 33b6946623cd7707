"""``stored.as_stored`` foretells what PostgreSQL gives back; only PostgreSQL can say whether it is right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.hot_path.documents import JSON
from tests.integration.hot_path.stored import identical
from workflows_app.engine import stored, values

pytestmark = pytest.mark.django_db

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
EDGES = st.builds(
    lambda digits, power: float(f"{digits}e{power}"), st.integers(-(10**17), 10**17), st.integers(-30, 30)
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.one_of(JSON, DOUBLES, EDGES), min_size=5, max_size=20))
def test_a_value_reads_as_it_will_read_from_the_database(several: list[Any]) -> None:
    texts = [values.encode(value, limit_bytes=10**6, what="the value") for value in several]
    # What the engine decides is written by the json module, which writes doubles differently.
    texts += [json.dumps(value) for value in several]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ARRAY(SELECT t::jsonb::text FROM unnest(%s::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n)", [texts]
        )
        given_back = cursor.fetchone()[0]

    for text, row in zip(texts, given_back, strict=True):
        assert identical(stored.as_stored(text), stored.loads(row)), (text, row)
        assert json.dumps(stored.loads(row), sort_keys=True) == json.dumps(stored.as_stored(text), sort_keys=True)
