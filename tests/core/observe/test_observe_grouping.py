"""`fanlight.observe.grouping`: flat samples become metrics again, and none is lost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from prometheus_client.core import Exemplar, GaugeMetricFamily, Metric
from prometheus_client.samples import NativeHistogram

from fanlight.observe.grouping import collected
from tests.core.observe.decoding import Family, families
from tests.protobuf import decode


def written(family: Metric) -> list[Family]:
    return families(b"".join(data for data, _ in collected(family)))


def metric(type_: str, *samples: Any) -> Metric:
    made = Metric("x", "doc", type_)
    for suffix, labels, value, *more in samples:
        made.add_sample("x" + suffix, labels, value, *more)
    return made


@pytest.mark.parametrize(
    ("type_", "suffix", "name", "shown"),
    [
        ("counter", "_total", "x_total", "counter"),
        ("gauge", "", "x", "gauge"),
        ("unknown", "", "x", "unknown"),
        ("info", "_info", "x_info", "gauge"),
        ("stateset", "", "x", "gauge"),
    ],
)
def test_types_of_one_number(type_: str, suffix: str, name: str, shown: str) -> None:
    (family,) = written(metric(type_, (suffix, {"k": "v"}, 3)))
    assert (family.name, family.type) == (name, shown)
    assert list(family.readings()) == [(name, (("k", "v"),), 3.0)]


def test_a_histogram_is_put_together_by_its_labels() -> None:
    (family,) = written(
        metric(
            "histogram",
            ("_bucket", {"k": "1", "le": "0.5"}, 1),
            ("_bucket", {"k": "1", "le": "+Inf"}, 2, None, Exemplar({"t": "1"}, 9)),
            ("_count", {"k": "1"}, 2),
            ("_sum", {"k": "1"}, 9.5),
            ("_bucket", {"k": "2", "le": "+Inf"}, 7),
        )
    )
    first, second = family.metrics
    body = decode(first[7][0])
    assert (body[1], body[2], len(body[3])) == ([2], [9.5], 2)
    assert decode(body[3][1])[2] == [math.inf]
    assert 3 in decode(body[3][1])
    assert decode(second[7][0])[1] == [7], "without a count the last bucket is it"


def test_a_summary_with_quantiles() -> None:
    (family,) = written(metric("summary", ("", {"quantile": "0.5"}, 1.5), ("_count", {}, 3), ("_sum", {}, 4)))
    body = decode(family.metrics[0][4][0])
    assert (body[1], body[2], decode(body[3][0])) == ([3], [4.0], {1: [0.5], 2: [1.5]})


def test_strangers_follow_as_untyped() -> None:
    found = written(
        metric("counter", ("_total", {}, 1), ("_bucket", {"le": "1"}, 2), ("_bucket", {"le": "2"}, 3), ("", {}, 4))
    )
    assert [(family.name, family.type, len(family.metrics)) for family in found] == [
        ("x_total", "counter", 1),
        ("x_bucket", "unknown", 2),
        ("x", "unknown", 1),
    ]


def test_a_bucket_without_a_bound_is_a_stranger() -> None:
    (family,) = written(metric("histogram", ("_bucket", {}, 1)))
    assert (family.name, family.type) == ("x_bucket", "unknown")


def test_moments_in_milliseconds_tell_metrics_apart() -> None:
    (family,) = written(metric("gauge", ("", {}, 1, 1.5), ("", {}, 2, 2.5), ("", {}, 3)))
    assert [found.get(6) for found in family.metrics] == [[1500], [2500], None]


def test_a_moment_that_no_field_holds_is_left_out() -> None:
    (family,) = written(metric("gauge", ("", {}, 1, 1e30)))
    assert 6 not in family.metrics[0]


def test_nothing_without_samples_and_no_native_histograms() -> None:
    assert written(metric("gauge")) == []
    native = metric("histogram")
    native.add_sample("x", {}, 1, native_histogram=NativeHistogram(1, 1, 0, 0, 0))
    assert written(native) == []


def test_many_samples_are_grouped_in_batches() -> None:
    family = GaugeMetricFamily("big", "doc", labels=["i"])
    for index in range(1000):
        family.add_metric([str(index)], index)
    pieces = list(collected(family))
    assert max(work for _, work in pieces) <= 640
    assert len(pieces) > 30
    (made,) = families(b"".join(data for data, _ in pieces))
    assert [value for _, _, value in made.readings()] == list(range(1000))
