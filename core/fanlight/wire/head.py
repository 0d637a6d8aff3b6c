"""Request heads of HTTP/1.1: a guard on the raw bytes, then h11's own reading of them.

h11 is the only parser and the authority.  It is lenient in a dozen places
(bare LF, folded lines, both framings at once, control characters …), so a
guard looks at the bytes first and refuses what RFC 9112 lets a server refuse.
What h11 made of a head is remembered by the exact bytes, never for a head that
carries credentials.  This module reads heads; bodies are in `body`.
"""

from __future__ import annotations

import re

import h11

from ..config.limits import Limits
from ..http.request import Head
from ..http.response import Response, empty, phrase, text
from .target import VISIBLE, is_host, split_target

BAD_REQUEST = text(400, "bad request")
NO_HOST = text(400, "no host available")
PLAIN_CONNECT = empty(405, ("allow", "GET,HEAD,POST"))
"""CONNECT asks for a tunnel, which nobody gets here."""

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_BARE_BEFORE_END = re.compile(rb"(?<!\r)\n|\r[^\n]")  # a CR at the very end may still get its LF

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Controls but tab, CR and LF, which have rules of their own."""
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ([^ ]+) HTTP/([0-9])\.([0-9])")
_METHOD_START = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,65}( |\Z)")
_SECRET = re.compile(rb"\r\n(?:proxy-)?(?:authorization|cookie):", re.IGNORECASE)
"""Heads with one of these are never remembered: a credential must not outlive its request."""
_FRAMING = re.compile(rb"\r\n(transfer-encoding|content-length):[ \t]*([^\r]*)", re.IGNORECASE)

_METHOD_BYTES = 64
_VERSION_BYTES = 16
"""What a request line holds at most beside its target; longer methods are 400."""

MEMO_BYTES = 2048
MEMO_ENTRIES = 256
"""Bounds of the memory: bytes of one head, and how many heads."""


class Malformed(Exception):
    """Raised for a head that is none: answer with `response`, read nothing more."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class HeadReader:
    """Reads heads for one listener and remembers what h11 said of the last few.

    The memory is bounded (256 heads of at most 2 KiB) and simply starts anew
    when it is full.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.memo: dict[bytes, Head] = {}

    def read(self, raw: bytes) -> Head:
        """The head that `raw`, up to and including its blank line, says.

        Raises `Malformed` for everything that is not exactly one good head.

        The same bytes may give the same object: a `Head` does not change but
        for its `cache`.
        """
        known = self.memo.get(raw)
        if known is not None:
            return known
        # A long head that came in one piece gets the answer that it would have got in many.
        if len(raw) > min(self.limits.target_bytes, self.limits.head_bytes):
            early = self.refuse_early(raw, 0)
            if early is not None:
                raise Malformed(early)
        head = _read(raw, self.limits)
        if len(raw) <= MEMO_BYTES and not head.expects and _SECRET.search(raw) is None:
            if len(self.memo) >= MEMO_ENTRIES:
                self.memo.clear()
            self.memo[raw] = head
        return head

    def refuse_early(self, start: bytes | bytearray, scanned: int) -> Response | None:
        """The refusal that `start`, as much of a head as has come, has already earned.

        Without this a peer that can never finish a good head would hold its
        connection until the deadline.  Of several faults the first one counts,
        so that the answer does not depend on how the bytes were cut.  `scanned`
        bytes were looked at before.
        """
        limits = self.limits
        most = limits.target_bytes + _VERSION_BYTES
        if _METHOD_START.match(start) is None:
            return BAD_REQUEST
        line = bytes(start[: _METHOD_BYTES + most + 2]).partition(b"\r\n")[0]
        earned: list[tuple[int, Response]] = []
        bare = _BARE_BEFORE_END.search(start, max(0, scanned - 2))
        if bare is not None:
            earned.append((bare.end(), BAD_REQUEST))
        method, _, target = line.partition(b" ")
        if len(target) > most:
            earned.append((len(method) + most + 2, phrase(414)))
        if len(start) > limits.head_bytes:
            earned.append((limits.head_bytes + 1, phrase(431)))
        return min(earned, key=lambda fault: fault[0])[1] if earned else None


def _read(raw: bytes, limits: Limits) -> Head:
    """The head of `raw`; raises `Malformed`.

    The guard comes first, then framing, then h11, then what both HTTP versions
    share: the gravest faults win, and nothing is read of a head that could be
    two.
    """
    line = _guard(raw, limits)
    method, target = line[1].decode("latin-1"), line[2].decode("latin-1")
    version = "1.1" if line[4] == b"1" else "1.0"
    length, chunked = _framing(raw, version)
    fields = _fields_by_h11(raw)
    split = split_target(method, target)
    if method == "CONNECT" and (split is None or split[1] is not None):
        raise Malformed(PLAIN_CONNECT)
    if split is None:
        raise Malformed(BAD_REQUEST)
    options = _options(fields)
    return Head(
        method,
        split[0],
        fields,
        version=version,
        authority=_authority(fields, split[1], version),
        length=length,
        chunked=chunked,
        keep_alive=version == "1.1" and "close" not in options and method != "CONNECT",
        expects=_expects(fields, version),
        upgrade="upgrade" in options,
    )


def _guard(raw: bytes, limits: Limits) -> re.Match[bytes]:
    """Refuse what h11 would let pass; return the matched request line.

    Bare CR and LF, NUL and folded lines are refused where RFC 9112 (2.2, 5.2)
    lets a recipient repair them: two readers that repair differently see two
    requests.
    """
    if _BARE_LINE_END.search(raw) or _CONTROL.search(raw) or b"\r\n " in raw or b"\r\n\t" in raw:
        raise Malformed(BAD_REQUEST)
    first, _, rest = raw.partition(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Malformed(BAD_REQUEST)
    if (line[3], line[4]) not in ((b"1", b"1"), (b"1", b"0")):
        raise Malformed(phrase(505))
    if len(line[2]) > limits.target_bytes:
        raise Malformed(phrase(414))
    if VISIBLE.fullmatch(line[2].decode("latin-1")) is None:
        raise Malformed(BAD_REQUEST)
    # Two of the lines are the empty ones at the end.
    lines = rest.split(b"\r\n")
    if len(lines) - 2 > limits.fields or max(map(len, lines)) > limits.field_bytes:
        raise Malformed(phrase(431))
    return line


def _framing(raw: bytes, version: str) -> tuple[int | None, bool]:
    """`(content length or None, chunked)`; smuggling attempts are refused (RFC 9112 6.1, 6.3).

    Read from the raw bytes, before h11 joins or drops anything.  Several
    lengths are refused even when they agree; both framings at once are refused.
    """
    lengths: list[bytes] = []
    codings: list[str] = []
    for name, value in _FRAMING.findall(raw):
        if name[0] in b"cC":
            lengths.append(value.strip(b" \t"))
        else:
            codings += [coding.strip(" \t").lower() for coding in value.decode("latin-1").split(",")]
    if codings:
        _check_codings(codings, both=bool(lengths), version=version)
        return None, True
    if not lengths:
        return None, False
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise Malformed(BAD_REQUEST)
    return int(lengths[0]), False


def _check_codings(codings: list[str], *, both: bool, version: str) -> None:
    """Refuse (400) any transfer coding but a single final `chunked`; 501 for others before it.

    HTTP/1.0 has none: a body with one would end elsewhere for an old
    intermediary.
    """
    bad = both or version == "1.0" or "" in codings
    if bad or codings[-1] != "chunked" or codings.count("chunked") > 1:
        raise Malformed(BAD_REQUEST)
    if len(codings) > 1:
        raise Malformed(phrase(501))


def _fields_by_h11(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The fields as h11 reads them: names in lower case, values without blanks around.

    A new parser for each head, since only the reading is h11's here.  Of its
    refusals 400 and 501 become a plain 400; others keep their status.
    """
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=len(raw) + 1)
    try:
        parser.receive_data(raw)
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        status = error.error_status_hint
        raise Malformed(BAD_REQUEST if status in (400, 501) else phrase(status)) from None
    if not isinstance(event, h11.Request):
        raise Malformed(BAD_REQUEST)
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)


def _authority(fields: tuple[tuple[str, str], ...], of_target: str | None, version: str) -> str | None:
    """The Host (RFC 9112 3.2): one, valid, and the same as an absolute-form target's.

    400 for none on HTTP/1.1, for two, and for two that differ: one part of a
    system would check the first and another serve the second.
    """
    hosts = [value for name, value in fields if name == "host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Malformed(BAD_REQUEST)
    if not hosts:
        return of_target
    if not is_host(hosts[0]):
        raise Malformed(NO_HOST)
    if of_target is not None and of_target.lower() != hosts[0].lower():
        raise Malformed(BAD_REQUEST)
    return hosts[0]


def _options(fields: tuple[tuple[str, str], ...]) -> set[str]:
    """The lower-cased tokens of all Connection fields (RFC 9110 7.6.1)."""
    return {token.strip(" \t").lower() for name, value in fields if name == "connection" for token in value.split(",")}


def _expects(fields: tuple[tuple[str, str], ...], version: str) -> bool:
    """Whether `100 Continue` is awaited; unknown expectations are 417 (RFC 9110 10.1.1)."""
    values = [value.lower() for name, value in fields if name == "expect"]
    if not values or version == "1.0":
        return False
    if values != ["100-continue"]:
        raise Malformed(phrase(417))
    return True
