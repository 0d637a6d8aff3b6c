"""Time and randomness as arguments, so that every run can be repeated to the byte.

The core never reads a clock and never draws a random number: the host passes
a `Now` with each input and an `Entropy` when the server is made.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen


@frozen
class Now:
    """One moment, told by both clocks.

    `mono` (seconds, never goes back) is for deadlines and durations; `wall`
    (Unix seconds) is for the Date field, token expiry and session expiry.
    """

    mono: float
    wall: float


class Entropy(Protocol):
    """A source of bytes that nobody can guess (the host's operating system)."""

    def token(self, nbytes: int, /) -> bytes:
        """Return `nbytes` fresh random bytes."""
        ...
