"""The JSON body reader: stricter than the standard library in exactly the places it names."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.http.body import DEPTH, NotJson, parse_json, read_json, repeated, wrong_shape
from fanlight.http.request import BODY_TOO_LARGE, Head, ReadBody, Request
from fanlight.http.response import TEXT, Refused
from fanlight.moment import Now

WRONG_TYPE = b"Expected request with `Content-Type: application/json`"


def request(*fields: tuple[str, str]) -> Request:
    head = Head("POST", "/", fields, version="1.1", authority="localhost")
    server: Any = SimpleNamespace(limits=Limits())
    return Request(
        head, stream=1, arrived=Now(0.0, 0.0), peer="", secure=False, listener=cast(Any, None), server=server
    )


def read(body: bytes | None, *fields: tuple[str, str]) -> Any:
    """Run `read_json` to its end; `body` is what the connection would answer."""
    routine = read_json(request(*fields))
    try:
        ask = routine.send(None)
        assert isinstance(ask, ReadBody)
        assert ask.limit == 5 * 1024 * 1024
        routine.send(body)
    except StopIteration as end:
        return end.value
    raise AssertionError("the reader asked twice")


def refused(body: bytes | None, *fields: tuple[str, str]) -> tuple[int, bytes]:
    with pytest.raises(Refused) as caught:
        read(body, *fields)
    response = caught.value.response
    assert response.fields == (TEXT,)
    assert isinstance(response.body, bytes)
    return response.status, response.body


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json ;charset=latin-1",
        "application/vnd.api+json",
        "application/problem+JSON; x=y",
    ],
)
def test_json_content_types_are_read(kind: str) -> None:
    assert read(b'{"a":1}', ("content-type", kind)) == {"a": 1}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "json",
        "text/json",
        "application/jsonlines",
        "application/json/x",
        "application/json x",
        "application/+json",
        "application/x-www-form-urlencoded",
        "text/plain; application/json",
        "xapplication/json",
    ],
)
def test_other_content_types_are_415_and_the_body_is_not_asked_for(kind: str) -> None:
    routine = read_json(request(("content-type", kind)))
    with pytest.raises(Refused) as caught:
        routine.send(None)
    assert (caught.value.response.status, caught.value.response.body) == (415, WRONG_TYPE)


def test_no_content_type_is_415() -> None:
    assert refused(b"{}") == (415, WRONG_TYPE)


def test_a_long_body_is_413() -> None:
    with pytest.raises(Refused) as caught:
        read(None, ("content-type", "application/json"))
    assert caught.value.response is BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b" ", "EOF while parsing a value at line 1 column 1"),
        (b"select 1", "expected value at line 1 column 1"),
        (b'{"query":"select 1', "EOF while parsing a string at line 1 column 10"),
        (b'{"a":1}{"a":2}', "trailing characters at line 1 column 8"),
        (b"[1,\n2,\n\nx]", "expected value at line 4 column 1"),
        (b"{x:1}", "key must be a string at line 1 column 2"),
        (b'{"a" 1}', "expected `:` at line 1 column 6"),
        (b"[1 2]", "expected `,` or the end at line 1 column 4"),
        (b"[1", "EOF while parsing a list or an object at line 1 column 2"),
        (b'{"a":NaN}', "expected value, found NaN, at line 1 column 9"),
        (b"1e400", "number out of range at line 1 column 5"),
        (b'["a\xff"]', "invalid unicode code point at line 1 column 4"),
        (b"\xef\xbb\xbf{}", "expected value at line 1 column 1"),
        (b'"\n\\ud83e"', "invalid control character at line 1 column 2"),
        (b'\n"\\ud83e"', "lone surrogate in hex escape at line 2 column 2"),
    ],
)
def test_what_is_not_json_is_400_and_tells_where(body: bytes, detail: str) -> None:
    answer = refused(body, ("content-type", "application/json"))
    assert answer == (400, b"Failed to parse the request body as JSON: " + detail.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1",
        b"[1,]",
        b"'a'",
        b'"a\tb"',
        b'"\\x41"',
        b'"\\ud83e"',
        b'"\\udd86"',
        b'"\\udd86\\ud83e"',
        b'"\\ud83e\\ud83e\\udd86"',
        b'"\\ud83ex\\udd86"',
        b'"\\uD83E\\\\udd86"',
        b'{"\\ud800":1}',
        b"nul",
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-16"),
        b"1" * 310,
        b"-" + b"9" * 5000,
        b"-1e999",
    ],
)
def test_what_a_lax_reader_takes_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' \r\n\t{ "a" : [ ] } \n', {"a": []}),
        (b'"\\ud83e\\udd86\\uD83E\\uDD86"', "\U0001f986\U0001f986"),
        (b'"\\\\ud83e"', "\\ud83e"),
        (b'"\\\\\\u0041\\"\\ud7ff\\ue000"', '\\A"\ud7ff\ue000'),
        (b"-" + b"9" * 309, -int("9" * 309)),
        (b"[1e308,-0.0,12]", [1e308, -0.0, 12]),
        ("\ufeff".join('""').encode(), "\ufeff"),
    ],
)
def test_what_is_json_is_read(body: bytes, value: object) -> None:
    assert parse_json(body) == value


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("inner", ['"]]]"', '"\\"[[[\\\\"', "1", '"\\n[\\u005b"'])
def test_nesting_ends_at_127(opening: str, closing: str, inner: str) -> None:
    assert DEPTH == 127
    parse_json(opening * 127 + inner + closing * 127)
    for depth in (128, 129, 20_000):
        with pytest.raises(NotJson, match="recursion limit exceeded"):
            parse_json(opening * depth + inner + closing * depth)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse_json("[" + ",".join(['{"[[[[":[]}'] * 5000) + "]") == [{"[[[[": []}] * 5000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.booleans())
def test_every_value_comes_back(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def reference_depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(reference_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(reference_depth, value), default=0)
    return 0


nasty = st.text(alphabet='"[]{}\\nu', max_size=12)


@given(st.recursive(nasty, lambda inner: st.lists(inner) | st.dictionaries(nasty, inner)), st.integers(100, 130))
@example({'\\"[': ["]\\\\", {'"': []}]}, 125)
def test_the_quick_scan_counts_as_a_walk_does(value: Any, around: int) -> None:
    document = '["[",' * around + json.dumps(value) + "]" * around
    if around + reference_depth(value) > DEPTH:
        with pytest.raises(NotJson):
            parse_json(document)
    else:
        parse_json(document)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\ud83E0e+-.', max_size=40).map(str.encode))
def test_nothing_but_json_or_the_error_comes_out(body: bytes) -> None:
    try:
        value = parse_json(body)
    except NotJson:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


halves = st.sampled_from([r"\ud83e", r"\udd86", r"\uDBFF", r"\uDC00", r"\\", r"\"", r"\n", "u", "d83e", "x"])


@given(st.lists(halves, max_size=12).map("".join))
def test_surrogates_are_refused_exactly_when_one_is_left_alone(inside: str) -> None:
    document = f'"{inside}"'
    alone = any(0xD800 <= ord(char) < 0xE000 for char in json.loads(document))
    if alone:
        with pytest.raises(NotJson, match="lone surrogate"):
            parse_json(document)
    else:
        assert parse_json(document) == json.loads(document)


def test_names_given_twice_are_told_and_the_last_value_stays() -> None:
    value = parse_json('{"a":1,"b":{"c":1,"c":2,"c":3},"a":2,"\\u0061":3}')
    assert value == {"a": 3, "b": {"c": 3}}
    assert repeated(value) == {"a"}
    assert repeated(value["b"]) == {"c"}
    assert repeated(parse_json('{"a":1,"b":1}')) == frozenset()


def test_numbers_keep_their_kind() -> None:
    whole, fraction = parse_json("[7, 7.0]")
    assert type(whole) is int
    assert type(fraction) is float
    assert math.copysign(1, parse_json("-0.0")) == -1


def test_wrong_shape() -> None:
    response = wrong_shape("missing field `query`")
    assert response.status == 422
    assert response.fields == (TEXT,)
    assert response.body == b"Failed to deserialize the JSON body into the target type: missing field `query`"
