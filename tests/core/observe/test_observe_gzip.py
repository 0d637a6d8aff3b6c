"""`fanlight.observe.gzip`: what was put in comes out, and is small enough."""

from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from fanlight.observe.exposition import Memory
from fanlight.observe.gzip import Gzip, compress, compressed
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT


@given(st.lists(st.binary(max_size=2000), max_size=6))
def test_slices_come_out_as_one_body(slices_: list[bytes]) -> None:
    body = b"".join(compressed(slices_))
    assert gzip.decompress(body) == b"".join(slices_)
    assert zlib.decompressobj(31).decompress(body) == b"".join(slices_)


def test_the_same_bytes_each_time() -> None:
    assert compress(b"x" * 5000) == compress(b"x" * 5000)
    assert gzip.decompress(compress(b"")) == b""


def test_a_stream_hands_out_what_is_ready() -> None:
    stream = Gzip()
    early = stream.add(bytes(range(256)) * 2000)
    assert early
    assert gzip.decompress(early + stream.end()) == bytes(range(256)) * 2000


def test_bodies_are_at_most_a_third_larger_than_at_level_nine() -> None:
    registry = CollectorRegistry()
    latency = Histogram("app_latency_seconds", "Time to answer.", ["method", "route", "tenant"], registry=registry)
    for index in range(500):
        child = latency.labels("GET", f"/api/v1/things/{index % 97}", f"tenant-{index:06d}")
        child._created = 1_700_000_000.0 + index / 8  # or the bodies would be others at each run
        for step in range(5):
            child.observe((index * 37 % 101) * step / 40)
    # Protobuf has little left to compress, and level 9 finds more of it: about half as large again.
    for form, most in ((TEXT, 1.35), (OPENMETRICS, 1.35), (PROTOBUF, 1.6)):
        parts = list(Memory().slices(form, registry))
        assert len(parts) > 3
        assert len(b"".join(compressed(parts))) <= most * len(gzip.compress(b"".join(parts), 9))
