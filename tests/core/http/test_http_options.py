"""The `options` query parameter: what is none, what is refused, what is read."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.options import parse_options
from fanlight.http.response import Refused

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "options=",
        "options",
        "other=1",
        "option=%7B",
        "&&=",
        "options=%7B%7D",
        "options=1&options=2",
        "options=%7B%7D&%6Fptions=%7B%7D",
        "options=1&x=%",
        "options=%FF",
        "Options=1",
    ],
)
def test_no_options(query: str) -> None:
    assert parse_options(query) == {}


@pytest.mark.parametrize(
    "document",
    [
        "surely_not_json",
        "1",
        '"x"',
        "null",
        "[]",
        '["a"]',
        '{"a":1}',
        '{"a":null}',
        '{"a":{}}',
        '{"a":"b"',
        '{"a":"b"}x',
        '{"a":NaN}',
        '{"a":"\\ud800"}',
        '{"\\udfff":"a"}',
        '{"a":"\n"}',
        '\ufeff{"a":"b"}',
        "[" * 5000,
        '{"a":' * 2500,
        '{"a":' + "9" * 6000 + "}",
        "%7B%7D",  # encoded twice
        " ",
    ],
)
def test_malformed_options_are_refused_with_the_documented_text(document: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_options("options=" + quote(document))
    assert caught.value.response.status == 400
    assert caught.value.response.body == b'Failed to deserialize "options" map'
    assert caught.value.response.fields == (("content-type", "text/plain; charset=utf-8"),)
    assert caught.value.__cause__ is None


def test_names_come_in_byte_order() -> None:
    # By code point, which is by byte; UTF-16 would put U+10000 before U+FFFD.
    document = {"b": "1", "\U00010000": "2", "\ufffd": "3", "B": "4", "a": "5"}
    assert list(parse_options("options=" + quote(json.dumps(document)))) == ["B", "a", "b", "\ufffd", "\U00010000"]


def test_a_plus_is_a_blank_and_raw_bytes_are_utf8() -> None:
    assert parse_options('options={"application_name":"a+b%2Bc"}') == {"application_name": "a b+c"}
    raw = '{"application_name":"é"}'.encode().decode("latin-1")
    assert parse_options("options=" + raw) == {"application_name": "é"}


@given(st.dictionaries(words, words), st.sampled_from([quote, quote_plus]), words, words)
def test_what_was_encoded_is_read(settings: dict[str, str], encode: object, before: str, after: str) -> None:
    assert callable(encode)
    query = f"x={encode(before)}&options={encode(json.dumps(settings))}&y={encode(after)}"
    assert parse_options(query) == settings


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_anything_is_read_or_refused(query: str) -> None:
    for text in (query, "options=" + query):
        try:
            answer = parse_options(text)
        except Refused:
            continue
        assert all(isinstance(item, str) for pair in answer.items() for item in pair)
