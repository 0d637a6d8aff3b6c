"""Inputs without guidance: seeds as they are, seeds with a few bytes changed or put together, and noise."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st


@st.composite
def _spoilt(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=4)) + data[at + draw(st.integers(0, 4)) :]
    return data


def inputs(seeds: Sequence[bytes], most: int = 400) -> st.SearchStrategy[bytes]:
    """Bytes for a target that has these `seeds` (at least one)."""
    noise = st.binary(max_size=most)
    known = st.sampled_from(seeds)
    return st.one_of(_spoilt(seeds), st.tuples(known, noise).map(b"".join), noise)
