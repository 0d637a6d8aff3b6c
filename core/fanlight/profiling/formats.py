"""The formats in which a profile can be asked for, by name.

A format is a row of this table: nothing else in the pages or in the engines
knows which ones there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from ..http.response import BINARY, HTML, JSON, TEXT
from . import collapsed, html, jeheap, mzfg, pprof, speedscope
from .profile import StackProfile


@frozen
class Format:
    """`encode` is pure and yields pieces of the body; `field` is its content type.

    `name` is what the query says; `file` what a download of it is called, with
    the kind of the profile in place of `{}`, or None for what is to be looked
    at.  `encode` may be run in another process, so it takes a value and touches
    nothing else.
    """

    name: str
    field: tuple[str, str]
    encode: Callable[[StackProfile], Iterator[bytes]]
    file: str | None = None


FORMATS = {
    known.name: known
    for known in (
        Format("pprof", BINARY, pprof.encode, "{}.pb.gz"),
        Format("collapsed", TEXT, collapsed.encode, "{}.collapsed.txt"),
        Format("speedscope", JSON, speedscope.encode, "{}.speedscope.json"),
        Format("mzfg", TEXT, mzfg.encode, "trace.mzfg"),
        Format("html", HTML, html.encode),
    )
}
"""What a query may name."""

JEHEAP = Format("jeheap", TEXT, jeheap.encode, "jeprof.heap")
"""A heap only, and only by the form of the page."""

ENCODERS = {known.name: known.encode for known in (*FORMATS.values(), JEHEAP)}
"""What an engine may be asked for."""
