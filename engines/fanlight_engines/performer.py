"""The performer: has each effect done by the engine that knows it.

Shared by all transports, bound to no event loop.  It also writes what the core
notes to the program's logs.  It decides nothing and keeps no state of a client.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import urandom
from typing import TYPE_CHECKING, Any, Protocol

from fanlight.asks import Effect
from fanlight.auth.decisions import Admission, Refusal
from fanlight.moment import Now
from fanlight.observe.escape import escape
from fanlight.observe.records import (
    AccessRecord,
    Checked,
    Exposure,
    Failure,
    MetricSkipped,
    RefusalsOmitted,
    Trouble,
)

from .engines import engines_for
from .workers import Workers

if TYPE_CHECKING:
    from fanlight.server import Server

    from .deferred import Deferred

Handler = Callable[[Any], Any]
Done = Callable[[object, BaseException | None], None]

access_log = logging.getLogger("fanlight.access")
security_log = logging.getLogger("fanlight.security")
log = logging.getLogger("fanlight")

JOIN_SECONDS = 5.0


def now() -> Now:
    """This moment, by both clocks."""
    return Now(time.monotonic(), time.time())


class SystemEntropy:
    """The operating system's random bytes."""

    def token(self, nbytes: int, /) -> bytes:
        return urandom(nbytes)


class Engine(Protocol):
    """What does some effects.  `interrupts` are called from any thread.

    An engine whose effects may wait for each other has `own_threads` and
    `own_effects` too: those effects get that many threads of their own, so that
    nobody else waits behind them.  One that can do some effects of a worker in
    less time than it takes to wake a thread has `prompt`: handlers that answer at
    once, within a millisecond, or return None and have done nothing.
    """

    handlers: Mapping[type, Handler]
    interrupts: Mapping[type, Callable[[Any], None]]

    def close(self) -> None:
        """Let everything go; called once, from a worker's thread."""
        ...


class Performer:
    """Engines behind one face: `perform`, `submit`, `interrupt`, `note`, `close`.

    `engines` are at work; each of `deferred` is made when the first of its
    effects comes, so all but `close` are called on the thread that serves.
    """

    def __init__(self, engines: Sequence[Engine], deferred: Sequence[Deferred] = ()) -> None:
        self._engines: list[Engine] = []
        self._handlers: dict[type, Handler] = {}
        self._interrupts: dict[type, Callable[[Any], None]] = {}
        self._prompt: dict[type, Handler] = {}
        self._workers = Workers()
        self._own: dict[type, Workers] = {}
        self._deferred = {name: each for each in deferred for name in each.effects}
        self._add(engines)

    def _add(self, engines: Sequence[Engine]) -> None:
        for engine in engines:
            self._engines.append(engine)
            self._prompt.update(getattr(engine, "prompt", {}))
            self._handlers.update(engine.handlers)
            self._interrupts.update(engine.interrupts)
            own_effects: frozenset[type] = getattr(engine, "own_effects", frozenset())
            if own_effects:
                name = f"fanlight-{type(engine).__name__.lower()}"
                self._own.update(dict.fromkeys(own_effects, Workers(getattr(engine, "own_threads", 1), name)))

    def _rouse(self, kind: type) -> None:
        """Make the engines that do `kind`, if they were deferred until now."""
        if kind not in self._handlers and kind.__module__ in self._deferred:
            deferred = self._deferred[kind.__module__]
            self._deferred = {name: each for name, each in self._deferred.items() if each is not deferred}
            self._add(deferred.engines)

    def perform(self, effect: Effect[Any]) -> Any:
        """Do `effect` here and now; what it raises is a bug."""
        self._rouse(type(effect))
        handler = self._handlers.get(type(effect))
        if handler is None:
            raise LookupError(f"no engine does {type(effect).__name__}")
        return handler(effect)

    def perform_promptly(self, effect: Effect[Any]) -> Any:
        """Do an effect of a worker here and now, if that takes a moment only; else None, and nothing was done."""
        self._rouse(type(effect))
        handler = self._prompt.get(type(effect))
        return None if handler is None else handler(effect)

    def submit(self, effect: Effect[Any], done: Done) -> None:
        """Do `effect` in a worker's thread; `done(answer, error)` is called there."""
        self._rouse(type(effect))
        try:
            self._own.get(type(effect), self._workers).submit(lambda: _do(self.perform, effect, done))
        except RuntimeError as error:
            done(None, error)

    def interrupt(self, effect: Effect[Any]) -> None:
        """Make a running `effect` end soon; harmless for one that has not begun or has ended."""
        stop = self._interrupts.get(type(effect))
        if stop is not None:
            stop(effect)

    def note(self, record: Any) -> None:
        """Write a record of the core's to the program's logs."""
        if isinstance(record, AccessRecord):
            access_log.info("%s", _access_line(record))
        elif isinstance(record, Failure):
            log.error("failure in %s", record.where, exc_info=record.error)
        elif isinstance(record, Refusal):
            level = logging.WARNING if record.level == "warning" else logging.DEBUG
            security_log.log(level, "%s failed authentication: %s", record.how, record.text, extra={"refusal": record})
        elif isinstance(record, Admission):
            security_log.info("%s admitted", record.how, extra={"admission": record})
        elif isinstance(record, RefusalsOmitted):
            more = f"{record.count} more from {record.network or 'unix'}"
            security_log.warning("failed authentication: %s (%s)", record.text, more, extra={"refusal": record})
        elif isinstance(record, Exposure):
            security_log.warning(
                "credentials in the clear from %s to %s: redirected to TLS", record.peer or "unix", record.listener
            )
        elif isinstance(record, Checked):
            if record.reason:
                log.warning("readiness check %r fails: %s", record.name, record.reason, exc_info=record.error)
            else:
                log.info("readiness check %r passes", record.name)
        elif isinstance(record, MetricSkipped):
            log.info("%s: metric %s is left out: %s", record.path, record.metric, escape(record.why))
        elif isinstance(record, Trouble):
            log.warning("%s", record.text)
        else:
            log.info("%s", record)

    def close(self) -> None:
        """Close the engines and end the threads; may take a few seconds, so not on a loop."""
        self._deferred = {}
        for engine in self._engines:
            try:
                engine.close()
            except Exception:
                log.exception("an engine did not close")
        ended = [workers.close(JOIN_SECONDS) for workers in {self._workers, *self._own.values()}]
        if not all(ended):
            log.warning("a worker thread is still busy")


def _do(perform: Handler, effect: Effect[Any], done: Done) -> Callable[[], None]:
    answer: object = None
    failure: BaseException | None = None
    try:
        answer = perform(effect)
    except BaseException as error:  # noqa: BLE001  handed to whoever asked
        failure = error
    return partial(done, answer, failure)


def _access_line(record: AccessRecord) -> str:
    peer = record.peer or "unix"
    return (
        f'{peer} {record.user or "-"} "{record.method} {record.path}" {record.status} '
        f"{record.sent} {record.seconds * 1000:.3f}ms {record.listener} HTTP/{record.version}"
    )


def performer_for(server: Server) -> Performer:
    """The engines that this server's pages need.  Heavy libraries load at first use, not here."""
    # hpack writes every field that it decodes, credentials too, at DEBUG.
    if logging.getLogger("hpack").level == logging.NOTSET:
        logging.getLogger("hpack").setLevel(logging.INFO)
    server.notes_access = access_log.isEnabledFor(logging.INFO)
    server.audit.tells_admissions = security_log.isEnabledFor(logging.INFO)
    for remark in server.app.remarks:
        log.log(logging.WARNING if remark.level == "warning" else logging.DEBUG, "%s: %s", remark.path, remark.text)
    return Performer(*engines_for(server))
