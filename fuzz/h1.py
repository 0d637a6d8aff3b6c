"""HTTP/1.1 conversations: any bytes, in any pieces, are answered, refused or waited for, always alike."""

from __future__ import annotations

from fanlight.wire.heads import CONTINUE
from fuzz.conversation import cut, talk


def one_input(data: bytes) -> None:
    """The first byte says how `data` is cut; cut or whole, the conversation is the same."""
    if not data:
        return
    size, sent = data[0] % 64 + 1, data[1:4000]
    (whole, closed), (pieces, closed_too) = talk([sent]), talk(cut(sent, size))
    # Whether 100 is sent depends on how much of the body is there, and nothing else may.
    assert whole.replace(CONTINUE, b"") == pieces.replace(CONTINUE, b"")
    assert closed == closed_too
