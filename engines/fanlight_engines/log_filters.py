"""The system variables of logging, as levels of the program's loggers and filters of its handlers.

What a filter has changed is put back when it changes again and when the server
ends, unless the program has changed it meanwhile.  Handlers keep their levels.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fanlight.config.log_filter import Level, LogFilter, read_filter

if TYPE_CHECKING:
    from fanlight.server import Server

NUMBERS: dict[Level, int] = {
    "off": logging.CRITICAL + 1,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG // 2,
}


class _HandlerFilter(logging.Filter):
    """Lets through what a log filter does."""

    def __init__(self, wanted: LogFilter) -> None:
        super().__init__()
        self._wanted = wanted

    def filter(self, record: logging.LogRecord) -> bool:
        level = self._wanted.level_of(record.name)
        return level is None or record.levelno >= NUMBERS[level]


class LogFilters:
    """Applies `log_filter` and `opentelemetry_filter` of `server.app.system`, from now until `close`."""

    handlers: Mapping[type, Callable[[Any], Any]] = {}
    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._changed: list[tuple[logging.Logger, int, int]] = []
        self._filtered: list[tuple[logging.Handler, _HandlerFilter]] = []
        system = server.app.system
        self._unwatch = system.watch(self._apply)
        for name in ("log_filter", "opentelemetry_filter"):
            if system.get(name):
                self._apply(name, system.get(name))

    def close(self) -> None:
        """Put everything back."""
        self._unwatch()
        with self._lock:
            self._set_levels(LogFilter())
            self._set_filters(LogFilter())

    def _apply(self, name: str, value: str) -> None:
        """Set what a variable says; on the thread that has set the variable."""
        wanted = read_filter(value) or LogFilter()
        with self._lock:
            if name == "log_filter":
                self._set_levels(wanted)
                notes = ("fanlight.access", "fanlight.security")
                # What nobody would read is not even noted: see `performer_for`.
                access, security = (logging.getLogger(name).isEnabledFor(logging.INFO) for name in notes)
                self._server.notes_access = access
                self._server.audit.tells_admissions = security
            elif name == "opentelemetry_filter":
                self._set_filters(wanted)

    def _set_levels(self, wanted: LogFilter) -> None:
        for logger, before, ours in reversed(self._changed):
            if logger.level == ours:
                logger.setLevel(before)
        self._changed.clear()
        if wanted.default is not None:
            self._set_level(logging.getLogger(), wanted.default)
        for name, level in wanted.targets.items():
            self._set_level(logging.getLogger(name), level)

    def _set_level(self, logger: logging.Logger, level: Level) -> None:
        self._changed.append((logger, logger.level, NUMBERS[level]))
        logger.setLevel(NUMBERS[level])

    def _set_filters(self, wanted: LogFilter) -> None:
        for handler, placed in self._filtered:
            handler.removeFilter(placed)
        self._filtered.clear()
        if wanted != LogFilter():
            for handler in _opentelemetry_handlers():
                self._filtered.append((handler, _HandlerFilter(wanted)))
                handler.addFilter(self._filtered[-1][1])


def _opentelemetry_handlers() -> Iterator[logging.Handler]:
    """Every handler of OpenTelemetry, or derived from one, wherever it hangs; each once."""
    loggers = [logging.getLogger(), *(each for each in list(logging.root.manager.loggerDict.values()))]
    seen: set[logging.Handler] = set()
    for logger in loggers:
        for handler in list(logger.handlers) if isinstance(logger, logging.Logger) else []:
            kinds = (kind.__module__.partition(".")[0] for kind in type(handler).__mro__)
            if "opentelemetry" in kinds and handler not in seen:
                seen.add(handler)
                yield handler
