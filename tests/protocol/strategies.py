"""Bytes for properties: good and spoilt heads, chunked bodies, frames, and ways to cut them."""

from __future__ import annotations

from attrs import frozen
from hypothesis import strategies as st

from tests.clients import websocket as ws
from tests.protocol import frames as h2
from tests.protocol.http1_rows import ROWS as HTTP1_ROWS

_ODD = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"/", b"*", b"\x7f", b"\x80", b"\xff", b"a", b"0"]

NAMES = [b"Host", b"Accept", b"X-A", b"Connection", b"Cookie", b"Authorization", b"Origin", b"Content-Length"]
VALUES = [b"localhost", b"localhost:80", b"close", b"keep-alive, x", b"*/*", b"a=b", b"", b"0", b"3", b"a\tb", b"\xe9"]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """One head that a client might send, nearly always good."""
    method = draw(st.sampled_from([b"GET", b"GET", b"HEAD", b"OPTIONS", b"BREW", b"g!T"]))
    target = draw(
        st.sampled_from([b"/", b"/api/livez", b"/a?b=c", b"*", b"http://localhost/x", b"http://localhost", b"/%41"])
    )
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    fields = [b"Host: localhost"] if draw(st.integers(0, 9)) else []
    for _ in range(draw(st.integers(0, 4))):
        blank = draw(st.sampled_from([b"", b" ", b" ", b"\t "]))
        fields.append(draw(st.sampled_from(NAMES)) + b":" + blank + draw(st.sampled_from(VALUES)))
    return b"\r\n".join([method + b" " + target + b" HTTP/" + version, *fields, b"", b""])


@st.composite
def spoilt(draw: st.DrawFn, good: st.SearchStrategy[bytes], most: int = 3) -> bytes:
    """`good` bytes with a few of them changed, dropped or put in."""
    data = draw(good)
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        width = draw(st.integers(0, 2))
        data = data[:at] + draw(st.sampled_from(_ODD) | st.binary(max_size=2)) + data[at + width :]
    return data


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """`(body, the same in the chunked coding)`, with extensions and trailers now and then."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
    extension = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b;\\"c"'])
    coded = b"".join(
        draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(piece) + draw(extension) + b"\r\n" + piece + b"\r\n"
        for piece in pieces
    )
    trailers = b"".join(draw(st.lists(st.sampled_from([b"A: b\r\n", b"X:\r\n"]), max_size=2)))
    return b"".join(pieces), coded + b"0" + draw(extension) + b"\r\n" + trailers + b"\r\n"


def http1_streams() -> st.SearchStrategy[bytes]:
    """What may come on one HTTP/1.1 connection: rows of the table and heads, whole or spoilt, one after the other."""
    rows = [row.sends for row in HTTP1_ROWS if len(row.sends) < 2000 and b"Expect" not in row.sends]
    posts = chunked().map(
        lambda both: b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + both[1]
    )
    piece = st.sampled_from(rows) | heads() | posts
    return st.lists(piece | spoilt(piece), min_size=1, max_size=4).map(b"".join)


def http2_frames() -> st.SearchStrategy[bytes]:
    """Frames for one HTTP/2 connection, most of them good, without the preface."""
    stream = st.sampled_from([0, 1, 1, 3, 3, 5, 2])
    good = st.one_of(
        st.builds(h2.get, st.sampled_from([1, 3, 5]), path=st.sampled_from([b"/api/livez", b"/nowhere", b"/late"])),
        st.builds(h2.post, st.sampled_from([1, 3, 5])),
        st.builds(h2.data, stream, st.binary(max_size=40), end=st.booleans()),
        st.builds(h2.reset, stream),
        st.builds(h2.window, stream, st.sampled_from([0, 1, 1000, 0x7FFFFFFF])),
        st.builds(
            h2.setting, st.tuples(st.sampled_from([1, 2, 3, 4, 5, 8, 99]), st.sampled_from([0, 1, 100, 1 << 31]))
        ),
        st.just(h2.frame(h2.PING, 0, 0, b"12345678")),
    )
    odd = st.builds(h2.frame, st.integers(0, 12), st.integers(0, 255), stream, st.binary(max_size=30))
    return st.lists(good | good | good | odd, max_size=8).map(b"".join)


def ws_frames() -> st.SearchStrategy[bytes]:
    """Frames for one WebSocket, most of them good."""
    text = st.text(max_size=30).map(str.encode)
    good = st.one_of(
        st.builds(ws.frame, st.just(ws.TEXT), text),
        st.builds(ws.frame, st.just(ws.BINARY), st.binary(max_size=200)),
        st.builds(ws.frame, st.sampled_from([ws.PING, ws.PONG]), st.binary(max_size=20)),
        st.builds(ws.frame, st.sampled_from([ws.TEXT, ws.CONTINUATION]), text, fin=st.booleans()),
        st.builds(ws.frame, st.just(ws.BINARY), st.just(bytes(70_000))),
    )
    odd = st.one_of(
        st.builds(
            ws.frame,
            st.integers(0, 15),
            st.binary(max_size=130),
            fin=st.booleans(),
            masked=st.integers(0, 9).map(bool),
            rsv=st.sampled_from([0, 0, 0, 1]),
        ),
        st.builds(ws.frame, st.just(ws.CLOSE), st.sampled_from([b"", b"\x03", b"\x03\xe8", b"\x03\xe8bye", b"\0\0"])),
    )
    return st.lists(good | good | good | odd, max_size=6).map(b"".join)


@frozen
class Cut:
    """How to cut bytes: every `size` bytes, or (size 0) at `places` between 0 and 1."""

    size: int
    places: tuple[float, ...] = ()

    def of(self, whole: bytes) -> list[bytes]:
        """`whole` in pieces, none of them empty."""
        if self.size and len(whole) <= 2000 * self.size:
            return [whole[at : at + self.size] for at in range(0, len(whole), self.size)]
        at = sorted(int(place * len(whole)) for place in self.places)
        return [whole[start:end] for start, end in zip([0, *at], [*at, len(whole)], strict=True) if start < end]


cuts = st.builds(Cut, st.sampled_from([1, 2, 3, 7, 100])) | st.builds(
    Cut, st.just(0), st.lists(st.floats(0, 1), min_size=1, max_size=6).map(tuple)
)
