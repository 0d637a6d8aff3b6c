"""Heads of HTTP/1.1: what h11 is asked about, what never reaches it, and what is remembered.

The table of malformed heads is `tests/protocol/http1_rows.py`; here is what a
row cannot show.
"""

from __future__ import annotations

import pytest

from fanlight.config.limits import Limits
from fanlight.wire.head import BAD_REQUEST, MEMO_BYTES, MEMO_ENTRIES, HeadReader, Malformed

HOST = b"Host: localhost\r\n"


def head(fields: bytes = HOST, target: bytes = b"/a?b=c", method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return method + b" " + target + b" HTTP/" + version + b"\r\n" + fields + b"\r\n"


def status(raw: bytes, limits: Limits | None = None) -> int:
    with pytest.raises(Malformed) as caught:
        HeadReader(limits or Limits()).read(raw)
    return caught.value.response.status


def test_what_a_head_says() -> None:
    found = HeadReader(Limits()).read(head(HOST + b"X-A:  b \r\nx-a: c\r\nCookie: d\r\nContent-Length: 12\r\n"))
    assert (found.method, found.path, found.query, found.version) == ("GET", "/a", "b=c", "1.1")
    assert found.authority == "localhost"
    assert found.fields[1:4] == (("x-a", "b"), ("x-a", "c"), ("cookie", "d"))
    assert (found.values["x-a"], found.all("x-a"), found.count("x-a")) == ("b", ["b", "c"], 2)
    assert (found.length, found.chunked, found.keep_alive, found.expects) == (12, False, True, False)


@pytest.mark.parametrize(
    ("fields", "version", "keep_alive"),
    [
        (b"", b"1.1", True),
        (b"Connection: close\r\n", b"1.1", False),
        (b"Connection: Keep-Alive, CLOSE\r\n", b"1.1", False),
        (b"Connection: keep-alive\r\nConnection: close\r\n", b"1.1", False),
        (b"Connection: closed\r\n", b"1.1", True),
        (b"", b"1.0", False),
        (b"Connection: keep-alive\r\n", b"1.0", False),
    ],
)
def test_whether_the_connection_goes_on(fields: bytes, version: bytes, keep_alive: bool) -> None:
    assert HeadReader(Limits()).read(head(HOST + fields, version=version)).keep_alive is keep_alive


def test_an_upgrade_is_an_option_of_connection() -> None:
    reader = HeadReader(Limits())
    assert reader.read(head(HOST + b"Connection: x, Upgrade\r\nUpgrade: websocket\r\n")).upgrade
    assert not reader.read(head(HOST + b"Upgrade: websocket\r\n")).upgrade


@pytest.mark.parametrize(("target", "path"), [(b"http://localhost/x", "/x"), (b"http://LOCALHOST", "/")])
def test_an_absolute_target_names_the_host_again(target: bytes, path: str) -> None:
    found = HeadReader(Limits()).read(head(target=target))
    assert (found.path, found.authority) == (path, "localhost")


def test_an_absolute_target_is_the_host_of_http_1_0() -> None:
    assert HeadReader(Limits()).read(head(b"", b"http://other/x", version=b"1.0")).authority == "other"
    assert HeadReader(Limits()).read(head(b"", version=b"1.0")).authority is None


def test_the_same_bytes_are_the_same_head() -> None:
    reader = HeadReader(Limits())
    assert reader.read(head()) is reader.read(head())


@pytest.mark.parametrize(
    "fields",
    [
        b"Authorization: Basic YTo=\r\n",
        b"authorization: x\r\n",
        b"Cookie: a=b\r\n",
        b"Proxy-Authorization: x\r\n",
        b"COOKIE:\r\n",
        b"Expect: 100-continue\r\nContent-Length: 1\r\n",
        b"X: " + b"y" * MEMO_BYTES + b"\r\n",
    ],
)
def test_what_is_never_remembered(fields: bytes) -> None:
    reader = HeadReader(Limits())
    reader.read(head(HOST + fields))
    assert reader.memo == {}


def test_a_malformed_head_is_not_remembered() -> None:
    reader = HeadReader(Limits())
    with pytest.raises(Malformed):
        reader.read(head(b""))
    assert reader.memo == {}


def test_the_memory_is_bounded() -> None:
    reader = HeadReader(Limits())
    for n in range(3 * MEMO_ENTRIES):
        reader.read(head(target=b"/%d" % n))
    assert 0 < len(reader.memo) <= MEMO_ENTRIES


LIMITS = Limits(head_bytes=500, target_bytes=100, field_bytes=200, fields=5)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (head(target=b"/" + b"a" * 100), 414),
        (head(target=b"/" + b"a" * 300), 414),
        (head(HOST + b"A: " + b"b" * 198 + b"\r\n"), 431),
        (head(HOST + b"A: b\r\n" * 5), 431),
        (head(HOST + (b"A: " + b"b" * 120 + b"\r\n") * 4), 431),
        (head(HOST + b"Content-Length: " + b"9" * 19 + b"\r\n"), 400),
    ],
)
def test_bounds(raw: bytes, expected: int) -> None:
    assert status(raw, LIMITS) == expected


def test_just_within_the_bounds() -> None:
    reader = HeadReader(LIMITS)
    assert reader.read(head(target=b"/" + b"a" * 99)).path == "/" + "a" * 99
    assert reader.read(head(HOST + b"A: " + b"b" * 197 + b"\r\n")).values["a"] == "b" * 197
    assert len(reader.read(head(HOST + b"A: b\r\n" * 4)).fields) == 5


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"G", None),
        (b"GET /", None),
        (b"GET / HTTP/1.1\r\nHost: localhost\r", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", None),
        (b"G(", 400),
        (b" GET", 400),
        (b"A" * 70, 400),
        (b"GET /\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\rc", 400),
        (b"GET /" + b"a" * 130, 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100, 431),
        # The first fault counts, wherever the bytes were cut.
        (b"GET /" + b"a" * 130 + b"\n", 414),
        (b"GET /\n" + b"a" * 600, 400),
        (b"GET / HTTP/1.1\r\n" + b"a" * 600 + b"\n", 431),
    ],
)
def test_what_a_head_has_earned_before_its_end(start: bytes, expected: int | None) -> None:
    early = HeadReader(LIMITS).refuse_early(bytearray(start), 0)
    assert (early.status if early is not None else None) == expected


def test_a_cr_and_its_lf_may_arrive_apart() -> None:
    reader = HeadReader(LIMITS)
    start = bytearray(b"GET / HTTP/1.1\r")
    assert reader.refuse_early(start, 0) is None
    start += b"x"
    assert reader.refuse_early(start, len(start) - 1) is BAD_REQUEST
