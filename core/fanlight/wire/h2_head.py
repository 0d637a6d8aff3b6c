"""Request heads of HTTP/2: header lists as h2 decoded them, checked and made into a `Head`.

h2's own validation would end the whole connection for one bad request; RFC 9113
section 8.1.1 asks for a stream error, so the rules of sections 8.2 and 8.3 are
applied here, and the reading of a list without credentials is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..config.limits import Limits
from ..http.request import Head
from ..http.response import Response, phrase
from .head import BAD_REQUEST, MEMO_BYTES, MEMO_ENTRIES, NO_HOST, PLAIN_CONNECT, Malformed
from .target import VISIBLE, is_host, split_target

RawFields = Sequence[tuple[bytes, bytes]]
"""A header list: names and values in order, as h2 gives them with no encoding set."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
"""Lower case only: RFC 9113 8.2.1 has other names be malformed."""
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Controls but the tab; NUL, CR and LF would be a new line wherever a head is written as text."""
_CONNECTION_SPECIFIC = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""Fields that speak of an HTTP/1.1 connection (RFC 9113 8.2.2): they smuggle behind gateways."""
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})
_SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
"""Fields whose list is never remembered: a credential must not outlive its request."""


LENGTH = b"content-length"
UNSEEN_LENGTH = b"Content-Length"
"""What the decoder calls `content-length` before h2, which would end the connection over a wrong one.

RFC 9113 8.1.1 wants the stream to end, so it is checked here and where data
arrives.  Recognised by identity: the same name sent by a peer is another
object, and malformed.
"""


class StreamProtocolError(Exception):
    """The request is malformed: RST_STREAM with PROTOCOL_ERROR (RFC 9113 8.1.1)."""


class H2HeadReader:
    """Reads header lists for one listener; remembers at most 256 of them.

    Only requests without a body are remembered: those are what recurs.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.memo: dict[tuple[tuple[bytes, bytes], ...], Head] = {}

    def read(self, raw: RawFields, *, ended: bool) -> Head:
        """The head that a header list says.

        Raises `StreamProtocolError` for a malformed one and `Malformed` for one
        that is answered with a status.  `ended`: no body follows.

        The same object may be returned for the same list: a `Head` does not
        change but for its `cache`.
        """
        key = _seen(raw)
        head = self.memo.get(key) if ended else None
        if head is None:
            head = _read(key, self.limits)
            if ended and head.length:
                raise StreamProtocolError  # a body is announced that does not come
            small = sum(len(name) + len(value) for name, value in key) <= MEMO_BYTES
            if ended and small and not any(name in _SECRET for name, _ in key):
                if len(self.memo) >= MEMO_ENTRIES:
                    self.memo.clear()
                self.memo[key] = head
        return head


def check_trailers(raw: RawFields) -> None:
    """Raise `StreamProtocolError` for trailers with a pseudo-field or a malformed field (RFC 9113 8.1)."""
    if _split(_seen(raw))[0]:
        raise StreamProtocolError


def _seen(raw: RawFields) -> tuple[tuple[bytes, bytes], ...]:
    """The list as it was sent, in plain pairs."""
    return tuple((LENGTH if name is UNSEEN_LENGTH else bytes(name), bytes(value)) for name, value in raw)


def _read(raw: RawFields, limits: Limits) -> Head:
    """The head of one list; raises as `H2HeadReader.read` does.

    Bounds come first (431), then what makes it malformed, then the target and
    the authority.  An extended CONNECT becomes a GET with `protocol`, so that
    one route serves WebSockets of both versions.
    """
    pseudo, fields = _split(raw)
    if len(fields) > limits.fields or any(len(n) + len(v) > limits.field_bytes for n, v in fields):
        raise Malformed(phrase(431))
    method = pseudo.get(":method", "")
    if _METHOD.fullmatch(method) is None:
        raise StreamProtocolError
    target = _target(method, pseudo)
    authority = _authority(pseudo, fields)
    return Head(
        "GET" if ":protocol" in pseudo else method,
        target,
        _join_cookies(fields),
        version="2",
        authority=authority,
        scheme=pseudo.get(":scheme"),
        protocol=pseudo.get(":protocol"),
        length=_length(fields),
        expects=_expects(fields),
    )


def _split(raw: RawFields) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Pseudo-fields and fields as text (latin-1); raises `StreamProtocolError` (RFC 9113 8.2, 8.3).

    Pseudo-fields stand first, are known, and come once each.  Values have no
    blanks at either end.
    """
    pseudo: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    for name, value in raw:
        if _CONTROL.search(value) or value != value.strip(b" \t"):
            raise StreamProtocolError
        if name[:1] == b":":
            if fields or name not in _PSEUDO or name.decode() in pseudo:
                raise StreamProtocolError
            pseudo[name.decode()] = value.decode("latin-1")
            continue
        if _NAME.fullmatch(name) is None or name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
            raise StreamProtocolError
        fields.append((name.decode(), value.decode("latin-1")))
    return pseudo, fields


def _target(method: str, pseudo: dict[str, str]) -> str:
    """The path; checks which pseudo-fields are there (RFC 9113 8.3.1, 8.5; RFC 8441 4).

    Raises `StreamProtocolError` for a list that is none, `Malformed` with 405
    for a plain CONNECT (nobody is proxied here), 414, or 400 for a bad path.
    """
    path = pseudo.get(":path")
    if method == "CONNECT" and ":protocol" not in pseudo:
        if path is not None or ":scheme" in pseudo or ":authority" not in pseudo:
            raise StreamProtocolError
        raise Malformed(PLAIN_CONNECT)
    if ":protocol" in pseudo and method != "CONNECT":
        raise StreamProtocolError
    if not path or not pseudo.get(":scheme"):
        raise StreamProtocolError
    if len(path) > 16 * 1024:
        raise Malformed(phrase(414))
    split = split_target(method, path) if path[0] in "/*" else None
    if VISIBLE.fullmatch(path) is None or split is None:
        raise Malformed(BAD_REQUEST)
    return split[0]


def _authority(pseudo: dict[str, str], fields: list[tuple[str, str]]) -> str | None:
    """`:authority` or Host; both must agree and at least one must be there (threats: T15).

    Two names for one request would let one part of a system check the first and
    another serve the second.
    """
    hosts = [value for name, value in fields if name == "host"]
    authority = pseudo.get(":authority")
    if len(hosts) > 1 or (hosts and authority is not None and hosts[0].lower() != authority.lower()):
        raise Malformed(BAD_REQUEST)
    host = authority if authority is not None else (hosts[0] if hosts else None)
    if host is None:
        raise Malformed(BAD_REQUEST)
    if not is_host(host):
        raise Malformed(NO_HOST)
    return host


def _length(fields: Iterable[tuple[str, str]]) -> int | None:
    """The announced length, None without one; equal repetitions count once.

    Eighteen digits are beyond every body and below where reading digits costs.
    """
    lengths = {value for name, value in fields if name == "content-length"}
    if len(lengths) > 1 or any(not value.isdigit() or len(value) > 18 for value in lengths):
        raise StreamProtocolError
    return int(lengths.pop()) if lengths else None


def _expects(fields: Iterable[tuple[str, str]]) -> bool:
    """Whether `100 Continue` is awaited; unknown expectations are 417 (RFC 9110 10.1.1)."""
    values = [value.lower() for name, value in fields if name == "expect"]
    if values and values != ["100-continue"]:
        raise Malformed(phrase(417))
    return bool(values)


def _join_cookies(fields: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """HTTP/2 may split Cookie; it is one list again before anybody looks (RFC 9113 8.2.3)."""
    crumbs = [value for name, value in fields if name == "cookie"]
    if len(crumbs) < 2:
        return tuple(fields)
    return (*((n, v) for n, v in fields if n != "cookie"), ("cookie", "; ".join(crumbs)))


def refusal_of(error: Malformed) -> Response:
    """The answer to a head that is refused with a status."""
    return error.response
