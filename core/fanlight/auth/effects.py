"""What authentication asks of an engine, as effects, and the secrets in them.

An engine answers with values; it raises only on bugs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn, Protocol

from attrs import field, frozen

from ..asks import Effect

if TYPE_CHECKING:
    from .jwk import Jwk


class Secret:
    """Text that must not be shown: no repr, no hash, no equality, no pickle, no formatting."""

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for the one who needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(****)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied")

    def __format__(self, spec: str) -> str:
        return repr(self)


class Attempt:
    """One check, between the routine that wants it and the thread that does it.

    Whoever claims it first decides whether it is done at all: the claim is one
    step for both threads.  `result` is set before the check ends.
    """

    __slots__ = ("_fate", "result")

    def __init__(self) -> None:
        self._fate: dict[str, str] = {}
        self.result: bool | None = None

    def begin(self) -> bool:
        """The thread begins; False: nobody wants it any more."""
        return self._fate.setdefault("is", "begun") == "begun"

    def abandon(self) -> bool:
        """The routine gives up; False: it is too late, the check has begun."""
        return self._fate.setdefault("is", "abandoned") == "abandoned"


@frozen
class VerifyPassword(Effect[bool]):
    """Is `stored` the stored form of `password` (`scram.verify_evenly`)?  False as well for one that is malformed.

    False takes as long as `least` iterations, whatever `stored` says.  Takes
    half a second of a core; an `attempt` that was abandoned is not begun.
    """

    stored: str = field(repr=False)
    password: Secret
    attempt: Attempt = field(eq=False, repr=False)
    least: int = 0


@frozen
class HashPassword(Effect[str]):
    """The stored form of `password` with a fresh salt, hashed `iterations` times: half a second of a core."""

    password: Secret
    iterations: int


@frozen
class StorePassword(Effect[bool]):
    """Write the form `new` of a user's password where the users are kept, if `old` is still there."""

    user: str
    old: str = field(repr=False)
    new: str = field(repr=False)


@frozen
class Fetched:
    """An answer of another server.  `trace` is its own number for the exchange, escaped, for logs."""

    status: int
    body: bytes = field(repr=False)
    trace: str = ""


@frozen
class FetchFailed:
    """No answer; `reason` is from a closed list and holds nothing of the request."""

    reason: Literal["timeout", "refused", "unreachable", "too large", "redirected", "address not allowed", "no library"]


@frozen
class FetchDocument(Effect["Fetched | FetchFailed"]):
    """GET `url`, or POST the JSON text `body` to it; at most `limit` bytes of answer within `seconds`.

    Follows three redirects at most, none to another scheme, none of a POST,
    and with `same_host` none to another host.  `unless_private`: addresses of
    this machine and of private networks are refused, unless that URL's host is
    at one.  No proxy, no cookie, no credentials of its own.
    """

    url: str
    seconds: float
    limit: int
    body: bytes | None = field(default=None, repr=False)
    same_host: bool = False
    unless_private: str | None = None


@frozen
class Pem:
    """A public key as PEM text."""

    text: str = field(repr=False)


@frozen
class VerifySignature(Effect[bool]):
    """Is `signature` the signature of `signed` by `algorithm` (a name of RFC 7518) under `key`?

    Takes less than a millisecond, so it is done where it is asked.
    """

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    key: Jwk | Pem
    algorithm: str
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@frozen
class KeptSession:
    """A session as a store has it.  `key` is the SHA-256 of its id; times are Unix seconds."""

    key: bytes = field(repr=False)
    user: str
    created: float
    active: float
    mark: str = field(repr=False)


class SessionStore(Protocol):
    """Keeps sessions over a restart.  Called from one thread; may block; may raise what it likes."""

    def load(self, listener: str) -> Iterable[KeptSession]:
        """Those of a listener, longest idle first."""
        ...

    def keep(self, listener: str, saved: Sequence[KeptSession], dropped: Sequence[bytes]) -> None:
        """Save some and forget others, both or neither."""
        ...

    def close(self) -> None:
        """The server ends."""
        ...


@frozen
class LoadSessions(Effect["tuple[KeptSession, ...] | None"]):
    """Every session that the store has of a listener, longest idle first; None if it cannot be read."""

    listener: str


@frozen
class KeepSessions(Effect[bool]):
    """Save some sessions of a listener and forget others, all at once; False if that failed."""

    listener: str
    saved: tuple[KeptSession, ...] = field(repr=False)
    dropped: tuple[bytes, ...] = field(repr=False)


@frozen
class AwaitPassword(Effect[bool]):
    """The result of a check that has begun and whose answer was given up."""

    attempt: Attempt = field(eq=False, repr=False)
