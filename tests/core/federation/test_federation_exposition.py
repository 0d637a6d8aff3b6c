"""`fanlight.federation.exposition`: text and protobuf of others, read strictly and into the same families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.core import GaugeHistogramMetricFamily

from fanlight.federation import exposition
from fanlight.federation.effects import Steps, finish
from fanlight.federation.exposition import Families, Line, Sink, Undecodable, read_line
from fanlight.observe.exposition import Memory
from fanlight.observe.negotiation import PROTOBUF, TEXT
from fanlight.protobuf import delimited, field_bytes, field_double, field_varint


@frozen
class Read:
    """A family with its samples."""

    name: str
    kind: str
    doc: str
    lines: list[Line]


Reader = Callable[[bytes, Sink], Steps[Families]]


def read(reader: Reader, data: bytes) -> dict[str, Read]:
    lines: dict[str, list[Line]] = {}
    families = finish(reader(data, lambda family, line: lines.setdefault(family.name, []).append(line)))
    assert families.keys() == lines.keys()
    return {name: Read(name, family.kind, family.doc, lines[name]) for name, family in families.items()}


def read_text(data: bytes) -> dict[str, Read]:
    return read(exposition.read_text, data)


def read_protobuf(data: bytes) -> dict[str, Read]:
    return read(exposition.read_protobuf, data)


def read_one(text: str) -> Line:
    families = read_text(text.encode())
    (family,) = families.values()
    (line,) = family.lines
    return line


def test_a_family() -> None:
    families = read_text(b'# HELP a A \\\\ b\\nc\n# TYPE a gauge\na{x="1"} 1.5\na{x="2"} 2 1700000000000\n')
    assert list(families) == ["a"]
    family = families["a"]
    assert (family.name, family.kind, family.doc) == ("a", "gauge", "A \\ b\nc")
    assert family.lines == [Line("a", (("x", "1"),), "1.5"), Line("a", (("x", "2"),), "2 1700000000000")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a 1", Line("a", (), "1")),
        ("a{} 1", Line("a", (), "1")),
        ("a:b_2\t+Inf", Line("a:b_2", (), "+Inf")),
        ("a NaN -5", Line("a", (), "NaN -5")),
        ('a{x="y",} 1e-7', Line("a", (("x", "y"),), "1e-7")),
        ('a { x = "y" , z = "" } 1', Line("a", (("x", "y"), ("z", "")), "1")),
        (r'a{x="q\"\\\n\t"} 1', Line("a", (("x", 'q"\\\n\\t'),), "1")),
        ('a{x="} 9"} 1', Line("a", (("x", "} 9"),), "1")),
        ('a{x="a\u2028b\x0bc"} 1', Line("a", (("x", "a\u2028b\x0bc"),), "1")),
        ("  a 1  \r", Line("a", (), "1")),
    ],
)
def test_lines(text: str, line: Line) -> None:
    assert read_one(text) == line
    assert read_line(text.strip(" \r")) == line


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a1.5",
        "a x",
        "a 1_000",
        "a 1 2 3",
        "a 1 1.5",
        "1a 1",
        "a-b 1",
        "a{x} 1",
        'a{x="y} 1',
        'a{x="y"z="w"} 1',
        'a{1x="y"} 1',
        "a{,} 1",
        "a{x='y'} 1",
        '{"a.b"} 1',
        "a 0x10",
        "a 1 # {} 2",
        "\xff 1",
        "<html>",
        '{"json": true}',
        "# TYPE h histogram\nh_bucket 1",
        '# TYPE h histogram\nh_bucket{le="x"} 1',
        "# TYPE s summary\ns 1",
    ],
)
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(Undecodable):
        read_text(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(Undecodable, match="UTF-8"):
        read_text(b"a 1\n\xff\xfe")


def test_other_comments_and_empty_lines_are_passed_over() -> None:
    text = b"\n# a remark\n#\n# EOF\n# HELP\n# TYPE 1bad gauge\n\n# TYPE a strange\na 1\n"
    assert {name: family.kind for name, family in read_text(text).items()} == {"a": "untyped"}


def test_samples_go_to_the_family_whose_type_has_them() -> None:
    text = """# TYPE h histogram
h_bucket{le="+Inf"} 1
h_sum 2
h_count 1
h_other 3
# TYPE c counter
c_total 4
c 5
# TYPE s summary
s{quantile="0.5"} 6
s_sum 6
h_count{late="1"} 9
"""
    shown = {name: (family.kind, len(family.lines)) for name, family in read_text(text.encode()).items()}
    assert shown == {
        "h": ("histogram", 3),
        "h_other": ("untyped", 1),
        "c_total": ("untyped", 1),
        "c": ("counter", 1),
        "s": ("summary", 2),
        "h_count": ("untyped", 1),
    }


def test_a_family_that_comes_again_is_one() -> None:
    families = read_text(b'# HELP a first\n# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# HELP a other\na{x="1"} 2\n')
    assert [(each.name, each.doc, len(each.lines)) for each in families.values()] == [("a", "first", 2), ("b", "", 1)]


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Counter("orders", 'Orders "taken"\n.', ["country"], registry=made).labels('d"e\\\n').inc(3)
    Gauge("depth", "Depth.", registry=made).set(-1.5)
    Histogram("wait_seconds", "Wait.", ["q"], buckets=(0.1, 1), registry=made).labels("a").observe(0.5)
    Summary("size_bytes", "Size.", registry=made).observe(7)
    Info("build", "Build.", registry=made).info({"v": "1"})
    Enum("state", "State.", states=["on", "off"], registry=made)

    class Boxes:
        def collect(self) -> Any:
            yield GaugeHistogramMetricFamily("box", "Boxes.", buckets=[("1.0", 1), ("+Inf", 3)], gsum_value=9)

    made.register(Boxes())
    return made


def exposed(form: Any, made: CollectorRegistry) -> bytes:
    return b"".join(Memory().slices(form, made))


def test_both_formats_are_read_into_the_same_families() -> None:
    made = registry()
    text, protobuf = read_text(exposed(TEXT, made)), read_protobuf(exposed(PROTOBUF, made))

    def simple(families: Any) -> Any:
        return {
            name: (
                family.kind,
                family.doc,
                sorted((each.name, sorted(each.labels), float(each.rest)) for each in family.lines),
            )
            for name, family in families.items()
            if not name.endswith("_created")  # fields of their messages in protobuf
        }

    assert simple(text) == simple(protobuf)
    assert {"orders_total", "depth", "wait_seconds", "size_bytes", "build_info", "state", "box"} <= text.keys()


def message(kind: int, *metrics: bytes, name: bytes = b"a") -> bytes:
    head = field_bytes(1, name) + field_bytes(2, b"help") + field_varint(3, kind)
    return delimited(head + b"".join(field_bytes(4, each) for each in metrics))


def test_what_only_other_encoders_write() -> None:
    native = field_bytes(7, field_varint(1, 4) + field_double(2, 2.5))
    quantile = field_bytes(
        4, field_varint(1, 2) + field_double(2, 3.0) + field_bytes(3, field_double(1, 0.5) + field_double(2, 1.0))
    )
    timed = field_bytes(2, field_double(1, 1.0)) + field_varint(6, -5)
    families = read_protobuf(
        message(4, native, name=b"n")
        + message(2, quantile, name=b"q")
        + message(1, timed, name=b"a.b")
        + message(9, name=b"z")
    )
    assert [(each.name, each.labels, each.rest) for each in families["n"].lines] == [
        ("n_bucket", (("le", "+Inf"),), "4.0"),
        ("n_sum", (), "2.5"),
        ("n_count", (), "4.0"),
    ]
    assert [(each.name, each.labels, each.rest) for each in families["q"].lines] == [
        ("q", (("quantile", "0.5"),), "1.0"),
        ("q_sum", (), "3.0"),
        ("q_count", (), "2.0"),
    ]
    assert families["a_b"].lines == [Line("a_b", (), "1.0 -5")]
    assert "z" not in families


@pytest.mark.parametrize(
    "data",
    [
        b"\x05abc",
        b"\xff" * 20,
        message(1, b"", name=b""),
        message(1, name=b"\xff\xfe") + b"",
        delimited(field_varint(1, 1 << 40)),
        delimited(field_bytes(1, b"a") + field_varint(4, 7)),
        message(1, field_bytes(2, field_double(1, 1.0)) + field_bytes(1, field_varint(1, 1 << 50))),
        message(1, field_bytes(2, field_double(1, 1.0))) + message(4, field_bytes(7, b"")),
        b"# HELP a text\n",
    ],
)
def test_what_is_no_protobuf_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        read_protobuf(data)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for reader in (read_text, read_protobuf):
        try:
            reader(data)
        except Undecodable:
            pass


WHOLE = exposed(PROTOBUF, registry())


@given(st.data())
def test_a_message_cut_short_is_refused_or_shorter(data: st.DataObject) -> None:
    cut = WHOLE[: data.draw(st.integers(0, len(WHOLE) - 1))]
    try:
        families = read_protobuf(cut)
    except Undecodable:
        return
    assert len(families) < len(read_protobuf(WHOLE))


def test_reading_gives_way() -> None:
    made = CollectorRegistry()
    gauge = Gauge("g", "g", ["i"], registry=made)
    for number in range(2000):
        gauge.labels(str(number)).set(number)
    readers: list[tuple[Reader, Any]] = [(exposition.read_text, TEXT), (exposition.read_protobuf, PROTOBUF)]
    for reader, form in readers:
        assert sum(1 for _ in reader(exposed(form, made), lambda family, line: None)) >= 15


def test_a_line_longer_than_a_piece_is_whole() -> None:
    long = 'a{x="' + "y" * 10_000 + '"} 1'
    assert read_one(f"{long}\n").labels == (("x", "y" * 10_000),)
    assert len(read_text(f"b 1\n{long}\nb 2\n{long}".encode())["b"].lines) == 2
