"""What test clients are asked to send, and what they say came back.

Values only: the machines in `http1` and `http2` turn them into bytes.
"""

from __future__ import annotations

from attrs import define, evolve, field, frozen

Pairs = tuple[tuple[str, str], ...]
"""Header fields in order.  Non-ASCII characters go out as UTF-8."""


@frozen(kw_only=True)
class Outgoing:
    """One request as it is to be written, right or wrong.

    `fields` go out exactly in this order and spelling; nothing is added on
    HTTP/1.1 but `host` (when `authority` is set and no such field is given)
    and the framing of the body.  On HTTP/2 `authority` becomes `:authority`.
    """

    method: str = "GET"
    target: str = "/"
    fields: Pairs = ()
    body: bytes = b""
    chunked: bool = False
    authority: str | None = "localhost"
    scheme: str = "http"
    protocol: str | None = None
    finished: bool = True

    def has(self, name: str) -> bool:
        """Whether a field of that name (lower case) is among `fields`."""
        return any(given.lower() == name for given, _ in self.fields)

    def plus(self, *fields: tuple[str, str]) -> Outgoing:
        """The same request with `fields` appended."""
        return evolve(self, fields=(*self.fields, *fields))


@frozen
class Informational:
    """A 1xx response other than 101."""

    stream: int
    status: int
    fields: Pairs = ()


@frozen
class Head:
    """The head of the final response (or of a 101)."""

    stream: int
    status: int
    fields: Pairs


@frozen
class Data:
    """Body bytes, or tunnelled bytes after an upgrade."""

    stream: int
    data: bytes


@frozen
class End:
    """The response is whole."""

    stream: int


@frozen
class Broken:
    """The response will never be whole; `code` is the HTTP/2 error code if one was sent."""

    stream: int
    why: str
    code: int | None = None


@frozen
class GoAway:
    """HTTP/2: the server ends the connection."""

    code: int
    last_stream: int
    text: bytes


Event = Informational | Head | Data | End | Broken | GoAway


@define
class Answer:
    """A response as far as it has come; `ended` when it is whole, `broken` when it never will be."""

    status: int = 0
    fields: Pairs = ()
    ended: bool = False
    broken: str = ""
    code: int | None = None
    informational: list[Informational] = field(factory=list)
    _chunks: list[bytes] = field(factory=list)

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        self._chunks = [b"".join(self._chunks)]
        return self._chunks[0]

    @property
    def done(self) -> bool:
        """Nothing more will come."""
        return self.ended or bool(self.broken)

    def all(self, name: str) -> list[str]:
        """Every value of the fields called `name` (lower case), in order."""
        return [value for given, value in self.fields if given == name]

    def get(self, name: str) -> str | None:
        """The values of `name` joined with commas, or None where there is none."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def apply(self, event: Event) -> None:
        """Take one event of this answer's stream into account."""
        if isinstance(event, Informational):
            self.informational.append(event)
        elif isinstance(event, Head):
            self.status, self.fields = event.status, event.fields
        elif isinstance(event, Data):
            self._chunks.append(event.data)
        elif isinstance(event, End):
            self.ended = True
        elif isinstance(event, Broken) and not self.ended:
            self.broken, self.code = event.why, event.code
