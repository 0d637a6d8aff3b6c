"""A gate in front of h2: cuts the input into frames and counts the cheap ones.

h2 accepts any number of resets, pings, settings, empty DATA and so on, at tens
of microseconds each.  This gate sees every frame header first, so a flood is
recognised before it is paid for (RFC 9113 section 10.5), and it hands frames
over one at a time, so that events before a fault are not lost.  It parses
nothing but the nine bytes of frame headers.
"""

from __future__ import annotations

from ..config.limits import Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
_CONTROL = frozenset({PRIORITY, SETTINGS, PING, GOAWAY, CONTINUATION})
_END_STREAM = 0x1
_END_HEADERS = 0x4
_PADDED = 0x8
_ACK = 0x1
_MAX_FRAME = 16_384
"""The largest payload: we never announce another SETTINGS_MAX_FRAME_SIZE (RFC 9113 6.5.2)."""
_PROTOCOL_ERROR = 1
_FRAME_SIZE_ERROR = 6
_UNKNOWN = 0xFF
"""A frame type that nobody has defined: h2 skips it."""


class Flood(Exception):
    """More cheap frames than any honest peer sends: GOAWAY with ENHANCE_YOUR_CALM."""


class BadFrame(Exception):
    """A frame that h2 would wait for or let pass: GOAWAY with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FrameGate:
    """Holds received bytes until a frame is whole; counts per window of time.

    The counts are kept against `Limits.flood_window` seconds; the owner tells
    the time with `at`.
    """

    def __init__(self, limits: Limits) -> None:
        self.buffer = bytearray()
        self.in_head = False  # a field section has begun, and CONTINUATION must follow
        self._limits = limits
        self._preface = len(PREFACE)
        self._settled = False  # the client's first SETTINGS have come
        self._window = 0.0
        self._control = 0
        self._resets = 0
        self._empty = 0
        self._windows = 0
        self._data = 0
        self._block = 0

    def at(self, mono: float) -> None:
        """Tell the time; a new window forgets the old counts."""
        if mono - self._window > self._limits.flood_window:
            self._window = mono
            self._control = self._resets = self._empty = self._windows = self._data = 0

    def provoked(self) -> None:
        """We reset a stream for a fault of the peer, which costs us as much as its own reset.  Raises `Flood`."""
        self._resets += 1
        if self._resets > self._limits.resets:
            raise Flood

    def answered(self) -> None:
        """A response went out: its reset would not be for nothing."""
        if self._resets > 0:
            self._resets -= 1

    def frame(self) -> bytes | None:
        """Remove and return one whole frame (or the preface); None when bytes are missing.

        Raises `Flood`, and `BadFrame` as soon as a frame's header is wrong.
        """
        buffer = self.buffer
        if self._preface:
            return self._take_preface()
        if len(buffer) < 9:
            return None
        length = int.from_bytes(buffer[:3], "big")
        self._check(buffer[3], buffer[4], length)
        if len(buffer) < 9 + length:
            return None
        self._count(buffer[3], buffer[4], length)
        if buffer[3] > CONTINUATION:
            buffer[3] = _UNKNOWN  # h2 reads ALTSVC, which is nothing to a server
        data = bytes(buffer[: 9 + length])
        del buffer[: 9 + length]
        return data

    def _check(self, kind: int, flags: int, length: int) -> None:
        """Refuse by the header alone what h2 would buffer first (length) or never notices."""
        if length > _MAX_FRAME:
            raise BadFrame(_FRAME_SIZE_ERROR)
        if not self._settled:
            if kind != SETTINGS or flags & _ACK:  # RFC 9113 3.4
                raise BadFrame(_PROTOCOL_ERROR)
            self._settled = True
        elif kind == SETTINGS and flags & _ACK and length:  # RFC 9113 6.5
            raise BadFrame(_FRAME_SIZE_ERROR)

    def _take_preface(self) -> bytes | None:
        """The client's preface, whole; refused at the first byte that differs, without waiting for the rest."""
        data = bytes(self.buffer[: self._preface])
        if not PREFACE.startswith(data):
            raise BadFrame(_PROTOCOL_ERROR)
        if len(data) < self._preface:
            return None
        del self.buffer[: len(data)]
        self._preface = 0
        return data

    def _count(self, kind: int, flags: int, length: int) -> None:
        """Count a whole frame by its kind and compare with the limits.  Raises `Flood`."""
        limits = self._limits
        if kind == DATA:
            self._count_data(flags, length)
        elif kind == RST_STREAM:
            self._resets += 1
        elif kind in _CONTROL:
            self._control += 1
        elif kind == WINDOW_UPDATE:
            # Each DATA frame that we send may earn two; a flood earns none.
            self._windows += 1
        elif kind > CONTINUATION:
            self._control += 1
        # The header block so far: CONTINUATION frames without end would grow it for ever.
        if kind in (HEADERS, CONTINUATION):
            self.in_head = not flags & _END_HEADERS
        self._block = self._block + length if kind == CONTINUATION else (length if kind == HEADERS else 0)
        if (
            self._resets > limits.resets
            or self._control > limits.control_frames
            or self._empty > limits.empty_frames
            or self._windows > 100 * limits.control_frames
            or self._block > limits.head_bytes
        ):
            raise Flood

    def _count_data(self, flags: int, length: int) -> None:
        """Count a DATA frame that carries nothing and ends nothing; padding is nothing, too."""
        padding = 1 + self.buffer[9] if flags & _PADDED and length else 0
        if length <= padding and not flags & _END_STREAM:
            self._empty += 1
