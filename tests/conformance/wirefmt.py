"""Reading protobuf without a schema: just the wire format, for profiles and metric families."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen


@frozen
class Message:
    """The fields of a message: number -> values in order, integers or bytes."""

    fields: dict[int, list[int | bytes]]

    def ints(self, number: int) -> list[int]:
        """All integers of field `number`, packed or not."""
        values: list[int] = []
        for value in self.fields.get(number, []):
            values += [value] if isinstance(value, int) else list(_varints(value))
        return values

    def integer(self, number: int) -> int:
        """The last integer of field `number`, 0 where there is none."""
        values = self.ints(number)
        return values[-1] if values else 0

    def blobs(self, number: int) -> list[bytes]:
        """All length-delimited values of field `number`."""
        return [value for value in self.fields.get(number, []) if isinstance(value, bytes)]

    def messages(self, number: int) -> list[Message]:
        """The same, read as messages."""
        return [parse(value) for value in self.blobs(number)]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("protobuf ends within a varint")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def parse(data: bytes) -> Message:
    """Read one message; `ValueError` when it is not one."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind, value = tag & 7, 0
        if kind == 0:
            value, at = _varint(data, at)
            fields.setdefault(tag >> 3, []).append(value)
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(data):
            raise ValueError(f"protobuf field {tag >> 3} of kind {kind} does not fit")
        fields.setdefault(tag >> 3, []).append(data[at : at + size])
        at += size
    return Message(fields)


def delimited(data: bytes) -> list[Message]:
    """A stream of messages, each behind its length."""
    messages, at = [], 0
    while at < len(data):
        size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("a delimited message is cut")
        messages.append(parse(data[at : at + size]))
        at += size
    return messages
