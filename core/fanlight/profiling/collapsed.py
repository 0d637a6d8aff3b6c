"""Collapsed stacks: one stack a line, `root;…;leaf weight`, for flamegraph scripts.

Pure: a profile in, text out.  Only the default type is told; the format has
room for one number.
"""

from __future__ import annotations

from collections.abc import Iterator

from .profile import Sample, StackProfile

_LINES = 1000


def weight_index(profile: StackProfile) -> int:
    """The position of the profile's default type among its types."""
    return next(i for i, known in enumerate(profile.types) if known.type == profile.default_type)


def encode(profile: StackProfile) -> Iterator[bytes]:
    """The lines of `profile`, a thousand to a piece.  A `;` or a line end in a name becomes `:`."""
    index = weight_index(profile)
    names = [_name(frame.function) for frame in profile.frames]
    for start in range(0, len(profile.samples), _LINES):
        piece = profile.samples[start : start + _LINES]
        yield "".join(_line(sample, names, index) for sample in piece).encode(errors="replace")


def _line(sample: Sample, names: list[str], index: int) -> str:
    return f"{';'.join(names[frame] for frame in reversed(sample.stack))} {sample.values[index]}\n"


def _name(function: str) -> str:
    """A function's name without what separates frames and lines; never empty."""
    return function.replace(";", ":").replace("\n", ":").replace("\r", ":") or "?"
