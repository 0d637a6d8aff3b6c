"""Good, odd and broken HTTP/2, row by row: the frames that are sent, and exactly what must come back.

Each row is frames on a fresh connection, after the client's preface, and what
the server says to them: answers by stream, RST_STREAM and GOAWAY with their
codes, PING answers.  A row without GOAWAY leaves the connection usable, which
whoever plays it checks with one more request.  Sections are of RFC 9113, `H`
ones of RFC 7541 (HPACK), `W` ones of RFC 8441.

Where RFC 9113 asks for a stream error and a row expects GOAWAY, that is h2's
way and allowed: section 5.4.1 lets a peer treat any stream error as one of the
connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from tests.protocol.frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    LARGEST_FRAME,
    NO_ERROR,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    START,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Pair,
    block,
    data,
    frame,
    get,
    headers,
    post,
    pseudo,
    reset,
    setting,
    window,
)

GOOD = get()


@frozen(kw_only=True)
class Row:
    """What is `sent`, and all that comes back.

    `answers` are statuses and `bodies` bodies by stream, `resets` the codes of
    RST_STREAM by stream, `pongs` the payloads of PING answers, `goaway` the
    code of GOAWAY (None: none, and the connection goes on).  `bare` rows bring
    their own preface.
    """

    section: str
    name: str
    sent: bytes
    answers: Mapping[int, int] = field(factory=dict)
    bodies: Mapping[int, bytes] = field(factory=dict)
    resets: Mapping[int, int] = field(factory=dict)
    pongs: tuple[bytes, ...] = ()
    goaway: int | None = None
    bare: bool = False

    @property
    def title(self) -> str:
        """What a report calls it."""
        return f"{self.section} {self.name}"


def _broken(section: str, name: str, sent: bytes, code: int = PROTOCOL_ERROR) -> Row:
    """A row whose only answer is GOAWAY."""
    return Row(section=section, name=name, sent=sent, goaway=code)


def _malformed(name: str, *fields: Pair, section: str = "8.3.1") -> Row:
    """A request that is a stream error of type PROTOCOL_ERROR."""
    return Row(section=section, name=name, sent=headers(1, *fields), resets={1: PROTOCOL_ERROR})


def _answered(section: str, name: str, sent: bytes, *statuses: int) -> Row:
    """A row with answers on streams 1, 3, 5 …, in order."""
    return Row(section=section, name=name, sent=sent, answers={2 * n + 1: s for n, s in enumerate(statuses)})


METHOD, SCHEME, AUTHORITY, PATH = pseudo()
STATUS = (b":status", b"200")
POST = pseudo(b"POST")

GENERIC = (
    _answered("3", "a request", GOOD, 200),
    _answered("3", "several requests at once", get(1) + get(3) + get(5), 200, 200, 200),
    _answered("3", "HEAD has no body", get(method=b"HEAD"), 200),
    _answered("3", "OPTIONS *", get(method=b"OPTIONS", path=b"*"), 200),
    Row(section="3", name="a body", sent=post() + data(1, b"four"), answers={1: 200}, bodies={1: b"four"}),
    Row(
        section="3",
        name="a body in pieces",
        sent=post() + data(1, b"fo", end=False) + data(1, b"ur", end=False) + data(1),
        answers={1: 200},
        bodies={1: b"four"},
    ),
    Row(
        section="3",
        name="a padded body",
        sent=post() + frame(DATA, END_STREAM | PADDED, 1, b"\x05four\0\0\0\0\0"),
        answers={1: 200},
        bodies={1: b"four"},
    ),
    Row(
        section="8.1",
        name="trailers",
        sent=post() + data(1, b"four", end=False) + headers(1, (b"x-sum", b"1")),
        answers={1: 200},
        bodies={1: b"four"},
    ),
    _answered("6.2", "padded HEADERS", frame(HEADERS, 0xD, 1, b"\x03" + block(*pseudo()) + b"\0\0\0"), 200),
    _answered("6.2", "HEADERS with priority", frame(HEADERS, 0x25, 1, b"\0\0\0\0\x10" + block(*pseudo())), 200),
    _answered("6.3", "PRIORITY, then the request", frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") + GOOD, 200),
    _answered("8.2.3", "cookie crumbs", get(1, (b"cookie", b"a=1"), (b"cookie", b"b=2")), 200),
)

PREFACES = (
    Row(
        section="3.4",
        name="a preface that goes wrong after its sniffed part",
        sent=PREFACE[:16] + b"\r\nXX\r\n\r\n" + setting(),
        goaway=PROTOCOL_ERROR,
        bare=True,
    ),
    Row(
        section="3.4",
        name="a preface without SETTINGS",
        sent=PREFACE + GOOD,
        goaway=PROTOCOL_ERROR,
        bare=True,
    ),
    Row(
        section="3.4",
        name="an acknowledgement is no preface",
        sent=PREFACE + frame(SETTINGS, ACK, 0) + GOOD,
        goaway=PROTOCOL_ERROR,
        bare=True,
    ),
    Row(
        section="3.4",
        name="requests do not wait for the server's SETTINGS",
        sent=START + GOOD,
        answers={1: 200},
        bare=True,
    ),
)

FRAMES = (
    _answered("4.1", "a frame of an unknown type", frame(0x42, 0xFF, 0, b"what") + GOOD, 200),
    _answered("4.1", "a frame of RFC 7838 that is malformed", frame(0x0A, 0, 0, b"\xff\xff") + GOOD, 200),
    _answered("4.1", "an unknown frame on a stream", frame(0xFF, 0, 1, b"what") + GOOD, 200),
    Row(
        section="4.1",
        name="undefined flags",
        sent=frame(PING, 0x16, 0, b"flagged!"),
        pongs=(b"flagged!",),
    ),
    Row(
        section="4.1",
        name="the reserved bit",
        sent=frame(PING, 0, 0x80000000, b"reserved"),
        pongs=(b"reserved",),
    ),
    Row(
        section="4.2",
        name="the largest frame",
        sent=post() + data(1, b"a" * LARGEST_FRAME),
        answers={1: 200},
        bodies={1: b"a" * LARGEST_FRAME},
    ),
    _broken("4.2", "DATA too large", post() + data(1, b"a" * (LARGEST_FRAME + 1)), FRAME_SIZE_ERROR),
    _broken(
        "4.2", "HEADERS too large", frame(HEADERS, 5, 1, block(*pseudo()) + b"a" * LARGEST_FRAME), FRAME_SIZE_ERROR
    ),
    _broken("4.2", "SETTINGS too large", frame(SETTINGS, 0, 0, bytes(LARGEST_FRAME + 2)), FRAME_SIZE_ERROR),
    _broken("4.2", "an unknown frame too large", frame(0x42, 0, 0, bytes(LARGEST_FRAME + 1)), FRAME_SIZE_ERROR),
    _broken("4.2", "16 MiB announced", frame(DATA, 0, 1, b"", length=0xFFFFFF), FRAME_SIZE_ERROR),
    _broken("4.3", "a block of nonsense", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff"), COMPRESSION_ERROR),
    _broken("4.3", "PRIORITY inside a block", headers(1, *pseudo(), flags=1) + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
    _broken("4.3", "another stream inside a block", headers(1, *pseudo(), flags=1) + get(3)),
    _broken("4.3", "PING inside a block", headers(1, *pseudo(), flags=1) + frame(PING, 0, 0, b"12345678")),
)

LATE = get(path=b"/late")

STREAMS = (
    _broken("5.1", "DATA on an idle stream", data(1, b"x")),
    _broken("5.1", "RST_STREAM on an idle stream", reset(1)),
    _broken("5.1", "WINDOW_UPDATE on an idle stream", window(1, 100)),
    _broken("5.1", "CONTINUATION on an idle stream", frame(CONTINUATION, END_HEADERS, 1, block(*pseudo()))),
    Row(
        section="5.1",
        name="DATA after RST_STREAM",
        sent=post() + reset(1) + data(1, b"x"),
        resets={1: STREAM_CLOSED},
    ),
    Row(
        section="5.1",
        name="HEADERS after RST_STREAM",
        sent=post() + reset(1) + get(1),
        resets={1: STREAM_CLOSED},
    ),
    _broken("5.1", "CONTINUATION after RST_STREAM", post() + reset(1) + frame(CONTINUATION, 4, 1, b""), PROTOCOL_ERROR),
    Row(
        section="5.1",
        name="DATA on a half-closed stream",
        sent=LATE + data(1, b"x"),
        resets={1: STREAM_CLOSED},
    ),
    Row(section="5.1", name="HEADERS on a half-closed stream", sent=LATE + get(1), resets={1: STREAM_CLOSED}),
    _broken("5.1", "CONTINUATION on a half-closed stream", LATE + frame(CONTINUATION, END_HEADERS, 1, b"")),
    Row(section="5.1", name="WINDOW_UPDATE on a half-closed stream", sent=LATE + window(1, 10)),
    Row(section="5.1", name="PRIORITY on a half-closed stream", sent=LATE + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
    Row(section="5.1", name="RST_STREAM on a half-closed stream", sent=LATE + reset(1)),
    Row(
        section="5.1",
        name="DATA on a stream that has ended",
        sent=get(1) + data(1, b"x"),
        answers={1: 200},
        resets={1: STREAM_CLOSED},
    ),
    Row(
        section="5.1",
        name="HEADERS on a stream that has ended",
        sent=get(1) + get(1),
        answers={1: 200},
        goaway=STREAM_CLOSED,
    ),
    Row(
        section="5.1",
        name="RST_STREAM on a stream that has ended",
        sent=get(1) + reset(1),
        answers={1: 200},
    ),
    Row(
        section="5.1",
        name="WINDOW_UPDATE on a stream that has ended",
        sent=get(1) + window(1, 10),
        answers={1: 200},
    ),
    Row(
        section="5.1",
        name="PRIORITY on a stream that has ended",
        sent=get(1) + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        answers={1: 200},
    ),
    _broken("5.1.1", "an even stream", get(2)),
    Row(
        section="5.1.1",
        name="a stream older than the newest",
        sent=get(5) + get(3),
        answers={5: 200},
        goaway=PROTOCOL_ERROR,
    ),
    _broken("5.1.1", "HEADERS on stream 0", get(0)),
    Row(
        section="5.1.2",
        name="one stream too many, and room again",
        sent=b"".join(get(2 * n + 1, path=b"/late") for n in range(101)) + reset(1) + get(203),
        answers={203: 200},
        resets={201: REFUSED_STREAM},
    ),
    _broken("5.3.1", "HEADERS that depend on themselves", frame(HEADERS, 0x25, 1, b"\0\0\0\1\x10" + block(*pseudo()))),
    _broken("5.3.1", "PRIORITY that depends on itself", frame(PRIORITY, 0, 1, b"\0\0\0\1\x10")),
    Row(
        section="5.4.1",
        name="nothing is read after an error",
        sent=data(1, b"x") + get(3),
        goaway=PROTOCOL_ERROR,
    ),
    _broken("5.5", "an unknown frame inside a block", headers(1, *pseudo(), flags=1) + frame(0x42, 0, 1, b"what")),
)

KINDS = (
    _broken("6.1", "DATA on stream 0", data(0, b"x")),
    _broken("6.1", "DATA with more padding than frame", post() + frame(DATA, 9, 1, b"\x05four")),
    _broken("6.1", "DATA without its pad length", post() + frame(DATA, 9, 1), FRAME_SIZE_ERROR),
    _broken("6.2", "HEADERS with more padding than frame", frame(HEADERS, 0xD, 1, b"\xf0" + block(*pseudo()))),
    _broken("6.2", "HEADERS without their priority", frame(HEADERS, 0x25, 1, b"\0\0"), FRAME_SIZE_ERROR),
    _broken("6.3", "PRIORITY on stream 0", frame(PRIORITY, 0, 0, b"\0\0\0\0\x10")),
    _broken("6.3", "PRIORITY too short", frame(PRIORITY, 0, 1, b"\0\0\0\0"), FRAME_SIZE_ERROR),
    _broken("6.3", "PRIORITY too long", frame(PRIORITY, 0, 1, b"\0\0\0\0\x10\0"), FRAME_SIZE_ERROR),
    _broken("6.4", "RST_STREAM on stream 0", reset(0)),
    _broken("6.4", "RST_STREAM too short", post() + frame(RST_STREAM, 0, 1, b"\0\0\0"), FRAME_SIZE_ERROR),
    _broken("6.4", "RST_STREAM too long", post() + frame(RST_STREAM, 0, 1, b"\0\0\0\0\0"), FRAME_SIZE_ERROR),
    _broken("6.5", "an acknowledgement with payload", frame(SETTINGS, ACK, 0, b"\0\0\0\0\0\0"), FRAME_SIZE_ERROR),
    _broken("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1, b"\0\3\0\0\0\x64")),
    _broken("6.5", "SETTINGS of odd length", frame(SETTINGS, 0, 0, b"\0\3\0\0\0"), FRAME_SIZE_ERROR),
    _broken("6.5.2", "ENABLE_PUSH of 2", setting((2, 2))),
    _broken("6.5.2", "INITIAL_WINDOW_SIZE too large", setting((4, 1 << 31)), FLOW_CONTROL_ERROR),
    _broken("6.5.2", "MAX_FRAME_SIZE too small", setting((5, LARGEST_FRAME - 1))),
    _broken("6.5.2", "MAX_FRAME_SIZE too large", setting((5, 1 << 24))),
    _answered("6.5.2", "an unknown setting", setting((0xFF, 1)) + GOOD, 200),
    _answered("6.5.2", "MAX_FRAME_SIZE at its bounds", setting((5, (1 << 24) - 1)) + GOOD, 200),
    _answered("6.5.2", "HEADER_TABLE_SIZE of 0", setting((1, 0)) + GOOD + get(3), 200, 200),
    _answered("6.5.2", "HEADER_TABLE_SIZE of 4 GiB", setting((1, 0xFFFFFFFF)) + GOOD, 200),
    _broken("6.6", "PUSH_PROMISE from a client", post() + frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2" + block(*pseudo()))),
    Row(section="6.7", name="PING", sent=frame(PING, 0, 0, b"12345678"), pongs=(b"12345678",)),
    Row(section="6.7", name="an answer to no PING", sent=frame(PING, ACK, 0, b"12345678")),
    _broken("6.7", "PING on a stream", frame(PING, 0, 1, b"12345678")),
    _broken("6.7", "PING too short", frame(PING, 0, 0, b"123456"), FRAME_SIZE_ERROR),
    _broken("6.7", "PING too long", frame(PING, 0, 0, b"123456789"), FRAME_SIZE_ERROR),
    _broken("6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8))),
    _broken("6.8", "GOAWAY too short", frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    _broken("6.9", "WINDOW_UPDATE of 0 on the connection", window(0, 0)),
    _broken("6.9", "WINDOW_UPDATE of 0 on a stream", post() + window(1, 0)),
    _broken("6.9", "WINDOW_UPDATE too short", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), FRAME_SIZE_ERROR),
    _broken("6.9.1", "a window of the connection too large", window(0, 0x7FFFFFFF), FLOW_CONTROL_ERROR),
    Row(
        section="6.9.1",
        name="a window of a stream too large",
        sent=post() + window(1, 0x7FFFFFFF),
        resets={1: FLOW_CONTROL_ERROR},
    ),
    _broken("6.9.2", "a window too large by SETTINGS", post() + window(1, 1 << 30) + setting((4, 0x7FFFFFFF)), 3),
    _answered(
        "6.10",
        "a block in three frames",
        frame(HEADERS, END_STREAM, 1, block(METHOD, SCHEME))
        + frame(CONTINUATION, 0, 1, block(AUTHORITY))
        + frame(CONTINUATION, END_HEADERS, 1, block(PATH)),
        200,
    ),
    _answered(
        "6.10",
        "a field cut in two",
        frame(HEADERS, END_STREAM, 1, block(*pseudo())[:30])
        + frame(CONTINUATION, END_HEADERS, 1, block(*pseudo())[30:]),
        200,
    ),
    _broken("6.10", "CONTINUATION after the end of a block", post() + frame(CONTINUATION, END_HEADERS, 1, b"")),
    _broken("6.10", "CONTINUATION on stream 0", headers(1, *pseudo(), flags=1) + frame(CONTINUATION, 4, 0, b"")),
    _broken("6.10", "CONTINUATION after DATA", post() + data(1, b"x", end=False) + frame(CONTINUATION, 4, 1, b"")),
    Row(section="7", name="RST_STREAM with an unknown code", sent=post() + reset(1, 0xFF) + get(3), answers={3: 200}),
)

MESSAGES = (
    Row(
        section="8.1",
        name="a second HEADERS that ends nothing",
        sent=post() + headers(1, (b"x", b"y"), flags=END_HEADERS),
        goaway=PROTOCOL_ERROR,
    ),
    Row(
        section="8.1",
        name="trailers with a pseudo-field",
        sent=post() + data(1, b"x", end=False) + headers(1, METHOD),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.2.1",
        name="trailers with an upper-case name",
        sent=post() + data(1, b"x", end=False) + headers(1, (b"X-Sum", b"1")),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.2.2",
        name="trailers with Connection",
        sent=post() + data(1, b"x", end=False) + headers(1, (b"connection", b"close")),
        resets={1: PROTOCOL_ERROR},
    ),
    _malformed("an upper-case name", *pseudo(), (b"X-Test", b"a"), section="8.2.1"),
    _malformed("a name with a blank", *pseudo(), (b"x test", b"a"), section="8.2.1"),
    _malformed("an empty name", *pseudo(), (b"", b"a"), section="8.2.1"),
    _malformed("a colon inside a name", *pseudo(), (b"x:y", b"a"), section="8.2.1"),
    _malformed("NUL in a value", *pseudo(), (b"x", b"a\0b"), section="8.2.1"),
    _malformed("CR in a value", *pseudo(), (b"x", b"a\rb"), section="8.2.1"),
    _malformed("LF in a value", *pseudo(), (b"x", b"a\nb"), section="8.2.1"),
    _malformed("a value that starts with a blank", *pseudo(), (b"x", b" a"), section="8.2.1"),
    _malformed("a value that ends with a tab", *pseudo(), (b"x", b"a\t"), section="8.2.1"),
    _malformed("Connection", *pseudo(), (b"connection", b"keep-alive"), section="8.2.2"),
    _malformed("Keep-Alive", *pseudo(), (b"keep-alive", b"timeout=5"), section="8.2.2"),
    _malformed("Proxy-Connection", *pseudo(), (b"proxy-connection", b"close"), section="8.2.2"),
    _malformed("Transfer-Encoding", *pseudo(), (b"transfer-encoding", b"chunked"), section="8.2.2"),
    _malformed("Upgrade", *pseudo(), (b"upgrade", b"websocket"), section="8.2.2"),
    _malformed("TE of anything but trailers", *pseudo(), (b"te", b"trailers, deflate"), section="8.2.2"),
    _answered("8.2.2", "TE: trailers", get(1, (b"te", b"trailers")), 200),
    _malformed("an unknown pseudo-field", *pseudo(), (b":test", b"a"), section="8.3"),
    _malformed("a pseudo-field of responses", *pseudo(), STATUS, section="8.3"),
    _malformed("a pseudo-field after a field", METHOD, SCHEME, AUTHORITY, (b"x", b"y"), PATH, section="8.3"),
    _malformed("an empty :path", METHOD, SCHEME, AUTHORITY, (b":path", b"")),
    _malformed("no :method", SCHEME, AUTHORITY, PATH),
    _malformed("no :scheme", METHOD, AUTHORITY, PATH),
    _malformed("no :path", METHOD, SCHEME, AUTHORITY),
    _malformed("two :method", METHOD, *pseudo()),
    _malformed("two :scheme", SCHEME, *pseudo()),
    _malformed("two :path", PATH, *pseudo()),
    _malformed("two :authority", AUTHORITY, *pseudo()),
    _malformed("a method that is no token", *pseudo(b"G(T")),
    _answered("8.3.1", "neither :authority nor Host", headers(1, METHOD, SCHEME, PATH), 400),
    _answered("8.3.1", "Host instead of :authority", headers(1, METHOD, SCHEME, PATH, (b"host", b"localhost")), 200),
    _answered("8.3.1", "Host and :authority agree", get(1, (b"host", b"LOCALHOST")), 200),
    _answered("8.3.1", "Host and :authority differ", get(1, (b"host", b"other.example")), 400),
    _answered("8.3.1", "an :authority with userinfo", headers(1, METHOD, SCHEME, PATH, (b":authority", b"a@b")), 400),
    _answered("8.3.1", "a :path without a slash", get(path=b"api/livez"), 400),
    _answered("8.3.1", "a :path with a fragment", get(path=b"/api/livez#x"), 400),
    _answered("8.3.1", "a :path in raw UTF-8", get(path="/é".encode()), 400),
    _answered("8.3.1", "GET *", get(path=b"*"), 400),
    _answered("8.3.1", "an unknown method", get(method=b"BREW"), 405),
    Row(
        section="8.1.1",
        name="more body than announced",
        sent=post(1, (b"content-length", b"1")) + data(1, b"four"),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="more body than announced, in pieces",
        sent=post(1, (b"content-length", b"3")) + data(1, b"fo", end=False) + data(1, b"ur", end=False),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="less body than announced",
        sent=post(1, (b"content-length", b"9")) + data(1, b"four"),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="less body than announced, in pieces",
        sent=post(1, (b"content-length", b"9")) + data(1, b"fo", end=False) + data(1, b"ur"),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="less body than announced, then trailers",
        sent=post(1, (b"content-length", b"9")) + data(1, b"four", end=False) + headers(1, (b"x-sum", b"1")),
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="as much body as announced, padding apart",
        sent=post(1, (b"content-length", b"4")) + frame(DATA, END_STREAM | PADDED, 1, b"\x05four\0\0\0\0\0"),
        answers={1: 200},
        bodies={1: b"four"},
    ),
    Row(
        section="8.1.1",
        name="one length said twice",
        sent=post(1, (b"content-length", b"4"), (b"content-length", b"4")) + data(1, b"four"),
        answers={1: 200},
        bodies={1: b"four"},
    ),
    Row(
        section="8.1.1",
        name="a length beside a stream that goes on",
        sent=post(1, (b"content-length", b"9"))
        + data(1, b"four")
        + post(3, (b"content-length", b"4"))
        + data(3, b"four"),
        answers={3: 200},
        bodies={3: b"four"},
        resets={1: PROTOCOL_ERROR},
    ),
    Row(
        section="8.1.1",
        name="a body that is announced and does not come",
        sent=get(1, (b"content-length", b"4")),
        resets={1: PROTOCOL_ERROR},
    ),
    _malformed("two lengths that differ", *POST, (b"content-length", b"0"), (b"content-length", b"1"), section="8.1.1"),
    _malformed("a length that is no number", *POST, (b"content-length", b"+1"), section="8.1.1"),
    _malformed("an empty length", *POST, (b"content-length", b""), section="8.1.1"),
    _malformed("a length in upper case", *POST, (b"Content-Length", b"0"), section="8.2.1"),
    _answered("8.5", "CONNECT", headers(1, (b":method", b"CONNECT"), (b":authority", b"localhost:443")), 405),
    _malformed("CONNECT with a path", (b":method", b"CONNECT"), AUTHORITY, PATH, section="8.5"),
    _malformed("CONNECT without an authority", (b":method", b"CONNECT"), section="8.5"),
    _answered("8.6", "an unknown expectation", get(1, (b"expect", b"200-maybe")), 417),
)

HPACK = (
    _broken("H2.3.3", "an index beyond both tables", frame(HEADERS, 5, 1, b"\xff\x00"), COMPRESSION_ERROR),
    _broken("H2.3.3", "a name index beyond both tables", frame(HEADERS, 5, 1, b"\x7f\x40\x01a"), COMPRESSION_ERROR),
    _broken("H4.2", "a table size at the end", frame(HEADERS, 5, 1, block(*pseudo()) + b"\x20"), COMPRESSION_ERROR),
    _broken("H5.1", "an integer without end", frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 30), COMPRESSION_ERROR),
    _broken("H5.2", "EOS inside a string", frame(HEADERS, 5, 1, b"\x00\x01x\x84\xff\xff\xff\xff"), COMPRESSION_ERROR),
    _broken("H5.2", "padding of 8 bits", frame(HEADERS, 5, 1, b"\x00\x01x\x82\x1f\xff"), COMPRESSION_ERROR),
    _broken("H5.2", "padding that is not EOS", frame(HEADERS, 5, 1, b"\x00\x01x\x81\x18"), COMPRESSION_ERROR),
    _broken("H5.2", "a string longer than the block", frame(HEADERS, 5, 1, b"\x00\x01x\x7e"), COMPRESSION_ERROR),
    _broken("H6.1", "index 0", frame(HEADERS, 5, 1, b"\x80"), COMPRESSION_ERROR),
    _broken("H6.3", "a table larger than ours", frame(HEADERS, 5, 1, b"\x3f\xe2\x1f"), COMPRESSION_ERROR),
    _answered("H6.3", "a table of size 0", frame(HEADERS, 5, 1, b"\x20" + block(*pseudo())), 200),
    _answered(
        "H6.2.1",
        "the same request from the table",
        frame(HEADERS, 5, 1, b"\x82\x86\x41\x09localhost\x44\x0a/api/livez")
        + frame(HEADERS, 5, 3, b"\x82\x86\xbf\xbe"),
        200,
        200,
    ),
)

CONNECT = (b":method", b"CONNECT")
PROTOCOL = (b":protocol", b"websocket")
VERSION = (b"sec-websocket-version", b"13")
OPENING = (CONNECT, PROTOCOL, SCHEME, (b":path", b"/chat"), AUTHORITY)

EXTENDED_CONNECT = (
    Row(
        section="W5",
        name="an opening",
        sent=headers(1, *OPENING, VERSION, flags=END_HEADERS),
        answers={1: 200},
        bodies={1: b""},
    ),
    Row(
        section="W5",
        name="a message and its echo",
        sent=headers(1, *OPENING, VERSION, flags=END_HEADERS) + data(1, b"\x81\x82\0\0\0\0hi", end=False),
        answers={1: 200},
        bodies={1: b"\x81\x02hi"},
    ),
    Row(
        section="W5",
        name="a message in two DATA frames",
        sent=headers(1, *OPENING, VERSION, flags=END_HEADERS)
        + data(1, b"\x81\x82\0\0\0", end=False)
        + data(1, b"\0hi", end=False),
        answers={1: 200},
        bodies={1: b"\x81\x02hi"},
    ),
    Row(
        section="W5",
        name="another version",
        sent=headers(1, *OPENING, (b"sec-websocket-version", b"8"), flags=END_HEADERS),
        answers={1: 400},
        resets={1: NO_ERROR},
    ),
    Row(
        section="W5",
        name="no version",
        sent=headers(1, *OPENING, flags=END_HEADERS),
        answers={1: 400},
        resets={1: NO_ERROR},
    ),
    _malformed(":protocol without CONNECT", *pseudo(), PROTOCOL, section="W4"),
    _malformed(":protocol without a path", CONNECT, PROTOCOL, SCHEME, AUTHORITY, section="W4"),
    _malformed(":protocol without a scheme", CONNECT, PROTOCOL, PATH, AUTHORITY, section="W4"),
    _broken("W3", "ENABLE_CONNECT_PROTOCOL of 2", setting((8, 2))),
)

ROWS: tuple[Row, ...] = (
    *GENERIC,
    *PREFACES,
    *FRAMES,
    *STREAMS,
    *KINDS,
    *MESSAGES,
    *HPACK,
    *EXTENDED_CONNECT,
)
