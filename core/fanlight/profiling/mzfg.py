"""MZFG: flamegraph text with a header, stacks of addresses, and the names of the addresses.

    mz_fg_version: 1
    display_bytes: 1

    0x1;0x2; 4096
                                    (a blank line between the parts)
    0x1 main (app.py:3);

Pure: a profile in, text out.  Python has no addresses, so each line of a
function gets a number of its own, from 0x1.
"""

from __future__ import annotations

from collections.abc import Iterator

from .collapsed import weight_index
from .profile import Frame, Sample, StackProfile

_LINES = 1000


def encode(profile: StackProfile) -> Iterator[bytes]:
    """The text: header, stacks (root first), symbols; everything ends with a line end."""
    index = weight_index(profile)
    unit = profile.types[index].unit
    yield (_header(profile, index) + "\n").encode(errors="replace")
    for start in range(0, len(profile.samples), _LINES):
        piece = profile.samples[start : start + _LINES]
        yield "".join(_stack(sample, index, unit) for sample in piece).encode(errors="replace")
    yield b"\n"
    for start in range(0, len(profile.frames), _LINES):
        numbered = enumerate(profile.frames[start : start + _LINES], start + 1)
        yield "".join(f"0x{number:x} {_symbol(frame)};\n" for number, frame in numbered).encode(errors="replace")


def _header(profile: StackProfile, index: int) -> str:
    lines = ["mz_fg_version: 1"]
    if profile.types[index].unit == "bytes":
        lines.append("display_bytes: 1")
        total = sum(sample.values[index] for sample in profile.samples)
        lines.append(f"Allocated: {si(total)}")
    # A blank line would end the header, and a name with a colon be cut there.
    lines += [f"{_flat(name).replace(':', ' ')}: {_flat(value)}" for name, value in profile.facts]
    return "".join(f"{line}\n" for line in lines)


def _stack(sample: Sample, index: int, unit: str) -> str:
    stack = "".join(f"0x{frame + 1:x};" for frame in reversed(sample.stack))
    thread = dict(sample.labels).get("thread")
    return f"{stack} {_weight(sample.values[index], unit)}{f' {_flat(thread)}' if thread else ''}\n"


def _weight(value: int, unit: str) -> str:
    """Times are in seconds, which people can read; nothing weighs less than nothing."""
    return f"{max(0, value) / 1e9:.6f}" if unit == "nanoseconds" else str(max(0, value))


def _symbol(frame: Frame) -> str:
    text = _flat(f"{frame.function} ({frame.file}:{frame.line})")
    return text.replace("\\", "\\\\").replace(";", "\\;")


def _flat(text: str) -> str:
    """`text` on one line."""
    return text.replace("\n", " ").replace("\r", " ")


def si(number: int) -> str:
    """A number of bytes in SI units: `12.3 MB`."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
