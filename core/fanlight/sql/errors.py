"""SQL errors and notices as values, and the JSON texts that both transports send for them.

An error is an answer, never an exception, except inside the readers of this
package, where `Unreadable` carries one out.  This module decides no policy.
"""

from __future__ import annotations

from json import dumps
from typing import Literal

from attrs import frozen

Severity = Literal["debug", "info", "log", "notice", "warning"]


@frozen
class SqlError:
    """What a client is told: a message, a five-character SQLSTATE and optional parts.

    `position` is a 0-based byte offset into the query string that was sent;
    only syntax errors have one.
    """

    message: str
    code: str
    detail: str | None = None
    hint: str | None = None
    position: int | None = None

    def json(self) -> bytes:
        """The error object: members in their fixed order, absent ones left out."""
        return _object(("message", self.message), ("code", self.code), *self._rest())

    def _rest(self) -> tuple[tuple[str, str | int | None], ...]:
        return (("detail", self.detail), ("hint", self.hint), ("position", self.position))


@frozen
class Notice:
    """Something worth telling that stopped nothing."""

    message: str
    code: str = "00000"
    severity: Severity = "notice"
    detail: str | None = None
    hint: str | None = None

    def json(self) -> bytes:
        """The notice object: members in their fixed order, absent ones left out."""
        return _object(
            ("message", self.message),
            ("code", self.code),
            ("severity", self.severity),
            ("detail", self.detail),
            ("hint", self.hint),
        )


class Unreadable(Exception):
    """Raised while statement text is read; `error` is what the client is told."""

    def __init__(self, error: SqlError) -> None:
        super().__init__(error.message)
        self.error = error


def _object(*members: tuple[str, str | int | None]) -> bytes:
    present = {name: value for name, value in members if value is not None}
    return dumps(present, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


# --- Errors of the session layer itself. ---

ABORTED = SqlError("current transaction is aborted, commands ignored until end of transaction block", "25P02")
TIMED_OUT = SqlError(
    "canceling statement due to statement timeout",
    "57014",
    hint="Raise the session variable statement_timeout, or set it to 0 to have no timeout.",
)
CANCELLED = SqlError("canceling statement due to user request", "57014")
SUBSCRIBE_NEEDS_SOCKET = SqlError("SUBSCRIBE only supported over websocket", "XX000")

ONLY_READ = SqlError("SUBSCRIBE in transactions must be the only read statement", "25000")
IDLE_IN_TRANSACTION = SqlError("terminating connection due to idle-in-transaction timeout", "25P03")
NOT_YOURS = SqlError("permission denied to cancel a statement of another user", "42501")

ALREADY_BEGUN = Notice("there is already a transaction in progress", "25001", "warning")
NOT_BEGUN = Notice("there is no transaction in progress", "25P01", "warning")


def syntax_error(near: str, position: int | None = None) -> SqlError:
    """42601 for a statement that the session layer reads itself; `near` is the offending word, "" at the end."""
    message = f'syntax error at or near "{near}"' if near else "syntax error at end of input"
    return SqlError(message, "42601", position=position)


def unsupported(statement: str) -> SqlError:
    """The answer to a statement that this interface does not offer at all."""
    return SqlError(f"unsupported via this API: {statement}", "XX000")


def not_supported(what: str) -> SqlError:
    """0A000: a feature that is not there."""
    return SqlError(f"{what} is not supported", "0A000")


def unknown_variable(name: str) -> SqlError:
    """42704: no session variable is called `name`."""
    return SqlError(f'unrecognized configuration parameter "{name}"', "42704")


def beyond_bounds(lower: int, upper: int) -> SqlError:
    """22000: a subscription that would end before it begins."""
    message = 'subscription lower ("as of") bound is beyond its upper ("up to") bound'
    return SqlError(f"{message}: {upper} < {lower}", "22000")


def empty_bounds(moment: int) -> Notice:
    """A subscription that ends where it begins."""
    return Notice(f"subscription bounds are equal ({moment}): no rows will be returned")


def too_many_subscriptions(limit: int) -> SqlError:
    """53000: as many clients subscribe as may."""
    return SqlError(f"too many subscriptions (limit: {limit})", "53000", hint="End another subscription.")


def wrong_parameters(supplied: int, statement: str, required: int) -> SqlError:
    """XX000: the request brought another number of parameters than the statement has places."""
    return SqlError(f"request supplied {supplied} parameters, but {statement} requires {required}", "XX000")


def batch_too_large(limit: int) -> SqlError:
    """XX000: one query string is longer than `limit` bytes."""
    return SqlError(f"statement batch size cannot exceed {size_text(limit)}", "XX000")


def result_too_large(limit: int) -> SqlError:
    """53200: the rows of one statement are more than `limit` bytes of JSON."""
    return SqlError(f"result exceeds max size of {size_text(limit)}", "53200")


def size_text(size: int) -> str:
    """`size` bytes in the binary unit that suits it, with one decimal: `976.6 KiB`."""
    value, unit = float(size), "B"
    for bigger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
