"""Where the results of a session go: the one interface that both transports implement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .effects import Batch
from .errors import Notice, SqlError
from .values import Descriptor
from .variables import Parameter


class Sink(Protocol):
    """Where the results of statements go, in order.

    For each statement: `columns` and any number of `rows`, if it returns rows;
    then `done` or `failed`, once.  `separator` stands between rows; `first` is
    about how many bytes of rows come at first, `most` later on.
    """

    separator: bytes
    first: int
    most: int

    async def columns(self, columns: Sequence[Descriptor]) -> None:
        """The statement returns rows of this shape."""
        ...

    async def rows(self, batch: Batch) -> None:
        """Some of its rows."""
        ...

    async def done(self, tag: str, notices: Sequence[Notice], parameters: Sequence[Parameter]) -> None:
        """It ended well (and is committed, if that was due)."""
        ...

    async def failed(self, error: SqlError, notices: Sequence[Notice]) -> None:
        """It failed; what `rows` brought before is void."""
        ...
