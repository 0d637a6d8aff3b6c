"""A small profile that every encoder is tested with."""

from __future__ import annotations

from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType

PROFILE = StackProfile(
    types=(ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes")),
    default_type="inuse_space",
    period_type=ValueType("space", "bytes"),
    period=1,
    frames=(
        Frame("<module>", "app.py", 1, 1),
        Frame("Office.sort;er", "app.py", 10, 8),
        Frame("line\nbreak\\", "other.py", 20, 20),
    ),
    samples=(
        Sample((1, 0), (2, 4096)),
        Sample((2, 1, 0), (1, 100), (("thread", "worker-1"),)),
    ),
    time_nanos=1,
)

CPU = StackProfile(
    types=(ValueType("samples", "count"), ValueType("cpu", "nanoseconds")),
    default_type="cpu",
    period_type=ValueType("cpu", "nanoseconds"),
    period=10_101_010,
    frames=PROFILE.frames,
    samples=(
        Sample((1, 0), (2, 20_500_000), (("thread", "MainThread"), ("annotation", "MainThread"), ("task", "ada"))),
        Sample((2, 0), (1, 1_000), (("thread", "worker-1"), ("annotation", "worker-1"))),
    ),
    time_nanos=1,
    duration_nanos=1_000_000_000,
    comments=("asked 99 Hz",),
    facts=(("Sampling time (s)", "1"), ("Sampling frequency (Hz)", "99")),
)
