"""What a wire machine tells its connection, one shape for both HTTP versions.

Past participles, values only.  `stream` is the HTTP/2 stream id; on HTTP/1.1 it
counts the requests of the connection.
"""

from __future__ import annotations

from attrs import define

from ..http.request import Head
from ..http.response import Response


@define
class Started:
    """A request head has been read; its body, if any, can be asked for."""

    stream: int
    head: Head


@define
class Arrived:
    """There may be more body to take (`take_body`), or its end has come."""

    stream: int


@define
class Reset:
    """The peer gave this exchange up: RST_STREAM, or EOF while it ran."""

    stream: int


@define
class Refused:
    """What arrived is no request: answer with `response`, then close (h1) or end the stream (h2).

    `path` and `method` are not known or not to be trusted.
    """

    stream: int
    response: Response


@define
class Writable:
    """A flow-control window has opened."""


@define
class Finished:
    """The peer will send nothing more, or broke the protocol: flush, then close.

    `abort` closes without the staged close that protects a last answer.
    """

    abort: bool = False


Event = Started | Arrived | Reset | Refused | Writable | Finished
