"""`fanlight.observe.negotiation`: who gets which representation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format, choose

PROTO = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
TIGHT = PROTO.replace("; ", ";")
OM = "application/openmetrics-text;version=1.0.0"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_NATIVE = f"{TIGHT};q=0.7,{PROMETHEUS_3}"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([], TEXT),
        ([""], TEXT),
        (["*/*"], TEXT),
        ([BROWSER], TEXT),
        (["application/json, text/plain, */*"], TEXT),
        (["image/png"], TEXT),
        (["text/plain"], TEXT),
        (["text/plain;version=0.0.4"], TEXT),
        (["text/plain; charset=utf-8"], TEXT),
        ([PROTO], PROTOBUF),
        ([TIGHT], PROTOBUF),
        (["application/vnd.google.protobuf"], PROTOBUF),
        ([PROTO.replace("delimited", "text")], TEXT),
        ([PROTO.replace("client", "other")], TEXT),
        ([f"{PROTO};q=0"], TEXT),
        ([OM], OPENMETRICS),
        (["application/openmetrics-text"], OPENMETRICS),
        (["application/openmetrics-text; version=1.0.0; charset=utf-8"], OPENMETRICS),
        (["application/openmetrics-text;version=0.0.1"], TEXT),
        ([PROMETHEUS_3], OPENMETRICS),
        ([PROMETHEUS_NATIVE], PROTOBUF),
        ([f"{OM},text/plain;version=0.0.4;q=0.5"], OPENMETRICS),
        ([f"{OM};q=0.4,text/plain;version=0.0.4;q=0.5"], TEXT),
        ([f"text/plain,{OM},{TIGHT}"], PROTOBUF),
        ([f"text/plain;q=0.5,{OM};q=0.5,{TIGHT};q=0.5"], PROTOBUF),
        ([f"text/plain,{OM}"], OPENMETRICS),
        ([OM, TIGHT], PROTOBUF),
        (["text/plain;q=0, */*"], OPENMETRICS),
        (["*/*, text/plain;q=0.1"], OPENMETRICS),
        ([f"*/*;q=0.5, {TIGHT};q=0.5"], PROTOBUF),
        (["application/*"], OPENMETRICS),
        (["application/*, text/*"], TEXT),
    ],
)
def test_who_gets_what(values: list[str], form: Format) -> None:
    assert choose(values) is form
    assert choose(values) is form, "remembered otherwise"


def test_content_types() -> None:
    assert PROTOBUF.content_type == PROTO
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"


weights = st.integers(0, 10).map(lambda tenth: tenth / 10)


@given(weights, weights, weights, st.permutations(range(3)))
def test_the_highest_weight_wins_and_ties_have_an_order(
    proto: float, open_: float, text: float, order: list[int]
) -> None:
    elements = [f"{TIGHT};q={proto}", f"{OM};q={open_}", f"text/plain;q={text}"]
    wishes = [(proto, 2, PROTOBUF), (open_, 1, OPENMETRICS), (text, 0, TEXT)]
    best, _, wished = max(wishes, key=lambda wish: wish[:2])
    assert choose([",".join(elements[place] for place in order)]) is (wished if best else TEXT)


def test_long_fields_are_read_each_time() -> None:
    from fanlight.observe import negotiation

    before = negotiation._remembered.cache_info().currsize
    assert choose(["x/y," * 300 + OM]) is OPENMETRICS
    assert negotiation._remembered.cache_info().currsize == before
