"""Heads of HTTP/2: what header lists say, which are malformed, which are refused, which are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.limits import Limits
from fanlight.wire.h2_head import H2HeadReader, StreamProtocolError, check_trailers
from fanlight.wire.head import MEMO_ENTRIES, Malformed

Pair = tuple[bytes, bytes]
BASE: tuple[Pair, ...] = (
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"localhost"),
    (b":path", b"/a?b"),
)


def reader(limits: Limits | None = None) -> H2HeadReader:
    return H2HeadReader(limits or Limits())


def test_what_a_list_says() -> None:
    head = reader().read((*BASE, (b"x-a", b"b"), (b"content-length", b"7")), ended=False)
    assert (head.method, head.path, head.query, head.version) == ("GET", "/a", "b", "2")
    assert (head.authority, head.scheme, head.protocol) == ("localhost", "https", None)
    assert head.fields == (("x-a", "b"), ("content-length", "7"))
    assert head.length == 7
    assert head.keep_alive


def test_host_stands_in_for_the_authority() -> None:
    fields = tuple(pair for pair in BASE if pair[0] != b":authority")
    assert reader().read((*fields, (b"host", b"localhost")), ended=True).authority == "localhost"


def test_an_extended_connect_is_a_get_with_a_protocol() -> None:
    fields = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *BASE[1:])
    head = reader().read(fields, ended=False)
    assert (head.method, head.protocol, head.path) == ("GET", "websocket", "/a")


def test_cookies_are_one_list_again() -> None:
    head = reader().read((*BASE, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")), ended=True)
    assert head.all("cookie") == ["a=1; b=2"]
    assert head.all("x") == ["y"]


def test_an_expectation() -> None:
    assert reader().read((*BASE, (b"expect", b"100-Continue")), ended=False).expects


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (((b"expect", b"teapot"),), 417),
        (((b"host", b"other"),), 400),
        (((b"host", b"localhost"), (b"host", b"localhost")), 400),
        (((b"x", b"y" * 20_000),), 431),
        (((b"x", b"y"),) * 200, 431),
    ],
)
def test_lists_that_are_answered_with_a_status(more: tuple[Pair, ...], status: int) -> None:
    with pytest.raises(Malformed) as caught:
        reader().read((*BASE, *more), ended=True)
    assert caught.value.response.status == status


def replaced(name: bytes, value: bytes | None) -> tuple[Pair, ...]:
    return tuple((n, value if n == name else v) for n, v in BASE if not (n == name and value is None))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b":authority", b"a b", 400),
        (b":authority", b"", 400),
        (b":authority", None, 400),
        (b":path", b"a", 400),
        (b":path", b"*", 400),
        (b":path", b"/a#b", 400),
        (b":path", b"/" + b"a" * 20_000, 414),
        (b":path", b"http://localhost/", 400),
        (b":method", b"BREW", None),
    ],
)
def test_pseudo_fields_that_are_answered(name: bytes, value: bytes | None, status: int | None) -> None:
    if status is None:
        assert reader().read(replaced(name, value), ended=True).method == "BREW"
        return
    with pytest.raises(Malformed) as caught:
        reader().read(replaced(name, value), ended=True)
    assert caught.value.response.status == status


MALFORMED: dict[str, tuple[Pair, ...]] = {
    "no method": replaced(b":method", None),
    "an empty method": replaced(b":method", b""),
    "a method too long": replaced(b":method", b"A" * 65),
    "no scheme": replaced(b":scheme", None),
    "an empty scheme": replaced(b":scheme", b""),
    "no path": replaced(b":path", None),
    "an empty path": replaced(b":path", b""),
    "two paths": (*BASE, BASE[3]),
    "a late pseudo-field": (*BASE[:3], (b"x", b"y"), BASE[3]),
    "an unknown pseudo-field": (*BASE, (b":x", b"y")),
    "a colon alone": (*BASE, (b":", b"y")),
    "an upper-case name": (*BASE, (b"X", b"y")),
    "an empty name": (*BASE, (b"", b"y")),
    "a name that is no token": (*BASE, (b"a b", b"y")),
    "a name beyond ASCII": (*BASE, (b"\xe9", b"y")),
    "NUL in a value": (*BASE, (b"x", b"\0")),
    "LF in a pseudo-field": replaced(b":path", b"/\n"),
    "a blank around a value": (*BASE, (b"x", b"y ")),
    "connection": (*BASE, (b"connection", b"close")),
    "te": (*BASE, (b"te", b"gzip")),
    "a length that is no number": (*BASE, (b"content-length", b"x")),
    "a length too long": (*BASE, (b"content-length", b"1" * 19)),
    "two lengths": (*BASE, (b"content-length", b"1"), (b"content-length", b"2")),
    "a protocol without CONNECT": (*BASE, (b":protocol", b"websocket")),
    "CONNECT with a scheme": replaced(b":method", b"CONNECT"),
    "CONNECT without an authority": ((b":method", b"CONNECT"),),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_lists(name: str) -> None:
    with pytest.raises(StreamProtocolError):
        reader().read(MALFORMED[name], ended=False)


def test_the_same_length_twice_is_one() -> None:
    fields = (*BASE, (b"content-length", b"1"), (b"content-length", b"1"))
    assert reader().read(fields, ended=False).length == 1


def test_a_length_without_a_body() -> None:
    with pytest.raises(StreamProtocolError):
        reader().read((*BASE, (b"content-length", b"1")), ended=True)
    assert reader().read((*BASE, (b"content-length", b"0")), ended=True).length == 0


def test_plain_connect_is_answered() -> None:
    with pytest.raises(Malformed) as caught:
        reader().read(((b":method", b"CONNECT"), (b":authority", b"localhost:443")), ended=False)
    assert caught.value.response.status == 405


def test_what_is_remembered() -> None:
    made = reader()
    assert made.read(BASE, ended=True) is made.read(BASE, ended=True)
    assert made.read(BASE, ended=False) is not made.read(BASE, ended=True)


@pytest.mark.parametrize("name", [b"authorization", b"cookie", b"proxy-authorization"])
def test_credentials_are_never_remembered(name: bytes) -> None:
    made = reader()
    made.read((*BASE, (name, b"secret")), ended=True)
    assert made.memo == {}


def test_the_memory_is_bounded() -> None:
    made = reader()
    for n in range(3 * MEMO_ENTRIES):
        made.read(replaced(b":path", b"/%d" % n), ended=True)
    assert 0 < len(made.memo) <= MEMO_ENTRIES


def test_trailers() -> None:
    check_trailers([(b"x-sum", b"1"), (b"content-length", b"7")])
    for bad in ((b":status", b"200"), (b":path", b"/"), (b"X", b"y"), (b"x", b"\n"), (b"connection", b"x")):
        with pytest.raises(StreamProtocolError):
            check_trailers([bad])


names = st.sampled_from(
    [b":method", b":scheme", b":authority", b":path", b":protocol", b"host", b"te", b"cookie", b"x"]
)
values = st.sampled_from([b"GET", b"CONNECT", b"https", b"localhost", b"/", b"*", b"trailers", b"", b"x"]) | st.binary(
    max_size=5
)


@given(st.lists(st.tuples(names, values), max_size=8), st.booleans())
def test_any_list_is_read_or_refused(fields: list[Pair], ended: bool) -> None:
    made = reader()
    try:
        head = made.read(fields, ended=ended)
    except (StreamProtocolError, Malformed):
        assert made.memo == {}
        return
    assert head.path == "*" or head.path.startswith("/")
    assert head.authority
