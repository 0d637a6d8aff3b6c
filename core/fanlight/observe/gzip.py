"""Compression of a body that is made slice by slice.

zlib's level 1: a scrape compresses to about an eighth, for a fourteenth of the
time of level 9 and a fifth more bytes.  Deflates only; who may have it is
negotiated by `http.media`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

LEVEL = 1
WINDOW = 15
"""The logarithm of the largest window."""
MEMORY = 7
"""Half of zlib's usual tables: no worse on such texts."""
_GZIP = 16
"""Added to the window: the gzip format (RFC 1952)."""
_LEAST = 13
"""The smallest window: below it zlib gets slower, not leaner."""
_MARGIN = 262
"""How much shorter than the window zlib's longest distance is."""


class Gzip:
    """One gzip member: feed it with `add`, end it with `end`.

    `size` is the number of bytes to come, if that is known: a window that just
    holds them spares most of the memory that would have to be made ready for a
    small body.
    """

    def __init__(self, size: int | None = None) -> None:
        window = WINDOW if size is None else max(_LEAST, min(WINDOW, (size + _MARGIN).bit_length()))
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + window, MEMORY - (window < WINDOW))

    def add(self, data: bytes) -> bytes:
        """Compress `data`; returns what is ready to be sent, often nothing."""
        return self._deflate.compress(data)

    def end(self) -> bytes:
        """The rest, with the checksum.  Nothing may be added afterwards."""
        return self._deflate.flush()


def compressed(slices: Iterable[bytes]) -> Iterator[bytes]:
    """One gzip member of all `slices`: for each slice what is ready, and last the rest."""
    stream = Gzip()
    for data in slices:
        yield stream.add(data)
    yield stream.end()


def compress(data: bytes) -> bytes:
    """One gzip member of `data`; the same bytes each time (no name, no time)."""
    stream = Gzip(len(data))
    return stream.add(data) + stream.end()
