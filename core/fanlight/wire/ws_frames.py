"""Frames that need no library: whole ones that are whole messages, Pings and Pongs, with nothing before them half read.

Nearly all frames of a SQL socket are so.  What is anything else (a fragment, a
Close, a frame that comes in pieces, one that breaks a rule) is left to wsproto,
and this only follows where its frames end, so as to know when the next one
begins (RFC 6455 5.2).  It decides nothing about what is wrong.
"""

from __future__ import annotations

TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A
"""First bytes of frames: FIN, no reserved bit, and the opcode."""

CONTROL_BYTES = 125
FOLLOWED = 256
"""Frames in one piece of input that are followed: a flood of small ones is not worth it."""

_HEADS = {126: 4, 127: 10}  # bytes of a header before the mask, by the second byte


def _masked(payload: bytes, mask: bytes) -> bytes:
    """The payload with the mask off, or on (RFC 6455 5.3)."""
    size = len(payload)
    keys = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")


def whole_frame(data: bytes, at: int, most: int) -> tuple[int, bytes, int] | None:
    """`(first byte, payload, end)` of the frame at `at`, if it needs no library.

    `most` is how many bytes the payload of a message may have.
    """
    left = len(data) - at
    if left < 6:
        return None
    first, second = data[at], data[at + 1]
    size, start = second - 128, at + 2
    if size < 0:
        return None  # no mask: a fault
    if size > CONTROL_BYTES:
        start = at + _HEADS[size]
        size = int.from_bytes(data[at + 2 : start])
        if first not in (TEXT, BINARY) or size <= CONTROL_BYTES:  # in more bytes than it takes: a fault
            return None
    elif first not in (TEXT, BINARY, PING, PONG):
        return None
    end = start + 4 + size
    if end > len(data) or (size > most and first <= BINARY):
        return None
    return first, _masked(data[start + 4 : end], data[start : start + 4]), end


class Follower:
    """Where the frames end that somebody else reads.

    `between` is True behind a whole message, `lost` once that can not be told any more.
    """

    def __init__(self) -> None:
        self.lost = False
        self._left = 0
        self._head = b""
        self._open = False

    @property
    def between(self) -> bool:
        """Whether all bytes so far were whole messages."""
        return not (self._left or self._head or self._open or self.lost)

    def follow(self, data: bytes) -> None:
        """Go on behind `data`."""
        at = count = 0
        while at < len(data) and not self.lost:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            count += 1
            at += self._header(data[at : at + 14 - len(self._head)])
            if count > FOLLOWED:
                self.lost = True

    def _header(self, data: bytes) -> int:
        """Read a header, of which `data` has the next bytes; returns how many of these are its."""
        before, head = len(self._head), self._head + data
        self.lost = len(head) > 1 and head[1] < 128  # no mask: a fault, and the end
        size = _HEADS.get(head[1] & 127, 2) + 4 if len(head) > 1 else 15
        if len(head) < size:
            self._head = head
            return len(data)
        self._head = b""
        length = head[1] & 127
        self._left = length if length < 126 else int.from_bytes(head[2 : size - 4])
        if not head[0] & 8:  # a control frame may stand in the middle of a message
            self._open = not head[0] & 128
        return size - before
