"""Requests: what a handler is given.

`Head` is a request head as the wire read it, the same for HTTP/1.1 and HTTP/2
and never changed afterwards, so one that was read before may be used again.
`Request` is one exchange: a head, where it came from, who sent it, and the way
to its body.  Neither touches the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from ..asks import Op
from .response import Refused, text

if TYPE_CHECKING:
    from ..auth.identity import Identity
    from ..moment import Now
    from ..server import ListenerState, Server
    from .router import Route

BODY_TOO_LARGE = text(413, "Failed to buffer the request body: length limit exceeded")


class ReadBody(Op["bytes | None"]):
    """The whole request body; None when it is longer than `limit` bytes.

    Asking for it is what makes the server send `100 Continue`.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit = limit


class TakeBody(Op["bytes | None"]):
    """What has come of the request body, as soon as something has; b"" is its end.

    None when it is longer than `limit` bytes in all.  Without a limit it takes
    the bytes of a tunnel (`OpenTunnel`), which may be silent for as long as it
    likes.  Asking is what makes the server send `100 Continue`.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int | None) -> None:
        self.limit = limit


class Head:
    """A request head: `method`, the target split in two, fields, framing.

    `fields` holds names in lower case with their values, in order, as str
    decoded from latin-1.  `target` is the path and query as sent (for an
    absolute-form target its path and query); `authority` is the Host field or
    `:authority`, None where HTTP/1.0 sent none.  `protocol` is the `:protocol`
    of an extended CONNECT, else None.
    """

    __slots__ = (
        "authority",
        "cache",
        "chunked",
        "expects",
        "fields",
        "keep_alive",
        "length",
        "method",
        "path",
        "protocol",
        "query",
        "scheme",
        "upgrade",
        "values",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str,
        fields: tuple[tuple[str, str], ...],
        *,
        version: str,
        authority: str | None,
        scheme: str | None = None,
        protocol: str | None = None,
        length: int | None = None,
        chunked: bool = False,
        keep_alive: bool = True,
        expects: bool = False,
        upgrade: bool = False,
    ) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.fields = fields
        self.values: dict[str, str] = {}
        for name, value in fields:
            self.values.setdefault(name, value)
        self.version = version
        self.authority = authority
        self.scheme = scheme
        self.protocol = protocol
        self.length = length
        self.chunked = chunked
        self.keep_alive = keep_alive
        self.expects = expects
        self.upgrade = upgrade
        self.cache: Any = None

    def retargeted(self, target: str) -> Head:
        """The same head with another path and query."""
        other = copy(self)
        other.path, _, other.query = target.partition("?")
        other.cache = None
        return other

    def count(self, name: str) -> int:
        """How many fields are called `name` (lower case)."""
        return sum(1 for field, _ in self.fields if field == name)

    def all(self, name: str) -> list[str]:
        """Every value of the fields called `name`, in order."""
        return [value for field, value in self.fields if field == name]


class Request:
    """One exchange.  `identity` is None until authentication has passed."""

    __slots__ = (
        "arrived",
        "head",
        "identity",
        "listener",
        "method",
        "params",
        "path",
        "peer",
        "proxied",
        "query",
        "route",
        "secure",
        "server",
        "stream",
    )

    def __init__(
        self,
        head: Head,
        *,
        stream: int,
        arrived: Now,
        peer: str,
        secure: bool,
        listener: ListenerState,
        server: Server,
        proxied: bool = False,
    ) -> None:
        self.head = head
        self.method = head.method
        self.path = head.path
        self.query = head.query
        self.stream = stream
        self.arrived = arrived
        self.peer = peer
        self.secure = secure
        self.proxied = proxied
        self.listener = listener
        self.server = server
        self.route: Route | None = None
        self.params: Mapping[str, str] = {}
        self.identity: Identity | None = None

    def field(self, name: str) -> str | None:
        """The first value of the field `name` (lower case), or None."""
        return self.head.values.get(name)

    async def body(self, limit: int | None = None) -> bytes:
        """The whole body, at most `limit` bytes (default: the server's body limit).

        Raises `Refused` with 413 for a longer one.
        """
        most = self.server.limits.body_bytes if limit is None else limit
        data = await ReadBody(most)
        if data is None:
            raise Refused(BODY_TOO_LARGE)
        return data

    def user(self) -> str:
        """The name of whoever sent this; an error before authentication."""
        if self.identity is None:
            raise RuntimeError("no identity: the request is not authenticated yet")
        return self.identity.user
