"""A profile as a page with a flame graph: MZFG inside HTML.

Pure: a profile in, one document out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..pages.flamegraph import flamegraph_page
from . import mzfg
from .profile import StackProfile

_TITLES = {"inuse_space": "Heap Flamegraph", "cpu": "CPU Time Flamegraph", "wall": "Wall Time Flamegraph"}


def encode(profile: StackProfile) -> Iterator[bytes]:
    """The document, in one piece after those of its text; titled by what was measured."""
    pieces: list[bytes] = []
    for piece in mzfg.encode(profile):
        pieces.append(piece)
        yield b""
    title = _TITLES.get(profile.default_type, "Flamegraph")
    yield flamegraph_page(title, b"".join(pieces).decode())
