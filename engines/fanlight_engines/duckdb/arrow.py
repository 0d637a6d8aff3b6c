"""A result of one text column, taken out of DuckDB's Arrow buffers as bytes.

Read through the Arrow C stream interface, so that no row becomes a Python object
and no other package is needed.  What may hold a gigabyte is read a batch at a time.
This module knows nothing of what the texts mean.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_void_p
from typing import Any

BATCH = 2048
"""Rows of a batch: DuckDB makes that many at a time anyway."""


class _Schema(ctypes.Structure):
    """`struct ArrowSchema`."""


class _Array(ctypes.Structure):
    """`struct ArrowArray`."""


class _Stream(ctypes.Structure):
    """`struct ArrowArrayStream`."""


_Schema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_char_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(_Schema))),
    ("dictionary", c_void_p),
    ("release", CFUNCTYPE(None, POINTER(_Schema))),
    ("private_data", c_void_p),
]
_Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", c_void_p),
    ("release", CFUNCTYPE(None, POINTER(_Array))),
    ("private_data", c_void_p),
]
_Stream._fields_ = [
    ("get_schema", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Schema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(_Stream), POINTER(_Array))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(_Stream))),
    ("release", CFUNCTYPE(None, POINTER(_Stream))),
    ("private_data", c_void_p),
]

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = c_void_p
_pointer_of.argtypes = (ctypes.py_object, c_char_p)

_WIDTHS: dict[bytes, type[c_int32] | type[c_int64]] = {b"u": c_int32, b"U": c_int64}
"""The offsets of Arrow's two layouts of texts."""


class TextStream:
    """The rows of a statement whose one column is text and never NULL.

    Made from a DuckDB connection, the statement's text and its parameters;
    running it may raise what DuckDB raises.  `close` must be called, or the
    connection stays busy.
    """

    def __init__(self, connection: Any, text: str, values: Any) -> None:
        # The stream takes the result over, and the capsule frees the stream.
        self._capsule = connection._submit(text, values, "stream", BATCH).arrow_capsule()
        address = _pointer_of(self._capsule, b"arrow_array_stream")
        self._stream = ctypes.cast(address, POINTER(_Stream))
        self._offset = self._width()

    def _width(self) -> type[c_int32] | type[c_int64]:
        """The type of the offsets."""
        schema = _Schema()
        self._check(self._stream.contents.get_schema(self._stream, byref(schema)))
        try:
            return _WIDTHS[schema.children[0].contents.format]
        finally:
            schema.release(byref(schema))

    def next(self, cut: int = 0) -> tuple[bytes, int]:
        """The texts of the next rows behind each other, and how many rows these are: none at the end.

        The last `cut` bytes are left out.  Other threads run meanwhile.
        """
        batch = _Array()
        self._check(self._stream.contents.get_next(self._stream, byref(batch)))
        if not batch.release:
            return b"", 0
        try:
            column = batch.children[0].contents
            first = column.offset
            last = first + column.length
            offsets = ctypes.cast(column.buffers[1], POINTER(self._offset))
            start, end = offsets[first], offsets[last] - cut
            return ctypes.string_at(column.buffers[2] + start, end - start) if end > start else b"", column.length
        finally:
            batch.release(byref(batch))

    def _check(self, code: int) -> None:
        """Raise what DuckDB has told instead of raising it: "Out of Range Error: …" is an OutOfRangeException."""
        if code:
            import duckdb

            told = (self._stream.contents.get_last_error(self._stream) or b"").decode(errors="replace")
            kind = told.partition(" Error: ")[0].replace("INTERRUPT", "Interrupt")
            name = "".join([word[:1].upper() + word[1:] for word in kind.split()]) + "Exception"
            raise getattr(duckdb, name, duckdb.Error)(told)

    def close(self) -> None:
        """End the statement; a second time does nothing."""
        if self._stream.contents.release:
            self._stream.contents.release(self._stream)
