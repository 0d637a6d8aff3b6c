"""The table of formats: each row is named as it is found, and encodes."""

from __future__ import annotations

from fanlight.profiling.formats import ENCODERS, FORMATS, JEHEAP
from fanlight.profiling.profile import Frame, Sample, StackProfile, ValueType


def test_each_format_is_found_by_its_name_and_encodes() -> None:
    profile = StackProfile(
        types=(ValueType("inuse_space", "bytes"),),
        default_type="inuse_space",
        period_type=ValueType("space", "bytes"),
        period=1,
        frames=[Frame("f", "f.py", 1)],
        samples=[Sample((0,), (1,))],
        time_nanos=1,
    )
    assert "pprof" in FORMATS
    for name, chosen in FORMATS.items():
        assert chosen.name == name
        assert chosen.field[0] == "content-type"
        assert b"".join(chosen.encode(profile))


def test_the_dump_of_the_form_is_no_format_of_a_query() -> None:
    assert ENCODERS.keys() == FORMATS.keys() | {JEHEAP.name}
    assert JEHEAP.name not in FORMATS
