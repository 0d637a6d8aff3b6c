"""What the session layer asks of an engine, as effects.

An engine answers with values; it raises only on bugs.  It sees one statement
at a time, never a script, and opens and ends its transactions when told to.
After any failure with `aborted` it has no transaction open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from attrs import field, frozen

from ..asks import Effect

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ..auth.identity import Identity
    from .changes import Rows, Shape
    from .errors import SqlError
    from .request import SqlRequest  # noqa: F401  (ruff does not look into the strings below)
    from .statements import Statement  # noqa: F401  (ruff does not look into the strings below)
    from .values import Descriptor
    from .variables import Parameter

Begin = Literal["", "read only", "read write"]


class SqlSession(Protocol):
    """An open session of an engine, made by `OpenSession` and ended by `Release` or `CloseSession`."""

    @property
    def number(self) -> int:
        """The number that cancels its statements; never given twice."""
        ...

    @property
    def may_write(self) -> bool:
        """Whether its statements may change anything (decisions.md 2)."""
        ...

    @property
    def sight(self) -> Hashable:
        """What its queries see: those of sessions with equal sights, and equal settings, have equal results."""
        ...


class Interrupt:
    """Whether somebody asked for the work to stop; may be asked before the work begins."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False


@frozen
class SessionRefused:
    """The engine opens no session; the answer is `status` with the bare error object."""

    status: int
    error: SqlError


@frozen
class OpenSession(Effect["SqlSession | SessionRefused | None"]):
    """A session for `identity`.  None: the engine has to be started first, or cannot be.

    `open_relations`: everybody on this listener may read the privileged
    relations (decisions.md 4).
    """

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    identity: Identity
    open_relations: bool = False


@frozen
class StartEngine(Effect[bool]):
    """Load and open the engine, once; False when there is none to open."""


@frozen
class ReadRequest(Effect["SqlRequest | str | None"]):
    """`request.read_text(data)`, away from the loop."""

    data: bytes | str = field(repr=False)


@frozen
class ReadScript(Effect["tuple[Statement, ...] | SqlError"]):
    """`read_script(text)`, away from the loop."""

    text: str


@frozen
class CheckSyntax(Effect["tuple[SqlError | None, ...]"]):
    """For each of the texts: what the engine's parser has against it.  Runs nothing."""

    session: SqlSession
    texts: tuple[str, ...]


@frozen
class Configure(Effect["SqlError | None"]):
    """Have the engine take `settings` now; it goes back to `before` if it refuses one."""

    session: SqlSession
    settings: tuple[Parameter, ...]
    before: tuple[Parameter, ...]


@frozen
class Batch:
    """Rows as JSON arrays, joined by the separator asked for, in order.

    `size` is the number of bytes of the arrays alone.  `last`: there are no more.
    `elapsed` is what this batch took, in seconds, waiting for its turn included.
    """

    data: bytes
    count: int
    size: int
    last: bool
    elapsed: float = 0.0


@frozen
class Executed:
    """A statement began or ended well.

    `columns` and `batch` are None for a statement that returns no rows;
    `command` is what it was (`INSERT`) and `count` the rows it changed.
    `elapsed` is what it took so far, waiting for its turn included, in seconds.
    """

    columns: tuple[Descriptor, ...] | None
    batch: Batch | None
    command: str
    count: int
    elapsed: float


@frozen
class SqlFailed:
    """A statement failed.  `aborted`: the engine rolled its transaction back."""

    error: SqlError
    aborted: bool
    elapsed: float = 0.0


def _interrupt() -> Interrupt:
    return Interrupt()


@frozen
class Execute(Effect["Executed | SqlFailed"]):
    """Run one statement and answer with its first rows.

    `begin` opens a transaction before it; `commit` ends the transaction as
    soon as the last row was read, so before the answer if `batch.last`.
    `most` is about how many bytes of rows to answer with; the statement fails
    when all its rows are more than `limit` bytes.
    """

    session: SqlSession
    text: str
    params: Sequence[str | None]
    begin: Begin
    commit: bool
    read_only: bool
    settings: tuple[Parameter, ...]
    separator: bytes
    most: int
    limit: int
    interrupt: Interrupt = field(factory=_interrupt, eq=False, repr=False)


@frozen
class FetchRows(Effect["Batch | SqlFailed"]):
    """The next rows of the statement that runs, about `most` bytes of them."""

    session: SqlSession
    separator: bytes
    most: int
    interrupt: Interrupt = field(factory=_interrupt, eq=False, repr=False)


@frozen
class Evaluated:
    """A query and all its rows, at one moment.

    `size` is the number of bytes of the rows.  `constant`: they can never be
    others.  `stamp` is the engine's own note of what they depend on, by which it
    may know that nothing has changed.
    """

    columns: tuple[Descriptor, ...]
    rows: Rows = field(eq=False, repr=False)
    constant: bool = False
    stamp: object = field(default=None, eq=False, repr=False)
    elapsed: float = 0.0
    size: int = 0


@frozen
class Evaluate(Effect["Evaluated | SqlFailed"]):
    """Run a query in a read-only transaction of its own and keep all its rows.

    Where nothing has changed since `before`, the answer has the very `rows` of
    `before`.  More than `most_rows` rows or `most_bytes` bytes of them are 53200.
    """

    session: SqlSession
    text: str
    params: Sequence[str | None]
    settings: tuple[Parameter, ...]
    most_rows: int
    most_bytes: int
    before: Evaluated | None = field(default=None, repr=False)
    interrupt: Interrupt = field(factory=_interrupt, eq=False, repr=False)


@frozen
class Compare(Effect["list[bytes]"]):
    """`shape.payloads(before, after)`, away from the loop."""

    shape: Shape
    before: Rows = field(repr=False)
    after: Rows = field(repr=False)


@frozen
class Settle(Effect["Executed | Batch | Evaluated | SqlFailed | None"]):
    """Wait until an interrupted effect of this session has ended: its answer, None if it never ran."""

    session: SqlSession
    work: Execute | FetchRows | Evaluate


@frozen
class EndTransaction(Effect["SqlError | None"]):
    """Commit or roll back; drops the rows that were not fetched.  An error means: rolled back."""

    session: SqlSession
    commit: bool


@frozen
class Forget(Effect[None]):
    """Drop what a session gathered in the engine: temporary tables (DISCARD)."""

    session: SqlSession


@frozen
class Release(Effect[bool]):
    """Close a session that is idle and left nothing behind; False: it takes `CloseSession`."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    session: SqlSession


@frozen
class CloseSession(Effect[None]):
    """Stop what runs, roll back, close.  Does nothing the second time."""

    session: SqlSession


# --- Answers that are too long for memory (decisions.md 1). ---


class SpoolFile(Protocol):
    """A file without a name that ends with its last user."""

    @property
    def size(self) -> int:
        """Bytes written."""
        ...


@frozen
class OpenSpool(Effect["SpoolFile | None"]):
    """A new spool file; None when there is no room for one."""


@frozen
class WriteSpool(Effect[bool]):
    """Append; False when the disk is full."""

    spool: SpoolFile
    data: bytes = field(repr=False)


@frozen
class ReadSpool(Effect[bytes]):
    """`most` bytes from `start`; fewer only at the end."""

    spool: SpoolFile
    start: int
    most: int


@frozen
class CloseSpool(Effect[None]):
    """Give the space back."""

    runs: ClassVar[Literal["worker", "loop"]] = "loop"
    spool: SpoolFile
