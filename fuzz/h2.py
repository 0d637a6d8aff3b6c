"""HTTP/2 conversations: any frames, in any pieces, get frames that a strict reader accepts."""

from __future__ import annotations

from fuzz.conversation import cut, talk
from tests.protocol.frames import START, Told


def one_input(data: bytes) -> None:
    """The first byte says how `data`, frames behind a good preface, is cut."""
    if not data:
        return
    size, sent = data[0] % 64 + 1, START + data[1:4000]
    (whole, closed), (pieces, closed_too) = talk([sent]), talk(cut(sent, size))
    one, other = Told().take(whole), Told().take(pieces)
    assert one.whole
    assert (one.answers, one.bodies, one.resets, one.pongs) == (other.answers, other.bodies, other.resets, other.pongs)
    assert one.goaway == other.goaway
    assert closed == closed_too
    assert one.goaway is None or closed
