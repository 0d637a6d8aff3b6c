"""The pprof format: a `StackProfile` as a gzipped `perftools.profiles.Profile`.

Field numbers are those of profile.proto, which `go tool pprof` and its many
relatives read.  The encoder is a pure generator: it yields pieces, so that
whoever drives it inside a busy process can give way between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..protobuf import field_bytes, field_varint, packed_varints
from .profile import Frame, Sample, StackProfile, ValueType

BATCH = 200
"""How many samples, frames or strings make one piece: about a millisecond of work."""


class _Strings:
    """The string table: index 0 is the empty string, each string is kept once.

    Filled while the rest of the message is made and written last: until then
    not all strings are known.  The order of fields means nothing to protobuf.
    """

    def __init__(self) -> None:
        self._index = {"": 0}

    def add(self, text: str) -> int:
        """The index of `text`, given at first sight."""
        return self._index.setdefault(text, len(self._index))

    def encode(self) -> Iterator[bytes]:
        """The table as fields 6 in the order of the indices, in pieces."""
        table = list(self._index)
        for start in range(0, len(table), BATCH):
            # A file name may hold bytes that were no UTF-8 (PEP 383); pprof wants UTF-8.
            yield b"".join(field_bytes(6, text.encode(errors="replace")) for text in table[start : start + BATCH])


def encode(profile: StackProfile) -> Iterator[bytes]:
    """Yield pieces whose concatenation is the gzipped profile (no time, no name in the gzip header).

    Level 6 is zlib's own default.
    """
    import zlib

    pressing = zlib.compressobj(6, zlib.DEFLATED, 31)
    for piece in message(profile):
        yield pressing.compress(piece)
    yield pressing.flush()


def message(profile: StackProfile) -> Iterator[bytes]:
    """Yield pieces whose concatenation is the Profile message, not compressed."""
    strings = _Strings()
    yield _head(profile, strings)
    yield from _samples(profile.samples, strings)
    yield from _locations(profile.frames, strings)
    yield from strings.encode()


def _head(profile: StackProfile, strings: _Strings) -> bytes:
    """All that there is once: types, mapping, times, period, comments."""
    parts = [field_bytes(1, _value_type(kind, strings)) for kind in profile.types]
    parts.append(field_bytes(3, _mapping(profile.program, strings)))
    parts.append(field_varint(9, profile.time_nanos))
    if profile.duration_nanos:
        parts.append(field_varint(10, profile.duration_nanos))
    parts.append(field_bytes(11, _value_type(profile.period_type, strings)))
    parts.append(field_varint(12, profile.period))
    parts += [field_varint(13, strings.add(comment)) for comment in profile.comments]
    parts.append(field_varint(14, strings.add(profile.default_type)))
    return b"".join(parts)


def _value_type(kind: ValueType, strings: _Strings) -> bytes:
    return field_varint(1, strings.add(kind.type)) + field_varint(2, strings.add(kind.unit))


def _mapping(program: str, strings: _Strings) -> bytes:
    # Without a mapping pprof complains that it knows no main binary.  Fields 7,
    # 8 and 9 say that functions, files and lines are known: nothing is to be
    # looked up in the program's file.
    known = field_varint(7, 1) + field_varint(8, 1) + field_varint(9, 1)
    return field_varint(1, 1) + field_varint(5, strings.add(program)) + known


def _samples(samples: Sequence[Sample], strings: _Strings) -> Iterator[bytes]:
    for start in range(0, len(samples), BATCH):
        yield b"".join(field_bytes(2, _sample(one, strings)) for one in samples[start : start + BATCH])


def _sample(sample: Sample, strings: _Strings) -> bytes:
    # Location 0 means "none": locations are numbered from 1.
    body = packed_varints(1, [index + 1 for index in sample.stack]) + packed_varints(2, sample.values)
    for key, text in sample.labels:
        body += field_bytes(3, field_varint(1, strings.add(key)) + field_varint(2, strings.add(text)))
    return body


def _locations(frames: Sequence[Frame], strings: _Strings) -> Iterator[bytes]:
    """Fields 4 and 5: a location for each frame, a function for each (name, file, first line)."""
    functions: dict[tuple[str, str, int], int] = {}
    for start in range(0, len(frames), BATCH):
        pieces: list[bytes] = []
        # A location has no address: `<id, mapping, line>` is all that is known of a Python frame.
        for number, frame in enumerate(frames[start : start + BATCH], start + 1):
            key = (frame.function, frame.file, frame.first_line)
            if key not in functions:
                functions[key] = len(functions) + 1
                pieces.append(field_bytes(5, _function(functions[key], frame, strings)))
            line = field_varint(1, functions[key]) + field_varint(2, frame.line)
            pieces.append(field_bytes(4, field_varint(1, number) + field_varint(2, 1) + field_bytes(4, line)))
        yield b"".join(pieces)


def _function(number: int, frame: Frame, strings: _Strings) -> bytes:
    # Field 3, the system name, stays empty: a name that equals it is taken for
    # a mangled one, and `<module>` and `<lambda>` come out as nothing.
    name = field_varint(2, strings.add(frame.function)) + field_varint(4, strings.add(frame.file))
    return field_varint(1, number) + name + field_varint(5, frame.first_line)
