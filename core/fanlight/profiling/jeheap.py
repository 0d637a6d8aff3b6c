"""jemalloc's textual heap dump, as far as a Python heap has it.

    heap_v2/1
      t*: 3: 4196 [0: 0]
    @ 0x2 0x1
      t*: 2: 4096 [0: 0]

    MAPPED_LIBRARIES:

Pure: a profile in, text out.  The sampling rate 1 in the first line means that
every block is there.  Addresses are the numbers that MZFG gives to the same
frames; they mean nothing beyond this text.
"""

from __future__ import annotations

from collections.abc import Iterator

from .profile import Sample, StackProfile

_STACKS = 1000


def encode(profile: StackProfile) -> Iterator[bytes]:
    """The dump of a heap profile: its types are blocks and bytes, in this order."""
    blocks = sum(sample.values[0] for sample in profile.samples)
    size = sum(sample.values[1] for sample in profile.samples)
    yield f"heap_v2/1\n  {_counts(blocks, size)}".encode()
    for start in range(0, len(profile.samples), _STACKS):
        yield "".join(_stack(sample) for sample in profile.samples[start : start + _STACKS]).encode()
    yield b"\nMAPPED_LIBRARIES:\n"


def _stack(sample: Sample) -> str:
    """A stack, leaf first, and what is alive of it."""
    addresses = "".join(f" 0x{frame + 1:x}" for frame in sample.stack)
    return f"@{addresses}\n  {_counts(sample.values[0], sample.values[1])}"


def _counts(blocks: int, size: int) -> str:
    # In brackets is what was allocated since the beginning, which nobody counted.
    return f"t*: {blocks}: {size} [0: 0]\n"
