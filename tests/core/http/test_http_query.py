"""Query strings: decoded as forms, refused as a whole when the encoding is broken."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.query import BadQuery, bad_query, parse_query, read_query
from fanlight.http.request import Head, Request
from fanlight.http.response import TEXT, Refused
from fanlight.moment import Now


def request(target: str) -> Request:
    nobody = cast(Any, None)
    head = Head("GET", target, (), version="1.1", authority="localhost")
    return Request(head, stream=1, arrived=Now(0.0, 0.0), peer="", secure=False, listener=nobody, server=nobody)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("&&", {}),
        ("wait=true", {"wait": "true"}),
        ("wait", {"wait": ""}),
        ("wait=", {"wait": ""}),
        ("=x", {"": "x"}),
        ("a=1&b=2&a=3", {"a": "3", "b": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("a+b=c+d%2B%20", {"a b": "c d+ "}),
        ("n%C3%A9=%e2%82%ac", {"né": "€"}),
        ("a=%2541", {"a": "%41"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("a=\xc3\xa9", {"a": "é"}),
        ("a=%00", {"a": "\0"}),
    ],
)
def test_forms_are_decoded_once(query: str, parameters: dict[str, str]) -> None:
    assert parse_query(query) == parameters


@pytest.mark.parametrize("query", ["a=%", "a=%4", "%zz=1", "a=%e2%82", "a=%ff", "a=\xe9", "ok=1&a=%G0", "a=% 41"])
def test_a_broken_encoding_spoils_the_whole(query: str) -> None:
    with pytest.raises(BadQuery):
        parse_query(query)


def test_a_known_parameter_may_come_once() -> None:
    assert parse_query("x=1&x=2&wait=1", ("wait",)) == {"x": "2", "wait": "1"}
    with pytest.raises(BadQuery, match="duplicate field `wait`"):
        parse_query("wait=1&w%61it=1", ("wait",))


def test_read_query_refuses_with_400() -> None:
    assert read_query(request("/x")) == {}
    assert read_query(request("/x?")) == {}
    assert read_query(request("/x?a=1&a=2")) == {"a": "2"}
    with pytest.raises(Refused) as caught:
        read_query(request("/x?a=1&a=2"), "a")
    response = caught.value.response
    assert (response.status, response.fields) == (400, (TEXT,))
    assert response.body == b"Failed to deserialize query string: duplicate field `a`"
    assert bad_query("why").body == b"Failed to deserialize query string: why"


@given(st.dictionaries(st.text(), st.text()))
def test_whatever_a_form_encodes_comes_back(parameters: dict[str, str]) -> None:
    assert parse_query(urlencode(parameters)) == parameters


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_any_query_is_read_or_refused(query: str) -> None:
    try:
        parameters = parse_query(query)
    except BadQuery:
        return
    assert all(isinstance(part, str) for pair in parameters.items() for part in pair)
