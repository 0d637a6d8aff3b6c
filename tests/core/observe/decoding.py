"""Delimited MetricFamily messages decoded, independent of what encodes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.protobuf import Fields, decode, take_varint

Reading = tuple[str, tuple[tuple[str, str], ...], Any]
"""Sample name, labels in order of their names, value."""

TYPES = ["counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram"]


def messages(data: bytes) -> Iterator[bytes]:
    """The messages of a delimited stream."""
    at = 0
    while at < len(data):
        size, at = take_varint(data, at)
        assert at + size <= len(data), "cut short"
        yield data[at : at + size]
        at += size


def labels(found: list[bytes]) -> tuple[tuple[str, str], ...]:
    pairs = [decode(each) for each in found]
    return tuple((pair[1][0].decode(), pair[2][0].decode()) for pair in pairs)


def moment(found: list[bytes]) -> int:
    """Nanoseconds of a Timestamp."""
    fields = decode(found[0])
    seconds = fields[1][0]
    return int((seconds - (1 << 64) if seconds >> 63 else seconds) * 10**9 + fields[2][0])


class Family:
    """One decoded MetricFamily: name, help, type, unit, and its samples as text formats would have them."""

    def __init__(self, data: bytes) -> None:
        fields = decode(data)
        self.name = fields[1][0].decode()
        self.doc = fields[2][0].decode()
        self.type = TYPES[fields[3][0]]
        self.unit = fields.get(5, [b""])[0].decode()
        self.metrics = [decode(each) for each in fields.get(4, [])]

    def readings(self) -> Iterator[Reading]:
        """Every number; moments of creation as a text of nanoseconds."""
        for metric in self.metrics:
            key = labels(metric.get(1, []))
            for number in (2, 3, 4, 5, 7):
                if number in metric:
                    yield from self._values(number, decode(metric[number][0]), key)

    def _values(self, number: int, body: Fields, key: tuple[tuple[str, str], ...]) -> Iterator[Reading]:
        base = self.name.removesuffix("_total") if self.type == "counter" else self.name
        if number in (2, 3, 5):
            yield self.name, key, body[1][0]
            if number == 3 and 3 in body:
                yield base + "_created", key, f"{moment(body[3])} ns"
            return
        plain = "" if self.type != "gaugehistogram" else "g"
        for count in (1, 4) if number == 7 else (1,):
            if count in body:
                yield f"{base}_{plain}count", key, body[count][0]
        if 2 in body:
            yield f"{base}_{plain}sum", key, body[2][0]
        for each in body.get(3, []):
            part = decode(each)
            if number == 4:
                yield base, (*key, ("quantile", part[1][0])), part[2][0]
            else:
                yield f"{base}_bucket", (*key, ("le", part[2][0])), part.get(1, part.get(4))[0]  # type: ignore[index]
        created = 15 if number == 7 else 4
        if created in body and isinstance(body[created][0], bytes):
            yield base + "_created", key, f"{moment(body[created])} ns"


def families(data: bytes) -> list[Family]:
    """A whole exposition."""
    return [Family(message) for message in messages(data)]
