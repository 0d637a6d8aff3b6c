"""The formats in which a profile can be asked for, by name.

A format is a row of this table: nothing else in the pages or in the engines
knows which ones there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from ..http.response import BINARY, JSON, TEXT
from . import collapsed, mzfg, pprof, speedscope
from .profile import StackProfile


@frozen
class Format:
    """`encode` is pure and yields pieces of the body; `field` is its content type.

    `name` is what the query says.  `encode` may be run in another process, so
    it takes a value and touches nothing else.
    """

    name: str
    field: tuple[str, str]
    encode: Callable[[StackProfile], Iterator[bytes]]


FORMATS = {
    known.name: known
    for known in (
        Format("pprof", BINARY, pprof.encode),
        Format("collapsed", TEXT, collapsed.encode),
        Format("speedscope", JSON, speedscope.encode),
        Format("mzfg", TEXT, mzfg.encode),
    )
}
