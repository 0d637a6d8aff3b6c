"""A gate in front of h2: cuts the input into frames and counts the cheap ones.

h2 accepts any number of resets, pings, settings, empty DATA and so on, at tens
of microseconds each.  This gate sees every frame header first, so a flood is
recognised before it is paid for (RFC 9113 section 10.5), and it hands frames
over one at a time, so that events before a fault are not lost.  It parses
nothing but the nine bytes of frame headers.
"""

from __future__ import annotations

from ..limits import Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
_CONTROL = frozenset({PRIORITY, SETTINGS, PING, GOAWAY, CONTINUATION})
_END_STREAM = 0x1
_MAX_FRAME = 16_384


class Flood(Exception):
    """More cheap frames than any honest peer sends: GOAWAY with ENHANCE_YOUR_CALM."""


class FrameGate:
    """Holds received bytes until a frame is whole; counts per window of time.

    The counts are kept against `Limits.flood_window` seconds; the owner tells
    the time with `at`.
    """

    def __init__(self, limits: Limits) -> None:
        self.buffer = bytearray()
        self._limits = limits
        self._preface = len(PREFACE)
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

    def answered(self) -> None:
        """A response went out: its reset would not be for nothing."""
        if self._resets > 0:
            self._resets -= 1

    def frame(self) -> bytes | None:
        """Remove and return one whole frame (or the preface); None when bytes are missing.

        A frame that is too long is returned as far as it is here: h2 refuses it
        by its header.  Raises `Flood`.
        """
        buffer = self.buffer
        if self._preface:
            return self._take_preface()
        if len(buffer) < 9:
            return None
        length = int.from_bytes(buffer[:3], "big")
        whole = min(9 + length, 9 + _MAX_FRAME + 1)
        if len(buffer) < (whole if length <= _MAX_FRAME else 9):
            return None
        self._count(buffer[3], buffer[4], length)
        data = bytes(buffer[:whole])
        del buffer[:whole]
        return data

    def _take_preface(self) -> bytes | None:
        data = bytes(self.buffer[: self._preface])
        wrong = not PREFACE.startswith(data)
        if not wrong and len(data) < self._preface:
            return None
        del self.buffer[: len(data)]
        self._preface = 0
        return data

    def _count(self, kind: int, flags: int, length: int) -> None:
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
        if not length and not flags & _END_STREAM:
            self._empty += 1
