"""The pprof encoder against a reader that shares nothing with it."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from fanlight.profiling.pprof import BATCH, encode, message
from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType
from tests.pprof import decode

HEAP = StackProfile(
    types=(ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes")),
    default_type="inuse_space",
    period_type=ValueType("space", "bytes"),
    period=1,
    frames=[
        Frame("Box.fill.<locals>.<lambda>", "box.py", 12, 12),
        Frame("Box.fill", "box.py", 12, 10),
        Frame("Box.fill", "box.py", 14, 10),
        Frame("<module>", "main.py", 3),
    ],
    samples=[Sample((0, 1, 3), (2, 300)), Sample((2, 3), (1, 1 << 40), (("thread", "MainThread"),))],
    time_nanos=1_700_000_000_123_456_789,
    comments=("first", "second"),
    program="python3.11",
)


def encoded(profile: StackProfile) -> bytes:
    return b"".join(message(profile))


def test_a_profile_comes_back_whole() -> None:
    profile, raw = decode(encoded(HEAP))
    assert profile == HEAP
    # Two lines of one function are two locations of one function.
    assert (len(raw[4]), len(raw[5])) == (4, 3)


def test_the_body_is_gzip_and_the_same_each_time() -> None:
    body = b"".join(encode(HEAP))
    assert gzip.decompress(body) == encoded(HEAP)
    assert body == b"".join(encode(HEAP))
    # RFC 1952: no flags, hence no name, and no time.
    assert body[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


def test_an_empty_profile_is_valid() -> None:
    empty = StackProfile(
        types=(ValueType("samples", "count"),),
        default_type="samples",
        period_type=ValueType("cpu", "nanoseconds"),
        period=10_000_000,
        frames=[],
        samples=[],
        time_nanos=1,
        duration_nanos=1_000_000_000,
    )
    assert decode(encoded(empty))[0] == empty


def test_names_that_are_no_unicode_do_not_stop_the_encoder() -> None:
    strange = StackProfile(
        types=HEAP.types,
        default_type="inuse_space",
        period_type=HEAP.period_type,
        period=1,
        frames=[Frame("f", "caf\udce9.py", 1)],
        samples=[Sample((0,), (1, 1))],
        time_nanos=1,
    )
    assert decode(encoded(strange))[0].frames[0].file == "caf?.py"


def test_large_profiles_come_in_pieces() -> None:
    count = 3 * BATCH + 1
    large = StackProfile(
        types=HEAP.types,
        default_type="inuse_space",
        period_type=HEAP.period_type,
        period=1,
        frames=[Frame(f"f{index}", f"m{index % 7}.py", index) for index in range(count)],
        samples=[Sample((index, count - index - 1), (index, -index)) for index in range(count)],
        time_nanos=1,
    )
    pieces = list(message(large))
    assert len(pieces) >= 12
    assert max(map(len, pieces)) < 40 * BATCH
    assert decode(b"".join(pieces))[0] == large


names = st.text(min_size=1, max_size=8)
numbers = st.integers(0, (1 << 63) - 1)
kinds = st.builds(ValueType, names, names)


@st.composite
def profiles(draw: st.DrawFn) -> StackProfile:
    types = draw(st.lists(kinds, min_size=1, max_size=3))
    frames = draw(st.lists(st.builds(Frame, names, names, st.integers(0, 9), st.integers(0, 9)), max_size=8))
    places = st.lists(st.integers(0, len(frames) - 1), max_size=6) if frames else st.just([])
    values = st.tuples(*[st.integers(-(1 << 63), (1 << 63) - 1)] * len(types))
    labels = st.lists(st.tuples(names, names), max_size=2).map(tuple)
    return StackProfile(
        types=tuple(types),
        default_type=types[0].type,
        period_type=draw(kinds),
        period=draw(numbers),
        frames=frames,
        samples=draw(st.lists(st.builds(Sample, places.map(tuple), values, labels), max_size=6)),
        time_nanos=draw(numbers),
        duration_nanos=draw(numbers),
        comments=tuple(draw(st.lists(names, max_size=3))),
        program=draw(names),
    )


@given(profiles())
def test_every_profile_comes_back(profile: StackProfile) -> None:
    decoded, _ = decode(encoded(profile))
    assert decoded == profile
