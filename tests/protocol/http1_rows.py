"""Malformed and odd HTTP/1.1, row by row: what is sent, and what must come back.

Each row is bytes on a fresh connection and the statuses of the answers in
order; `closes` says whether the connection must end afterwards.  The rows hold
for the core and for both transports.  Reasons are RFC 9112 and RFC 9110.
"""

from __future__ import annotations

from attrs import frozen

HOST = b"Host: localhost\r\n"


@frozen
class Row:
    """`sends` (bytes), the `statuses` of all answers, whether the connection `closes`, the last body's `text`."""

    name: str
    sends: bytes
    statuses: tuple[int, ...]
    closes: bool
    text: str | None = None


def get(
    target: bytes = b"/api/livez", fields: bytes = HOST, version: bytes = b"HTTP/1.1", method: bytes = b"GET"
) -> bytes:
    return method + b" " + target + b" " + version + b"\r\n" + fields + b"\r\n"


def chunked(body: bytes, more: bytes = b"") -> bytes:
    return get(b"/echo", HOST + b"Transfer-Encoding: chunked\r\n" + more, method=b"POST") + body


BAD = "bad request"

ROWS: tuple[Row, ...] = (
    Row("plain", get(), (200,), False),
    Row("empty lines before the request line", b"\r\n\r\n" + get(), (200,), False),
    Row(
        "empty line after a body",
        get(b"/echo", HOST + b"Content-Length: 1\r\n", method=b"POST") + b"x\r\n" + get(),
        (200, 200),
        False,
    ),
    Row("endless empty lines", b"\r\n" * 50, (400,), True, BAD),
    Row("bare LF line ends", get().replace(b"\r\n", b"\n"), (400,), True, BAD),
    Row("bare LF in one field", get(fields=HOST + b"A: b\nC: d\r\n"), (400,), True, BAD),
    Row("bare CR in a field", get(fields=HOST + b"A: b\rc\r\n"), (400,), True, BAD),
    Row("NUL in a field", get(fields=HOST + b"A: b\0c\r\n"), (400,), True, BAD),
    Row("control character in a field", get(fields=HOST + b"A: b\x07c\r\n"), (400,), True, BAD),
    Row("DEL in a field", get(fields=HOST + b"A: b\x7fc\r\n"), (400,), True, BAD),
    Row("tab in a field value", get(fields=HOST + b"A: b\tc\r\n"), (200,), False),
    Row("folded line", get(fields=HOST + b"A: b\r\n c\r\n"), (400,), True, BAD),
    Row("folded line with a tab", get(fields=HOST + b"A: b\r\n\tc\r\n"), (400,), True, BAD),
    Row("blank before the colon", get(fields=HOST + b"A : b\r\n"), (400,), True, BAD),
    Row("empty field name", get(fields=HOST + b": b\r\n"), (400,), True, BAD),
    Row("no colon", get(fields=HOST + b"nonsense\r\n"), (400,), True, BAD),
    Row(
        "two framings",
        get(b"/echo", HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", method=b"POST")
        + b"0\r\n\r\n"
        + get(),
        (400,),
        True,
        BAD,
    ),
    Row(
        "two lengths that agree",
        get(b"/echo", HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n", method=b"POST") + b"x",
        (400,),
        True,
        BAD,
    ),
    Row(
        "a list of lengths", get(b"/echo", HOST + b"Content-Length: 1, 1\r\n", method=b"POST") + b"x", (400,), True, BAD
    ),
    Row(
        "two lengths that differ",
        get(b"/echo", HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n", method=b"POST") + b"xy",
        (400,),
        True,
        BAD,
    ),
    Row("signed length", get(b"/echo", HOST + b"Content-Length: +1\r\n", method=b"POST") + b"x", (400,), True, BAD),
    Row("negative length", get(b"/echo", HOST + b"Content-Length: -1\r\n", method=b"POST"), (400,), True, BAD),
    Row(
        "hexadecimal length", get(b"/echo", HOST + b"Content-Length: 0x1\r\n", method=b"POST") + b"x", (400,), True, BAD
    ),
    Row(
        "endless length",
        get(b"/echo", HOST + b"Content-Length: " + b"9" * 40 + b"\r\n", method=b"POST"),
        (400,),
        True,
        BAD,
    ),
    Row("empty length", get(b"/echo", HOST + b"Content-Length:\r\n", method=b"POST"), (400,), True, BAD),
    Row("HTTP/9.9", get(version=b"HTTP/9.9"), (505,), True, "http version not supported"),
    Row("HTTP/2.0 in a request line", get(version=b"HTTP/2.0"), (505,), True),
    Row("HTTP/1.2", get(version=b"HTTP/1.2"), (505,), True),
    Row("no version", b"GET /api/livez\r\n" + HOST + b"\r\n", (400,), True, BAD),
    Row("lower-case protocol", get(version=b"http/1.1"), (400,), True, BAD),
    Row("two spaces", get(b" /api/livez"), (400,), True, BAD),
    Row("no Host", get(fields=b""), (400,), True, BAD),
    Row("two Host lines", get(fields=HOST + HOST), (400,), True, BAD),
    Row("HTTP/1.0 without Host", get(fields=b"", version=b"HTTP/1.0"), (200,), True),
    Row("Host with userinfo", get(fields=b"Host: user@localhost\r\n"), (400,), True, "no host available"),
    Row("Host with a path", get(fields=b"Host: localhost/x\r\n"), (400,), True, "no host available"),
    Row("Host as a list", get(fields=b"Host: a, b\r\n"), (400,), True, "no host available"),
    Row("empty Host", get(fields=b"Host:\r\n"), (400,), True, "no host available"),
    Row("Host with a port out of range", get(fields=b"Host: localhost:99999\r\n"), (400,), True, "no host available"),
    Row("foreign Host", get(fields=b"Host: evil.example\r\n"), (421,), False, "misdirected request"),
    Row("GET *", get(b"*"), (400,), True, BAD),
    Row("OPTIONS *", get(b"*", method=b"OPTIONS"), (200,), False),
    Row("CONNECT", get(b"localhost:443", method=b"CONNECT"), (405,), True),
    Row("CONNECT of a path", get(method=b"CONNECT"), (405,), True, ""),
    Row("CONNECT of a URL", get(b"http://localhost/api/livez", method=b"CONNECT"), (405,), True),
    Row("absolute form", get(b"http://localhost/api/livez"), (200,), False),
    Row("absolute form with a query", get(b"http://localhost/api/livez?a=b"), (200,), False),
    Row("absolute form without a path", get(b"http://localhost"), (200,), False),
    Row("absolute form of another host", get(b"http://other.example/api/livez"), (400,), True, BAD),
    Row("absolute form of another scheme", get(b"ftp://localhost/api/livez"), (400,), True, BAD),
    Row("no slash", get(b"api/livez"), (400,), True, BAD),
    Row("fragment in the target", get(b"/api/livez#x"), (400,), True, BAD),
    Row("raw UTF-8 in the target", get("/é".encode()), (400,), True, BAD),
    Row(
        "coding before chunked",
        get(b"/echo", HOST + b"Transfer-Encoding: deflate, chunked\r\n", method=b"POST"),
        (501,),
        True,
    ),
    Row(
        "codings on two lines",
        get(b"/echo", HOST + b"Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n", method=b"POST"),
        (501,),
        True,
    ),
    Row(
        "chunked is not last",
        get(b"/echo", HOST + b"Transfer-Encoding: chunked, gzip\r\n", method=b"POST"),
        (400,),
        True,
        BAD,
    ),
    Row("no chunked at all", get(b"/echo", HOST + b"Transfer-Encoding: gzip\r\n", method=b"POST"), (400,), True, BAD),
    Row("empty coding", get(b"/echo", HOST + b"Transfer-Encoding:\r\n", method=b"POST"), (400,), True, BAD),
    Row(
        "chunked twice",
        get(b"/echo", HOST + b"Transfer-Encoding: chunked, chunked\r\n", method=b"POST"),
        (400,),
        True,
        BAD,
    ),
    Row(
        "chunked on two lines",
        get(b"/echo", HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", method=b"POST"),
        (400,),
        True,
        BAD,
    ),
    Row(
        "chunked in HTTP/1.0",
        get(b"/echo", HOST + b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0", b"POST") + b"0\r\n\r\n",
        (400,),
        True,
        BAD,
    ),
    Row(
        "blank before the colon of a coding",
        get(b"/echo", HOST + b"Transfer-Encoding : chunked\r\n", method=b"POST"),
        (400,),
        True,
        BAD,
    ),
    Row("good chunks", chunked(b"2\r\nab\r\n3;name=value\r\ncde\r\n0\r\n\r\n"), (200,), False, "abcde"),
    Row("quoted chunk extension", chunked(b'1;a="b;c"\r\nx\r\n0\r\n\r\n'), (200,), False, "x"),
    Row(
        "trailers are dropped", chunked(b"1\r\nx\r\n0\r\nAuthorization: Basic YTo=\r\n\r\n") + get(), (200, 200), False
    ),
    Row("malformed trailer", chunked(b"1\r\nx\r\n0\r\nbad trailer\r\n\r\n"), (400,), True, BAD),
    Row("space after a chunk size", chunked(b"1 \r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("nothing after the semicolon", chunked(b"1;\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("NUL in a chunk extension", chunked(b"1;a=\0\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("CR in a chunk extension", chunked(b"1;a=b\rc\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("long chunk extension", chunked(b"1;a=" + b"b" * 400 + b"\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk size with a sign", chunked(b"+1\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk size with 0x", chunked(b"0x1\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk size with an underscore", chunked(b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk size of 17 digits", chunked(b"0" * 16 + b"1\r\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk without its CRLF", chunked(b"1\r\nxx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk ended by a bare LF", chunked(b"1\r\nx\n0\r\n\r\n"), (400,), True, BAD),
    Row("chunk line ended by a bare LF", chunked(b"1\nx\r\n0\r\n\r\n"), (400,), True, BAD),
    Row("unknown method", get(method=b"BREW"), (405,), False),
    Row("method of odd characters", get(method=b"G(T"), (400,), True, BAD),
    Row("long method", get(method=b"A" * 100_000), (400,), True, BAD),
    Row("long target", get(b"/" + b"a" * 100_000), (414,), True, "uri too long"),
    Row("target of just too much", get(b"/" + b"a" * 16_384), (414,), True),
    Row("long field", get(fields=HOST + b"A: " + b"b" * 20_000 + b"\r\n"), (431,), True),
    Row("too many fields", get(fields=HOST + b"A: b\r\n" * 200), (431,), True),
    Row("a head without end", get()[:-2] + b"A: b\r\n" * 20_000, (431,), True),
    Row(
        "unknown expectation",
        get(b"/echo", HOST + b"Expect: 200-maybe\r\nContent-Length: 1\r\n", method=b"POST"),
        (417,),
        True,
    ),
    Row(
        "100-continue in HTTP/1.0",
        get(b"/echo", HOST + b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"HTTP/1.0", b"POST") + b"x",
        (200,),
        True,
    ),
    Row("Connection: close, and one more", get(fields=HOST + b"Connection: close\r\n") + get(), (200,), True),
    Row("pipelined", get() * 5, (200,) * 5, False),
    Row("a good one, then a bad one", get() + b"NONSENSE\r\n\r\n", (200, 400), True, BAD),
    Row(
        "repeated Authorization",
        get(fields=HOST + b"Authorization: Basic YTo=\r\nAuthorization: Basic YTo=\r\n"),
        (400,),
        False,
        BAD,
    ),
    Row("repeated Origin", get(fields=HOST + b"Origin: http://a\r\nOrigin: http://a\r\n"), (400,), False, BAD),
    Row(
        "body over the limit, announced",
        get(b"/echo", HOST + b"Content-Length: 9999999\r\n", method=b"POST"),
        (413,),
        True,
    ),
    Row("the HTTP/2 preface, misspelt", b"PRI * HTTP/1.1\r\n" + HOST + b"\r\n", (400,), True, BAD),
)
