"""Request bodies of HTTP/1.1: by length and chunked, read strictly out of a buffer.

h11's own reader hides chunk lines (extensions with a bare CR or a NUL pass
unseen), so the chunked coding is read here, to the letter of RFC 9112 section
7.1.  Trailers are checked, bounded and dropped (RFC 9110 section 6.5.1).
A reader takes from the buffer that it is given and keeps none of the data.
"""

from __future__ import annotations

import re

from ..config.limits import Limits

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*")
_TRAILER = re.compile(_TOKEN + rb":[\t \x21-\x7e\x80-\xff]*")
_STEPS_PER_TAKE = 64
"""Elements that one `take` reads at most."""


class BrokenBody(Exception):
    """The framing of the body is faulty: 400, and nothing more can be read."""


class LengthBody:
    """A body of `content-length` bytes.

    `remaining` counts down to 0, when it is `done`; `more` is never true, since
    one `take` takes all there is.
    """

    more = False

    def __init__(self, length: int) -> None:
        self.remaining = length

    @property
    def done(self) -> bool:
        return not self.remaining

    def take(self, buffer: bytearray) -> bytes:
        """Remove from `buffer` and return what of the body is in it."""
        data = bytes(buffer[: self.remaining])
        del buffer[: len(data)]
        self.remaining -= len(data)
        return data


class ChunkedBody:
    """A body in the chunked coding; `done` after the last chunk and the trailers.

    `more` says that the last `take` left something that it could have read.
    """

    def __init__(self, limits: Limits) -> None:
        self.done = False
        self.more = False
        self.limits = limits
        self._left = 0  # bytes of the current chunk
        self._between = False  # its CRLF is still to come
        self._trailers = -1  # bytes of trailer lines seen; -1 before the last chunk

    def take(self, buffer: bytearray) -> bytes:
        """Remove from `buffer` and return what of the body is in it, decoded.

        One call reads at most 64 elements (lines and pieces of data), so that a
        peer who sends one byte a chunk cannot hold the loop; see `more`.
        Raises `BrokenBody`.
        """
        parts: list[bytes] = []
        self.more = False
        for _ in range(_STEPS_PER_TAKE):
            if self.done or not self._step(buffer, parts):
                break
        else:
            self.more = not self.done and bool(buffer)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self, buffer: bytearray, parts: list[bytes]) -> bool:
        """Read one element (data, CRLF, size line or trailer line); False when bytes are missing."""
        if self._left:
            data = bytes(buffer[: self._left])
            del buffer[: len(data)]
            self._left -= len(data)
            self._between = not self._left
            if data:
                parts.append(data)
            return bool(data)
        if self._between:
            return self._end_chunk(buffer)
        line = self._line(buffer)
        if line is None:
            return False
        if self._trailers < 0:
            self._size(line)
        else:
            self._trailer(line)
        return True

    def _end_chunk(self, buffer: bytearray) -> bool:
        """The CRLF behind a chunk's data; anything else there is a chunk whose size was a lie."""
        if not b"\r\n".startswith(buffer[:2]):
            raise BrokenBody
        if len(buffer) < 2:
            return False
        del buffer[:2]
        self._between = False
        return True

    def _line(self, buffer: bytearray) -> bytes | None:
        """The next line without its CRLF, None while it is incomplete.

        Raises `BrokenBody` for a bare LF and for a line over its bound, which
        is known before its end has come.
        """
        most = self.limits.trailer_bytes if self._trailers >= 0 else self.limits.chunk_extension_bytes + 16
        end = buffer.find(b"\n", 0, most + 2)
        if end < 0:
            if len(buffer) > most + 1:
                raise BrokenBody
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        if not line.endswith(b"\r"):
            raise BrokenBody
        return line[:-1]

    def _size(self, line: bytes) -> None:
        """A size line, extensions checked and ignored; size 0 begins the trailers."""
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise BrokenBody
        self._left = int(match[1], 16)
        if not self._left:
            self._trailers = 0

    def _trailer(self, line: bytes) -> None:
        """A trailer line, checked and dropped; the empty one ends the body."""
        if not line:
            self.done = True
            return
        self._trailers += len(line)
        if self._trailers > self.limits.trailer_bytes or _TRAILER.fullmatch(line) is None:
            raise BrokenBody


BodyReader = LengthBody | ChunkedBody
