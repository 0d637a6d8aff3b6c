"""The two forms of a request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.body import parse_json
from fanlight.sql.request import Extended, Query, Simple, SqlRequest, read_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"query":"a"}', Simple("a")),
        ('{"query":"a","queries":[]}', Simple("a")),
        ('{"query":7,"queries":[{"query":"a"}]}', Extended((Query("a"),))),
        ('{"query":"a","query":"b","queries":[]}', Extended(())),
        ('{"queries":[]}', Extended(())),
        ('{"queries":[{"query":"a","params":["1",null]}],"x":1}', Extended((Query("a", ("1", None)),))),
        ('{"x":1,"x":2,"query":"a"}', Simple("a")),
        ('{"queries":[{"query":"a","z":1,"z":2}]}', Extended((Query("a"),))),
        ('{"query":"a","query":"b"}', None),
        ('{"sql":"a"}', None),
        ("{}", None),
        ("null", None),
        ("[]", None),
        ("17", None),
        ('"query"', None),
        ('{"query":null}', None),
        ('{"queries":{}}', None),
        ('{"queries":["select 1"]}', None),
        ('{"queries":[["select $1",["x"]]]}', None),
        ('{"queries":[{"params":[]}]}', None),
        ('{"queries":[{"query":"a","query":"b"}]}', None),
        ('{"queries":[{"query":"a","params":null}]}', None),
        ('{"queries":[{"query":"a","params":[1]}]}', None),
        ('{"queries":[{"query":"a","params":[true]}]}', None),
        ('{"queries":[{"query":"a","params":[["b"]]}]}', None),
        ('{"queries":[{"query":"a","params":[],"params":[]}]}', None),
        ('{"queries":[{"query":"a"},{}]}', None),
    ],
)
def test_forms(text: str, expected: SqlRequest | None) -> None:
    assert read_request(parse_json(text)) == expected


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["query", "queries", "params", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(ANY_JSON)
def test_any_document_is_a_request_or_is_not(document: object) -> None:
    read = read_request(parse_json(json.dumps(document)))
    if isinstance(read, Extended):
        assert all(isinstance(each.query, str) for each in read.queries)
    assert read is None or isinstance(document, dict)
