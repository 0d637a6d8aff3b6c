"""Session variables: their names, what values they take, and what a transaction does to them.

A `Variables` belongs to one session.  It changes with SET, RESET, DISCARD and
with the end of transactions, and says which of the reported variables a
statement changed.  It never tells an engine anything: the session hands the
few settings that engines care about along with each statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import frozen

from .errors import SqlError, unknown_variable

Parameter = tuple[str, str]
"""The canonical name and the new value of a reported variable."""

Reading = Callable[[str], "str | None"]
"""A value as it is kept and shown; None when the variable does not take it."""


@frozen
class Variable:
    """One variable: its name as shown, its value at the start, how a new value is read.

    `reported`: clients are told of changes.  `engine`: engines act on it.
    `fixed`: nobody can set it here.
    """

    name: str
    start: str
    read: Reading
    doc: str
    reported: bool = False
    engine: bool = False
    fixed: bool = False


def _any(value: str) -> str | None:
    return value


def _one_of(*choices: str) -> Reading:
    known = {choice.lower(): choice for choice in choices}
    return lambda value: known.get(value.lower())


def boolean(value: str) -> str | None:
    """`on` or `off` for any way to write a boolean; None for what is none."""
    folded = value.lower()
    if folded in ("on", "true", "yes", "1", "t", "y"):
        return "on"
    return "off" if folded in ("off", "false", "no", "0", "f", "n") else None


_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min|h|d)?\s*", re.ASCII)
# The largest number of milliseconds that PostgreSQL's own timeouts take.
_LONGEST = 2_147_483_647_000


def micros_of(value: str) -> int | None:
    """A duration in microseconds; a bare number is milliseconds; None if it is no duration."""
    found = _DURATION.fullmatch(value)
    if found is None or len(found[1]) > 20:
        return None
    micros = round(float(found[1]) * _UNITS[found[2] or "ms"])
    return micros if micros <= _LONGEST else None


def _duration(value: str) -> str | None:
    """A duration in the largest unit that divides it: `90s`, `1min`, `0`."""
    micros = micros_of(value)
    if not micros:
        return None if micros is None else "0"
    unit, size = max(((unit, size) for unit, size in _UNITS.items() if micros % size == 0), key=lambda pair: pair[1])
    return f"{micros // size}{unit}"


def _date_style(value: str) -> str | None:
    """ISO is the only style; the order of day and month only matters for reading, and is kept."""
    words = {word.strip().upper() for word in value.split(",")}
    order = words - {"ISO"}
    return f"ISO, {order.pop()}" if order in ({"MDY"}, {"DMY"}, {"YMD"}) else "ISO, MDY" if words == {"ISO"} else None


def _zone(value: str) -> str:
    """Engines know the others, and this one in any case too."""
    return "UTC" if value.upper() == "UTC" else value


def _levels(value: str) -> str | None:
    folded = value.lower()
    return folded if folded in LEVELS else None


LEVELS = {
    "debug5": 0,
    "debug4": 1,
    "debug3": 2,
    "debug2": 3,
    "debug1": 4,
    "log": 5,
    "info": 6,
    "notice": 6,
    "warning": 7,
    "error": 8,
}
"""Message levels by how severe they are."""

_ALL = (
    Variable("application_name", "", _any, "Name of the program that opened the session.", reported=True),
    Variable("client_encoding", "UTF8", lambda value: "UTF8" if value.upper().replace("-", "") == "UTF8" else None,
             "Character set of the client; only UTF8.", reported=True),
    Variable("DateStyle", "ISO, MDY", _date_style, "Layout of dates; only ISO.", reported=True),
    Variable("integer_datetimes", "on", boolean, "Dates and times are integers.", reported=True, fixed=True),
    Variable("server_version", "9.5.0", _any, "PostgreSQL version that clients may assume.", reported=True, fixed=True),
    Variable("standard_conforming_strings", "on", _one_of("on"), "Backslashes are literal in '…'.", reported=True),
    Variable("TimeZone", "UTC", _zone, "Time zone in which timestamps are read.", reported=True, engine=True),
    Variable("IntervalStyle", "postgres", _one_of("postgres"), "Layout of intervals.", reported=True),
    Variable("cluster", "process", _any, "Taken without effect: which cluster a query is meant for.", reported=True),
    Variable("cluster_replica", "", _any, "Taken without effect: which replica a query is meant for.", reported=True),
    Variable("database", "materialize", _one_of("materialize"), "The current database.", reported=True),
    Variable("search_path", "public", _any, "Schemas searched for unqualified names.", reported=True, engine=True),
    Variable("fanlight_version", "0", _any, "Version of this server.", reported=True, fixed=True),
    Variable("client_min_messages", "notice", _levels, "Least severe notices that are sent."),
    Variable("statement_timeout", "1min", _duration, "Longest run of a statement; 0 is no limit."),
    Variable("idle_in_transaction_session_timeout", "2min", _duration, "Longest idle time in a transaction block."),
    Variable("welcome_message", "off", boolean, "Whether a session starts with a greeting."),
    Variable("max_result_size", "1GB", _any, "Most bytes that the rows of one statement may take.", fixed=True),
    Variable("emit_execution_time_notice", "off", boolean, "Taken and without effect: no notice tells of times."),
    Variable("auto_route_catalog_queries", "on", boolean, "Taken and without effect: queries run where they are sent."),
    Variable("transaction_isolation", "repeatable read", _any, "Isolation of transactions.", fixed=True),
)  # fmt: skip

_BY_NAME = {variable.name.lower(): variable for variable in _ALL} | {
    "schema": next(variable for variable in _ALL if variable.name == "search_path")
}
REPORTED = tuple(variable.name for variable in _ALL if variable.reported)
ENGINE = tuple(variable.name for variable in _ALL if variable.engine)


def lookup(name: str) -> Variable | None:
    """The variable that `name` means, in any case; None if there is none."""
    return _BY_NAME.get(name.lower())


class Variables:
    """The variables of one session.

    `starts` are values that the server gives (such as its version).  What the
    client sets at the start of the session becomes the value that RESET goes
    back to.
    """

    __slots__ = ("_before", "_local", "_start", "_values")

    def __init__(self, starts: Mapping[str, str] | None = None) -> None:
        self._start: dict[str, str] = dict(starts or {})
        self._values: dict[str, str] = {}
        self._local: dict[str, str] = {}
        self._before: dict[str, str] | None = None

    def get(self, name: str) -> str:
        """The value of the variable with this canonical name."""
        for layer in (self._local, self._values, self._start):
            if name in layer:
                return layer[name]
        return _BY_NAME[name.lower()].start

    def micros(self, name: str) -> int:
        """The value of a duration, in microseconds."""
        return micros_of(self.get(name)) or 0

    def reported(self) -> dict[str, str]:
        """Every reported variable and its value, in the documented order."""
        return {name: self.get(name) for name in REPORTED}

    @property
    def any_local(self) -> bool:
        """Whether a value is to end with the transaction."""
        return bool(self._local)

    def engine_settings(self) -> tuple[Parameter, ...]:
        """The settings that an engine has to have for the next statement."""
        return tuple((name, self.get(name)) for name in ENGINE)

    def changes(self, before: Mapping[str, str]) -> tuple[Parameter, ...]:
        """The reported variables whose value is not the one in `before`."""
        return tuple((name, self.get(name)) for name in REPORTED if self.get(name) != before[name])

    def told(self, name: str, before: Mapping[str, str]) -> tuple[Parameter, ...]:
        """What SET or RESET of a variable reports: what changed, and the variable itself even if it did not."""
        variable = lookup(name)
        same = () if variable is None or not variable.reported else (variable.name,)
        return tuple((each, self.get(each)) for each in REPORTED if each in same or self.get(each) != before[each])

    def wants(self, severity: str) -> bool:
        """Whether notices of this severity are sent (`info` always is)."""
        least = LEVELS[self.get("client_min_messages")]
        return severity == "info" or LEVELS.get(severity, 4) >= least

    # Changes.  Each answers None, or why it was refused; then nothing changed.

    def set(self, name: str, value: str | None, *, local: bool = False) -> SqlError | None:
        """SET or SET LOCAL; `value` None is the value at the start."""
        variable = lookup(name)
        if variable is None:
            return unknown_variable(name)
        if variable.fixed:
            return SqlError(f'parameter "{variable.name}" cannot be changed', "55P02")
        if value is None:
            read: str | None = self._start.get(variable.name, variable.start)
        else:
            read = None if "\0" in value else variable.read(value)
        if read is None:
            return SqlError(f'invalid value for parameter "{variable.name}": "{value}"', "22023")
        if not local:
            self._values[variable.name] = read
            self._local.pop(variable.name, None)
        else:
            self._local[variable.name] = read
        return None

    def start_with(self, name: str, value: str) -> SqlError | None:
        """A startup option: like SET, but RESET comes back to it."""
        refused = self.set(name, value)
        if refused is None and (variable := lookup(name)) is not None:
            self._start[variable.name] = self._values.pop(variable.name)
        return refused

    def reset(self, name: str | None) -> SqlError | None:
        """RESET of one variable, or of all of them."""
        if name is not None:
            return self.set(name, None)
        self._values.clear()
        self._local.clear()
        return None

    def mark(self) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """The state as it is, for `restore`."""
        return dict(self._start), dict(self._values), dict(self._local)

    def restore(self, mark: tuple[dict[str, str], dict[str, str], dict[str, str]]) -> None:
        """Go back to the state of `mark`, because an engine refused a setting."""
        self._start, self._values, self._local = mark

    # Transactions.

    def begin(self) -> None:
        """Remember the values, for a rollback.  A second call changes nothing."""
        if self._before is None:
            self._before = dict(self._values)

    def commit(self) -> None:
        """The transaction ended well: what was local to it is gone."""
        self._local.clear()
        self._before = None

    def rollback(self) -> None:
        """The transaction ended badly: everything is as it was when it began."""
        self._local.clear()
        if self._before is not None:
            self._values = self._before
            self._before = None


def rows() -> tuple[Variable, ...]:
    """Every variable, in order of its name, for `SHOW ALL` and the manual."""
    return tuple(sorted(_ALL, key=lambda variable: variable.name.lower()))
