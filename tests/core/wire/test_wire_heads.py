"""Heads of answers: their bytes, the date, and that no value can start a line of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.wire import heads
from fanlight.wire.heads import UnsafeField, encode_field, http_date, prefix


def test_a_head_is_a_status_line_and_its_fields() -> None:
    assert prefix(200, (("content-type", "text/plain"), ("x-a", "b"))) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-a: b\r\n"
    )


def test_phrases_are_those_of_rfc_9110_under_every_python() -> None:
    assert prefix(422, ()) == b"HTTP/1.1 422 Unprocessable Content\r\n"


def test_a_status_without_a_phrase_keeps_its_blank() -> None:
    assert prefix(299, ()) == b"HTTP/1.1 299 \r\n"  # RFC 9112 section 4: the blank stays


def test_a_head_is_remembered_but_one_with_a_cookie() -> None:
    fields = (("x-remembered", "yes"),)
    assert prefix(200, fields) is prefix(200, fields)
    secret = (("set-cookie", "session=1"),)
    assert prefix(200, secret) is not prefix(200, secret)
    assert (200, secret) not in heads._PREFIXES


def test_the_memory_is_bounded() -> None:
    for n in range(2000):
        prefix(200, (("x-n", str(n)),))
    assert len(heads._PREFIXES) <= 512


@pytest.mark.parametrize("code", [*range(9), *range(10, 32), 127])
def test_no_control_character_gets_into_a_field(code: int) -> None:
    with pytest.raises(UnsafeField):
        encode_field("x", f"a{chr(code)}b")
    with pytest.raises(UnsafeField):
        prefix(200, (("location", f"/a{chr(code)}set-cookie: b"),))


def test_values_are_latin_1_where_that_fits() -> None:
    assert encode_field("x", "a\tb é") == b"a\tb \xe9"
    assert encode_field("x", "€") == "€".encode()


@given(st.integers(0, 253_402_300_799))
def test_the_date_is_an_imf_fixdate(wall: int) -> None:
    assert http_date(wall) == format_datetime(datetime.fromtimestamp(wall, UTC), usegmt=True)


def test_the_date_drops_fractions() -> None:
    assert http_date(1_700_000_000.999) == "Tue, 14 Nov 2023 22:13:20 GMT"
