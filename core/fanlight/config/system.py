"""System variables: settings of the whole server that may change while it runs.

They are set by SQL (`ALTER SYSTEM SET`) or by the program, from any thread, and
whoever acts on one watches it.  They are forgotten when the app ends.  Who may
set them is for others to decide.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from .log_filter import read_filter

Reading = Callable[[str], "str | None"]
"""A value as it is kept and shown; None when the variable does not take it."""
Watcher = Callable[[str, str], object]
"""Told the name and the new value, on the thread that set it."""


class BadValue(ValueError):
    """The variable does not take that value."""


@frozen
class SystemVariable:
    """One variable: its name, its value at the start, how a new value is read."""

    name: str
    default: str
    read: Reading
    doc: str


def _filter(value: str) -> str | None:
    text = ",".join(part.strip() for part in value.split(","))
    return text if read_filter(text) is not None else None


def _switch(value: str) -> str | None:
    from ..sql.variables import boolean  # brings what SQL needs, and a switch is seldom set

    return boolean(value)


_DECLARED = (
    SystemVariable("enable_public_metrics_endpoint", "on", _switch, "Whether /metrics/public answers; else it is 503."),
    SystemVariable("log_filter", "", _filter, "Levels of the program's loggers; empty: as the program set them."),
    SystemVariable("opentelemetry_filter", "", _filter, "What goes to handlers of OpenTelemetry; empty: everything."),
)


class SystemVariables:
    """The variables of one app by name."""

    def __init__(self) -> None:
        self._declared = {variable.name: variable for variable in _DECLARED}
        self._values: dict[str, str] = {}
        self._watchers: tuple[Watcher, ...] = ()

    def __contains__(self, name: object) -> bool:
        return name in self._declared

    def declared(self) -> tuple[SystemVariable, ...]:
        """All of them, in order of their names."""
        return tuple(sorted(self._declared.values(), key=lambda variable: variable.name))

    def get(self, name: str) -> str:
        """The value; raises KeyError for a name that there is not."""
        return self._values.get(name, self._declared[name].default)

    def set(self, name: str, value: str | None) -> str:
        """Give it a value, or for None the one it had at the start; returns what it is now.

        Raises KeyError for a name that there is not, `BadValue` for a value
        that it does not take, and whatever a watcher raises.
        """
        variable = self._declared[name]
        read = variable.default if value is None else variable.read(value)
        if read is None:
            raise BadValue(name)
        self._values[name] = read
        for watcher in self._watchers:
            watcher(name, read)
        return read

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher` told of every change; returns how to stop that."""
        self._watchers = (*self._watchers, watcher)

        def unwatch() -> None:
            self._watchers = tuple(other for other in self._watchers if other is not watcher)

        return unwatch
