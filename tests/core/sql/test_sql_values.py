"""Text forms of values: the documented examples, and properties over all values."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from math import inf, nan
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.values import (
    Descriptor,
    bytes_json,
    days_from_civil,
    float32_text,
    float_text,
    fraction,
    interval_text,
    text_column,
    time_text,
    timestamp_text,
    widened,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "2.5"),
        (3.0, "3.0"),
        (-0.0, "-0.0"),
        (1e21, "1e21"),
        (1e16, "1e16"),
        (1e15, "1000000000000000.0"),
        (123456789012345680.0, "1.2345678901234568e17"),
        (1e-5, "0.00001"),
        (-1.25e-5, "-0.0000125"),
        (1e-6, "1e-6"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (0.1, "0.1"),
    ],
)
def test_doubles(value: float, text: str) -> None:
    assert float_text(value) == text


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_json_has_no_number_for(value: float) -> None:
    assert float_text(value) is None
    assert float32_text(value) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back(value: float) -> None:
    text = float_text(value)
    assert text is not None
    assert pack("d", float(text)) == pack("d", value)
    assert re.fullmatch(r"-?(\d+\.\d+|\d(\.\d+)?e-?\d+)", text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_singles_read_back_and_are_no_longer_than_needed(value: float) -> None:
    text = float32_text(value)
    assert text is not None
    assert pack("f", float(text)) == pack("f", value)
    digits = len(text.partition("e")[0].replace(".", "").replace("-", "").strip("0"))
    if digits > 1:
        shorter = float(f"{value:.{digits - 2}e}")
        assert abs(shorter) > 3.4e38 or pack("f", shorter) != pack("f", value)


def test_a_single_is_not_what_it_widens_to() -> None:
    assert float32_text(widened(1.1)) == "1.1"
    assert float32_text(1e-45) == "1e-45"
    assert float32_text(3.4028234663852886e38) == "3.4028235e38"


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0.000"), (1933135628901234, "1933135628901.234"), (-1, "-1.999"), (-1000, "-1.000"), (-1001, "-2.999")],
)
def test_timestamps_with_their_quirk(micros: int, text: str) -> None:
    assert timestamp_text(micros) == text


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "00:00:00"),
        (86_398_000_000_000, "23:59:58"),
        (250_000_000, "00:00:00.250"),
        (1_000, "00:00:00.000001"),
        (1, "00:00:00.000000001"),
        (86_400_000_000_000, "24:00:00"),
    ],
)
def test_times(nanos: int, text: str) -> None:
    assert time_text(nanos) == text


@given(st.integers(0, 999_999_999))
def test_fractions_have_as_few_digits_as_they_need(nanos: int) -> None:
    text = fraction(nanos)
    assert len(text) in (0, 4, 7, 10)
    assert int(text[1:].ljust(9, "0") or 0) == nanos
    assert text[-3:] != "000"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((0, 0, 0), "00:00:00"),
        ((0, 3, 14_706_000_000), "3 days 04:05:06"),
        ((14, 1, 0), "1 year 2 mons 1 day"),
        ((-13, 0, 0), "-1 years -1 mons"),
        ((1, -1, 0), "1 mon -1 days"),
        ((-1, 3, -1_000_000), "-1 mons +3 days -00:00:01"),
        ((0, -1, 500_000), "-1 days +00:00:00.5"),
        ((0, 0, 360_000_000_000), "100:00:00"),
        ((0, 0, -4), "-00:00:00.000004"),
    ],
)
def test_intervals(parts: tuple[int, int, int], text: str) -> None:
    assert interval_text(*parts) == text


def test_bytes_are_numbers() -> None:
    assert bytes_json(b"\x00\xff\x10") == "[0,255,16]"
    assert bytes_json(b"") == "[]"


@given(st.dates())
def test_days(day: date) -> None:
    expected = (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(1)
    assert days_from_civil(day.year, day.month, day.day) == expected


@given(st.integers(-300_000, 300_000), st.integers(1, 12), st.integers(1, 28))
def test_days_far_away(year: int, month: int, day: int) -> None:
    """400 years are always 146,097 days."""
    assert days_from_civil(year + 400, month, day) - days_from_civil(year, month, day) == 146_097


def test_a_text_column() -> None:
    assert text_column("a") == Descriptor("a", 25, -1, -1)
