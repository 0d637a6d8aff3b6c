"""`fanlight.observe.messages`: field by field what the schema says."""

from __future__ import annotations

import math

import pytest
from prometheus_client.core import Exemplar, Timestamp

from fanlight.observe import messages
from tests.core.observe.decoding import Family, labels
from tests.core.observe.decoding import messages as delimited
from tests.protobuf import decode


def test_labels_are_sorted_and_spelt_with_underscores() -> None:
    fields = decode(messages.labels([("z", "1"), ("a.b", "é")]))
    assert labels(fields[1]) == (("a_b", "é"), ("z", "1"))


@pytest.mark.parametrize(
    ("seconds", "fields"),
    [
        (1.5, {1: [1], 2: [500_000_000]}),
        (0, {1: [0], 2: [0]}),
        (Timestamp(7, 250_000_000), {1: [7], 2: [250_000_000]}),
        (-0.25, {1: [(1 << 64) - 1], 2: [750_000_000]}),
    ],
)
def test_moments(seconds: float, fields: dict[int, list[int]]) -> None:
    (data,) = decode(messages.moment(3, seconds))[3]
    assert decode(data) == fields


@pytest.mark.parametrize("seconds", [None, math.nan, math.inf, -math.inf, 1e300, -1e12])
def test_what_is_no_moment_is_left_out(seconds: float | None) -> None:
    assert messages.moment(3, seconds) == b""


@pytest.mark.parametrize(
    ("value", "field", "found"),
    [(3.0, 1, 3), (0, 1, 0), (2.5, 4, 2.5), (-1.0, 4, -1.0), (math.inf, 4, math.inf), (2.0**63, 4, 2.0**63)],
)
def test_counts_are_integers_where_they_can_be(value: float, field: int, found: float) -> None:
    assert decode(messages.count(1, 4, value)) == {field: [found]}


def test_a_count_that_is_no_number_is_a_double() -> None:
    assert math.isnan(decode(messages.count(1, 4, math.nan))[4][0])


def test_plain_numbers() -> None:
    assert decode(decode(messages.gauge(2))[2][0]) == {1: [2.0]}
    assert decode(decode(messages.untyped(2))[5][0]) == {1: [2.0]}
    assert decode(decode(messages.counter(2))[3][0]) == {1: [2.0]}


def test_a_counter_with_everything() -> None:
    body = decode(decode(messages.counter(2, 1.0, Exemplar({"t": "x"}, 0.5, 9)))[3][0])
    assert set(body) == {1, 2, 3}
    mark = decode(body[2][0])
    assert (labels(mark[1]), mark[2], decode(mark[3][0])[1]) == ((("t", "x"),), [0.5], [9])


def test_an_exemplar_without_a_moment() -> None:
    assert set(decode(messages.exemplar(Exemplar({"t": "x"}, 0.5)))) == {1, 2}


def test_a_summary() -> None:
    body = decode(decode(messages.summary(3, 4.5, [(0.5, 1), (0.9, 2)], 1.0))[4][0])
    assert (body[1], body[2]) == ([3], [4.5])
    assert [decode(each) for each in body[3]] == [{1: [0.5], 2: [1.0]}, {1: [0.9], 2: [2.0]}]
    assert decode(body[4][0])[1] == [1]


@pytest.mark.parametrize("total", [None, math.nan, -1.0, 1e30, math.inf])
def test_a_summary_whose_count_is_none(total: float | None) -> None:
    assert 1 not in decode(decode(messages.summary(total, 1.0))[4][0])


def test_a_histogram() -> None:
    buckets = [(0.5, 1, None), (math.inf, 2.5, Exemplar({"t": "x"}, 9))]
    body = decode(decode(messages.histogram(2.5, None, buckets, 1.0))[7][0])
    assert body[4] == [2.5]
    assert not {1, 2} & set(body)
    first, last = (decode(each) for each in body[3])
    assert first == {1: [1], 2: [0.5]}
    assert (last[4], last[2], 3 in last) == ([2.5], [math.inf], True)
    assert decode(body[15][0])[1] == [1]


def test_a_family_behind_its_length() -> None:
    head, tail = messages.family_head("a.b", 'say "hi"\n', messages.GAUGE, "bytes")
    parts = [messages.metric(messages.labels([("k", str(i))]), messages.gauge(i)) for i in range(3)]
    pieces = list(messages.message(head, parts, tail))
    assert len(pieces) == 5
    (data,) = delimited(b"".join(data for data, _ in pieces))
    family = Family(data)
    assert (family.name, family.doc, family.type, family.unit) == ("a_b", 'say "hi"\n', "gauge", "bytes")
    assert [value for _, _, value in family.readings()] == [0.0, 1.0, 2.0]


def test_the_numbers_of_the_types() -> None:
    names = ["COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"]
    assert [getattr(messages, name) for name in names] == [0, 1, 2, 3, 4, 5]
