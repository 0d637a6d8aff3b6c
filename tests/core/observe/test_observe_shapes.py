"""`fanlight.observe.shapes`: what a family shows, and which of fanlight's own are shown."""

from __future__ import annotations

import math

import pytest

from fanlight.observe.metrics import HttpMetrics
from fanlight.observe.shapes import Shape, Slot, names_of, walk_own


@pytest.mark.parametrize(
    ("shape", "slots"),
    [
        (Shape("counter", "c", ""), (Slot("_total"),)),
        (Shape("gauge", "g", ""), (Slot(""),)),
        (Shape("summary", "s", ""), (Slot("_count"), Slot("_sum"))),
        (
            Shape("histogram", "h", "", bounds=(0.5, 1e6, math.inf)),
            (
                Slot("_bucket", "0.5"),
                Slot("_bucket", "1e+06"),
                Slot("_bucket", "+Inf"),
                Slot("_count"),
                Slot("_sum"),
            ),
        ),
        (
            Shape("histogram", "h", "", bounds=(-1.0, math.inf)),
            (Slot("_bucket", "-1.0"), Slot("_bucket", "+Inf"), Slot("_count")),
        ),
    ],
)
def test_slots(shape: Shape, slots: tuple[Slot, ...]) -> None:
    assert shape.slots() == slots


def test_names_that_an_own_family_takes() -> None:
    assert names_of(Shape("counter", "c", "")) == {"c", "c_total"}
    assert names_of(Shape("histogram", "h", "")) == {"h", "h_bucket", "h_count", "h_sum"}


@pytest.mark.parametrize(
    "taken",
    ["mz_http_requests", "mz_http_requests_total", "mz_http_requests_active", "fanlight_event_loop_lag_seconds"],
)
def test_families_of_the_host_come_first(taken: str) -> None:
    families = HttpMetrics().families
    shown = [family.shape.name for _, family, _ in walk_own(families, {taken, "other"})]
    assert len(shown) == len(families) - 1
    assert taken.removesuffix("_total") not in shown
