"""A reader of pprof profiles for tests: shares no code with the encoder, and minds the rules that pprof minds."""

from __future__ import annotations

import gzip

from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType
from tests.protobuf import Fields, take_varint
from tests.protobuf import decode as fields


def read(body: bytes) -> StackProfile:
    """The profile in the body of an answer."""
    return decode(gzip.decompress(body))[0]


def packed(data: bytes) -> tuple[int, ...]:
    """A packed field of int64."""
    values: list[int] = []
    at = 0
    while at < len(data):
        value, at = take_varint(data, at)
        values.append(value - (1 << 64) if value >> 63 else value)
    return tuple(values)


def decode(data: bytes) -> tuple[StackProfile, Fields]:
    """The profile that a pprof message tells, and its raw fields."""
    raw = fields(data)
    strings = [text.decode() for text in raw[6]]
    assert strings[0] == ""
    assert len(set(strings)) == len(strings)

    def kind(data: bytes) -> ValueType:
        told = fields(data)
        return ValueType(strings[told[1][0]], strings[told[2][0]])

    functions = {told[1][0]: told for told in map(fields, raw.get(5, []))}
    locations = {told[1][0]: told for told in map(fields, raw.get(4, []))}
    assert 0 not in functions
    assert 0 not in locations
    frames = []
    for place in locations.values():
        line = fields(place[4][0])
        function = functions[line[1][0]]
        assert 3 not in function
        assert place[2] == [1]
        frames.append(Frame(strings[function[2][0]], strings[function[4][0]], line[2][0], function[5][0]))
    order = {location: index for index, location in enumerate(locations)}
    samples = []
    for told in map(fields, raw.get(2, [])):
        labels = [fields(label) for label in told.get(3, [])]
        samples.append(
            Sample(
                tuple(order[location] for location in packed(told.get(1, [b""])[0])),
                packed(told[2][0]),
                tuple((strings[label[1][0]], strings[label[2][0]]) for label in labels),
            )
        )
    (mapping,) = map(fields, raw[3])
    assert (mapping[1], mapping[7], mapping[8], mapping[9]) == ([1], [1], [1], [1])
    profile = StackProfile(
        types=tuple(map(kind, raw[1])),
        default_type=strings[raw[14][0]],
        period_type=kind(raw[11][0]),
        period=raw[12][0],
        frames=frames,
        samples=samples,
        time_nanos=raw[9][0],
        duration_nanos=raw.get(10, [0])[0],
        comments=tuple(strings[index] for index in raw.get(13, [])),
        program=strings[mapping[5][0]],
    )
    return profile, raw
