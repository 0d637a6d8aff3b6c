"""WebSocket, row by row: the frames a client sends to an echo, and exactly the frames that come back.

Each row is played on a fresh WebSocket, over HTTP/1.1 and over HTTP/2, whole
and byte by byte.  Sections are of RFC 6455.  The echo takes messages of
256 KiB, inclusive.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import frozen

from tests.clients.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    accept_token,
    fragments,
    frame,
)
from tests.protocol.application import MESSAGE_LIMIT

Frame = tuple[int, bytes]

OPEN_HTTP1 = (
    b"GET /chat HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: " + KEY.encode() + b"\r\n\r\n"
)


@frozen(kw_only=True)
class Row:
    """What is `sent`, the frames `told` in answer, and the code of the Close that follows.

    `code` None: no Close, the WebSocket goes on.  `code` 0: an empty Close.
    """

    section: str
    name: str
    sent: bytes
    told: tuple[Frame, ...] = ()
    code: int | None = None

    @property
    def title(self) -> str:
        """What a report calls it."""
        return f"{self.section} {self.name}"


def after_101(received: bytes) -> bytes:
    """The frames behind the answer to the opening."""
    head, _, frames = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"http/1.1 101 switching protocols"
    assert b"sec-websocket-accept: " + accept_token(KEY).lower().encode() in lines
    return frames


def heard(data: bytes) -> list[Frame]:
    """The frames in what a server sent: whole, unmasked, unfragmented, in their shortest form."""
    found: list[Frame] = []
    while data:
        first, size = data[0], data[1]
        assert first & 0x80, "a fragment"
        assert not first & 0x70, "reserved bits"
        assert not size & 0x80, "a masked frame from a server"
        start = 2
        if size == 126:
            (size,) = struct.unpack("!H", data[2:4])
            start = 4
            assert size > 125
        elif size == 127:
            (size,) = struct.unpack("!Q", data[2:10])
            start = 10
            assert size > 65_535
        assert len(data) >= start + size, "a frame is cut"
        found.append((first & 0x0F, data[start : start + size]))
        data = data[start + size :]
    return found


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A Close frame; None: without a code."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def text(payload: str | bytes) -> bytes:
    """A text message in one frame."""
    return frame(TEXT, payload.encode() if isinstance(payload, str) else payload)


def _sizes() -> Iterator[Row]:
    for size in (0, 1, 125, 126, 127, 128, 65_535, 65_536):
        yield Row(section="5.2", name=f"text of {size}", sent=text("*" * size), told=((TEXT, b"*" * size),))
        payload = bytes((0xFE,)) * size
        yield Row(section="5.2", name=f"binary of {size}", sent=frame(BINARY, payload), told=((BINARY, payload),))


def _reserved() -> Iterator[Row]:
    """Bits and opcodes that nobody has given a meaning; what came before them is answered first."""
    for bits in range(1, 8):
        for kind, name in ((TEXT, "text"), (BINARY, "binary"), (PING, "ping"), (CLOSE, "close")):
            yield Row(
                section="5.2",
                name=f"reserved bits {bits} in {name} after a message",
                sent=text("before") + frame(kind, b"", rsv=bits) + text("after"),
                told=((TEXT, b"before"),),
                code=1002,
            )
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Row(section="5.2", name=f"opcode {opcode}", sent=frame(opcode, b""), code=1002)
        yield Row(
            section="5.2",
            name=f"opcode {opcode} after a message and before a ping",
            sent=text("before") + frame(opcode, b"payload") + frame(PING, b""),
            told=((TEXT, b"before"),),
            code=1002,
        )


PINGS = (
    Row(section="5.5.2", name="an empty ping", sent=frame(PING, b""), told=((PONG, b""),)),
    Row(section="5.5.2", name="a ping with payload", sent=frame(PING, b"hello"), told=((PONG, b"hello"),)),
    Row(section="5.5.2", name="a ping of 125", sent=frame(PING, b"\xfe" * 125), told=((PONG, b"\xfe" * 125),)),
    Row(section="5.5", name="a ping of 126", sent=frame(PING, b"\xfe" * 126), code=1002),
    Row(section="5.5", name="a pong of 126", sent=frame(PONG, b"\xfe" * 126), code=1002),
    Row(section="5.5.3", name="a pong nobody asked for", sent=frame(PONG, b"what")),
    Row(
        section="5.5.3",
        name="a pong nobody asked for, then a ping",
        sent=frame(PONG, b"what") + frame(PING, b"x"),
        told=((PONG, b"x"),),
    ),
    Row(
        section="5.5.2",
        name="ten pings",
        sent=b"".join(frame(PING, b"%d" % n) for n in range(10)),
        told=tuple((PONG, b"%d" % n) for n in range(10)),
    ),
    Row(section="5.4", name="a ping in two fragments", sent=b"".join(fragments(PING, b"ab", 2)), code=1002),
    Row(section="5.4", name="a pong in two fragments", sent=b"".join(fragments(PONG, b"ab", 2)), code=1002),
    Row(section="5.4", name="a close in two fragments", sent=b"".join(fragments(CLOSE, b"\x03\xe8", 2)), code=1002),
)

ONE, TWO = fragments(TEXT, b"fragment1fragment2", 2)

FRAGMENTS = (
    Row(section="5.4", name="two fragments", sent=ONE + TWO, told=((TEXT, b"fragment1fragment2"),)),
    Row(
        section="5.4",
        name="a ping between fragments",
        sent=ONE + frame(PING, b"now") + TWO,
        told=((PONG, b"now"), (TEXT, b"fragment1fragment2")),
    ),
    Row(
        section="5.4",
        name="pings between five fragments",
        sent=frame(PING, b"0").join(fragments(TEXT, b"abcde", 5)),
        told=(*((PONG, b"0"),) * 4, (TEXT, b"abcde")),
    ),
    Row(
        section="5.4",
        name="empty fragments",
        sent=frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) + frame(CONTINUATION, b""),
        told=((TEXT, b""),),
    ),
    Row(
        section="5.4",
        name="an empty fragment in the middle",
        sent=frame(BINARY, b"a", fin=False) + frame(CONTINUATION, b"", fin=False) + frame(CONTINUATION, b"b"),
        told=((BINARY, b"ab"),),
    ),
    Row(section="5.4", name="a continuation of nothing", sent=frame(CONTINUATION, b"x"), code=1002),
    Row(section="5.4", name="an open continuation of nothing", sent=frame(CONTINUATION, b"x", fin=False), code=1002),
    Row(
        section="5.4",
        name="a continuation of nothing before a message",
        sent=frame(CONTINUATION, b"x") + text("after"),
        code=1002,
    ),
    Row(
        section="5.4",
        name="a continuation after the last one",
        sent=ONE + TWO + frame(CONTINUATION, b"x", fin=False) + text("after"),
        told=((TEXT, b"fragment1fragment2"),),
        code=1002,
    ),
    Row(section="5.4", name="a new message inside another", sent=ONE + text("inside"), code=1002),
    Row(section="5.4", name="binary inside text", sent=ONE + frame(BINARY, b"inside"), code=1002),
    Row(
        section="5.4",
        name="text in a thousand fragments",
        sent=b"".join(fragments(TEXT, b"x" * 1000, 1000)),
        told=((TEXT, b"x" * 1000),),
    ),
)

KOSME = "κόσμε".encode()

VALID_TEXT = {
    "Greek": KOSME,
    "the first of each length": "\0\x80ࠀ\U00010000".encode(),
    "the last of each length": "\x7f߿\uffff\U0010ffff".encode(),
    "around the surrogates": "\ud7ff\ue000�".encode(),
    "non-characters": "\ufffe\uffff\U0001fffe\U0010ffff".encode(),
}

INVALID_TEXT = {
    "a lone continuation byte": b"\x80",
    "the last continuation byte": b"\xbf",
    "continuation bytes": b"\x80\xbf\x80\xbf",
    "a start byte and a blank": b"\xc0 ",
    "a lone start byte of two": b"\xc3",
    "a lone start byte of three": b"\xe2\x82",
    "a lone start byte of four": b"\xf0\x9f\x92",
    "FE": b"\xfe",
    "FF": b"\xff",
    "an overlong slash of two": b"\xc0\xaf",
    "an overlong slash of three": b"\xe0\x80\xaf",
    "an overlong slash of four": b"\xf0\x80\x80\xaf",
    "a form of five bytes": b"\xf8\x88\x80\x80\x80",
    "a form of six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "the largest overlong of two": b"\xc1\xbf",
    "an overlong NUL": b"\xc0\x80",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond the last plane": b"\xf4\x90\x80\x80",
    "Greek, then nonsense, then more": KOSME + b"\xed\xa0\x80edited",
}


def _texts() -> Iterator[Row]:
    for name, payload in VALID_TEXT.items():
        yield Row(section="8.1", name=f"valid: {name}", sent=text(payload), told=((TEXT, payload),))
        cut = b"".join(fragments(TEXT, payload, len(payload)))
        yield Row(section="8.1", name=f"valid, byte by byte: {name}", sent=cut, told=((TEXT, payload),))
    for name, payload in INVALID_TEXT.items():
        yield Row(section="8.1", name=f"invalid: {name}", sent=text(payload), code=1007)
        cut = b"".join(fragments(TEXT, payload, len(payload)))
        yield Row(section="8.1", name=f"invalid, byte by byte: {name}", sent=cut, code=1007)
        yield Row(
            section="8.1",
            name=f"binary may be anything: {name}",
            sent=frame(BINARY, payload),
            told=((BINARY, payload),),
        )


FAIL_FAST = (
    Row(
        section="8.1",
        name="refused in the first of two fragments",
        sent=frame(TEXT, KOSME + b"\xf4\x90", fin=False),
        code=1007,
    ),
    Row(
        section="8.1",
        name="refused in the second of three fragments",
        sent=frame(TEXT, KOSME, fin=False) + frame(CONTINUATION, b"\xf4\x90", fin=False),
        code=1007,
    ),
    Row(
        section="8.1",
        name="refused inside a frame that is still to come",
        sent=frame(TEXT, KOSME + b"\xf4\x90" + b"x" * 100)[:30],
        code=1007,
    ),
    Row(
        section="8.1",
        name="a good message, then a bad one",
        sent=text("good") + text(b"\xff"),
        told=((TEXT, b"good"),),
        code=1007,
    ),
    Row(
        section="8.1",
        name="three good messages, a ping, then a bad one",
        sent=text("a") + text("b") + frame(PING, b"p") + text("c") + text(b"\xff") + text("never"),
        told=((TEXT, b"a"), (TEXT, b"b"), (PONG, b"p"), (TEXT, b"c")),
        code=1007,
    ),
)

CLOSES = (
    Row(section="5.5.1", name="a message, then Close", sent=text("x") + close(), told=((TEXT, b"x"),), code=1000),
    Row(section="5.5.1", name="two Closes", sent=close() + close(), code=1000),
    Row(section="5.5.1", name="a ping after Close", sent=close() + frame(PING, b""), code=1000),
    Row(section="5.5.1", name="a message after Close", sent=close() + text("x"), code=1000),
    Row(section="5.5.1", name="Close inside a message", sent=ONE + close() + TWO, code=1000),
    Row(section="5.5.1", name="Close without a code", sent=close(None), code=0),
    Row(section="5.5.1", name="Close of one byte", sent=frame(CLOSE, b"\x03"), code=1002),
    Row(section="5.5.1", name="Close with a reason", sent=close(1000, b"bye"), code=1000),
    Row(section="5.5.1", name="Close with the longest reason", sent=close(1000, b"x" * 123), code=1000),
    Row(section="5.5", name="Close with a reason too long", sent=close(1000, b"x" * 124), code=1002),
    Row(section="5.5.1", name="a reason that is no text", sent=close(1000, b"\xce\xba\xe1\xbd\xed\xa0\x80"), code=1007),
    Row(section="5.5.1", name="a reason that is cut", sent=close(1000, b"\xe2\x82"), code=1007),
)


def _codes() -> Iterator[Row]:
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Row(section="7.4", name=f"code {code}", sent=close(code), code=code)
        yield Row(section="7.4", name=f"code {code} with a reason", sent=close(code, b"bye"), code=code)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield Row(section="7.4", name=f"code {code}", sent=close(code), code=1002)


MASKS = (
    Row(section="5.1", name="a frame without a mask", sent=frame(TEXT, b"x", masked=False), code=1002),
    Row(
        section="5.1",
        name="a message, then a frame without a mask",
        sent=text("x") + frame(PING, b"", masked=False),
        told=((TEXT, b"x"),),
        code=1002,
    ),
    Row(section="5.2", name="a 16-bit length of 5", sent=b"\x81\xfe\0\x05\0\0\0\0hello", code=1002),
    Row(
        section="5.2",
        name="a 64-bit length of 5",
        sent=b"\x81\xff" + struct.pack("!Q", 5) + b"\0\0\0\0hello",
        code=1002,
    ),
    Row(section="5.2", name="a length with its first bit", sent=b"\x82\xff" + struct.pack("!Q", 1 << 63), code=1002),
)

LIMITS = (
    Row(
        section="10.4",
        name="the longest message",
        sent=frame(BINARY, bytes(MESSAGE_LIMIT)),
        told=((BINARY, bytes(MESSAGE_LIMIT)),),
    ),
    Row(
        section="10.4",
        name="the longest message in fragments of 1 KiB",
        sent=b"".join(fragments(TEXT, b"y" * MESSAGE_LIMIT, MESSAGE_LIMIT // 1024)),
        told=((TEXT, b"y" * MESSAGE_LIMIT),),
    ),
    Row(
        section="10.4",
        name="one byte too many, refused by its header",
        sent=frame(BINARY, b"", length=MESSAGE_LIMIT + 1),
        code=1009,
    ),
    Row(section="10.4", name="2^40 bytes, refused by their header", sent=frame(TEXT, b"", length=1 << 40), code=1009),
    Row(
        section="10.4",
        name="fragments that grow too long together",
        sent=frame(BINARY, bytes(MESSAGE_LIMIT), fin=False) + frame(CONTINUATION, b"", fin=False, length=1),
        code=1009,
    ),
    Row(
        section="10.4",
        name="a message, then one too long",
        sent=text("x") + frame(BINARY, b"", length=MESSAGE_LIMIT + 1),
        told=((TEXT, b"x"),),
        code=1009,
    ),
    Row(
        section="10.4",
        name="the limit is of each message",
        sent=frame(BINARY, bytes(MESSAGE_LIMIT // 2)) * 3,
        told=((BINARY, bytes(MESSAGE_LIMIT // 2)),) * 3,
    ),
)

ROWS: tuple[Row, ...] = (
    *_sizes(),
    *PINGS,
    *_reserved(),
    *FRAGMENTS,
    *_texts(),
    *FAIL_FAST,
    *CLOSES,
    *_codes(),
    *MASKS,
    *LIMITS,
)
