"""`fanlight.observe.numbers`: Go's spelling, and a memory that never shows."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from fanlight.observe.numbers import bucket_texts, histogram_texts, number, number_text, texts
from tests.core.observe.registries import current, numbers

values = numbers | st.integers(-(10**12), 10**12) | st.booleans()


class Real(float):
    """A float that shows itself differently, as those of numpy do."""

    def __repr__(self) -> str:
        return f"Real({float(self)})"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0, "0.0"),
        (True, "1.0"),
        (999999.0, "999999.0"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (-1234567.0, "-1234567.0"),
        (1e10, "1e+10"),
        (1e16, "1e+16"),
        (1e-7, "1e-07"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (-math.nan, "NaN"),
        (Real(1.5), "1.5"),
        ("2.5", "2.5"),
    ],
)
def test_known_numbers(value: object, shown: str) -> None:
    assert number_text(value) == shown
    assert number(value) == shown.encode()


@current
@given(values)
def test_every_number_is_spelt_like_theirs(value: float) -> None:
    assert number_text(value) == floatToGoString(value)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("value", ["x", None, [], "\ud800"])
def test_what_is_no_number_raises(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        number(value)


@given(st.lists(st.tuples(values | st.builds(Real, st.floats()), values, st.booleans())))
def test_texts_are_those_of_the_numbers_whatever_was_before(given_: list[tuple[Any, Any, bool]]) -> None:
    now = [new if changed else old for new, old, changed in given_]
    before = [old for _, old, _ in given_]
    assert texts(now, before, [number(old) for old in before]) == tuple([number(value) for value in now])


def test_a_zero_that_changed_its_sign_is_written_anew() -> None:
    assert texts([-0.0], [0.0], [b"0.0"]) == (b"-0.0",)


def test_an_unchanged_number_keeps_its_text() -> None:
    value = 0.1
    assert texts([value], [value], [b"kept"]) == (b"kept",)


@given(st.lists(st.floats(0, 1e9) | st.just(0.0) | st.just(math.inf), max_size=10))
def test_buckets_are_running_totals(counts: list[float]) -> None:
    totals = list(accumulate(counts, initial=0.0))[1:]
    assert bucket_texts(counts) == [number(total) for total in totals]


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 3).map(float), min_size=3, max_size=3), st.floats()), max_size=5),
    st.booleans(),
    st.sets(st.integers(0, 19), max_size=4),
)
def test_histograms_in_a_row(found: list[tuple[list[float], float]], summed: bool, moved: set[int]) -> None:
    def expected(values: tuple[float, ...]) -> tuple[bytes, ...]:
        lines: list[bytes] = []
        for start in range(0, len(values), 4):
            totals = bucket_texts(values[start : start + 3])
            lines += [*totals, totals[-1]] + ([number(values[start + 3])] if summed else [])
        return tuple(lines)

    before = tuple([value for counts, sum_ in found for value in (*counts, sum_)])
    now = tuple([value + 1 if index in moved else value for index, value in enumerate(before)])
    cold = histogram_texts(before, 3, summed, (None,) * len(before), (b"",) * len(found) * (4 + summed))
    assert cold == expected(before)
    assert histogram_texts(now, 3, summed, before, cold) == expected(now)
