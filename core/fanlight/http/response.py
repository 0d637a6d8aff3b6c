"""Responses: what a handler returns, and the few shapes nearly all of them have.

A response is a value.  It knows nothing of connections or versions: framing
(`content-length`, chunks, HTTP/2 frames, the missing body of HEAD) is added by
the wire, common fields by the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from attrs import frozen

from ..asks import Op, Routine

Fields = tuple[tuple[str, str], ...]
"""Header fields in order; names in lower case."""

TEXT = ("content-type", "text/plain; charset=utf-8")
HTML = ("content-type", "text/html; charset=utf-8")
JSON = ("content-type", "application/json")
BINARY = ("content-type", "application/octet-stream")


@frozen
class SendBody(Op[None]):
    """Append `data` to a streamed body.

    Resumes only when what is still unwritten is below the high-water mark, so
    a slow client slows its routine down (design.md section 2).
    """

    data: bytes


Producer = Callable[[], Routine[None]]
"""Writes a streamed body with `await SendBody(…)`; its end is the body's end."""


@frozen
class Response:
    """A status, fields and a body: all of it at once, or a producer of it.

    A producer that raises after the head went out makes the stream end
    abnormally (connection closed before the framing is complete, RST_STREAM).
    One that gives `content-length` itself sends exactly that many bytes.
    """

    status: int
    fields: Fields = ()
    body: bytes | Producer = b""


class Refused(Exception):
    """Raised anywhere in a request's routine to answer with `response` instead."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def text(status: int, body: str, *fields: tuple[str, str]) -> Response:
    """`text/plain; charset=utf-8`."""
    return Response(status, (TEXT, *fields), body.encode())


def html(status: int, body: str, *fields: tuple[str, str]) -> Response:
    """`text/html; charset=utf-8`."""
    return Response(status, (HTML, *fields), body.encode())


def json(status: int, body: bytes, *fields: tuple[str, str]) -> Response:
    """`application/json`; `body` is the JSON text, already encoded."""
    return Response(status, (JSON, *fields), body)


def empty(status: int, *fields: tuple[str, str]) -> Response:
    """No body and no content type."""
    return Response(status, fields)


def phrase(status: int) -> Response:
    """A refusal without a documented text: the lower-case reason phrase (decisions.md 7)."""
    return text(status, reason(status).lower())


# What RFC 9110 calls them; Python before 3.13 has the names of older RFCs.
_REASONS = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


def reason(status: int) -> str:
    """The reason phrase, the same under every Python; empty for a status without one."""
    try:
        return _REASONS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return ""
