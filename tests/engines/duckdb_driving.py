"""Drives one SQL request without a connection: the handler's coroutine, a real engine, nothing else.

Effects go to the engine's handlers on this thread; ops are answered here.  A
race is won by its work, unless its time is up first: then a timer interrupts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any, TypeVar

from fanlight.asks import ClientGone, Effect, Race, Sleep
from fanlight.auth.identity import Identity
from fanlight.config.limits import Limits
from fanlight.http.request import Head, ReadBody, Request
from fanlight.http.response import Refused, Response, SendBody
from fanlight.moment import Now
from fanlight.pages.sql import sql
from tests.routines import driven

T = TypeVar("T")
Handlers = Mapping[type, Callable[[Any], Any]]


class Driver:
    """Answers the asks of routines with the handlers of an engine."""

    def __init__(self, engine: Any, body: bytes = b"") -> None:
        self.engine = engine
        self.body = body
        self.sent: list[bytes] = []
        self.asked: list[Any] = []

    def run(self, routine: Coroutine[Any, Any, T]) -> T:
        """The routine's result."""

        def answered(ask: Any) -> Any:
            self.asked.append(ask)
            return self.answer(ask)

        return driven(routine, answered)

    def leave(self, routine: Coroutine[Any, Any, Any]) -> None:
        """The client is gone while the routine waits: throw, and answer its cleanup."""
        try:
            ask = routine.throw(ClientGone())
            while True:
                ask = routine.send(self.answer(ask))
        except (ClientGone, StopIteration):
            pass

    def answer(self, ask: Any) -> Any:
        """One answer."""
        if isinstance(ask, Race):
            return self._race(ask)
        if isinstance(ask, Effect):
            return self.engine.handlers[type(ask)](ask)
        if isinstance(ask, ReadBody):
            return self.body if len(self.body) <= ask.limit else None
        if isinstance(ask, SendBody):
            self.sent.append(ask.data)
            return None
        raise AssertionError(ask)

    def _race(self, race: Race) -> tuple[int, Any]:
        work, sleep = race.asks
        assert isinstance(sleep, Sleep)
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.engine.interrupts[type(work)](work)

        timer = threading.Timer(sleep.seconds, stop)
        timer.start()
        try:
            answer = self.engine.handlers[type(work)](work)
        finally:
            timer.cancel()
            timer.join()
        return (1, None) if late.is_set() else (0, answer)


def request_for(
    app: Any,
    *,
    fields: tuple[tuple[str, str], ...] = (("content-type", "application/json"),),
    query: str = "",
    identity: Identity | None = None,
    open_relations: bool = False,
) -> Request:
    """A request of whoever `identity` is, as a connection would make it."""
    target = "/api/sql" + (f"?{query}" if query else "")
    request = Request(
        Head("POST", target, fields, version="1.1", authority="localhost"),
        stream=0,
        arrived=Now(0.0, 0.0),
        peer="127.0.0.1",
        secure=False,
        listener=SimpleNamespace(open_relations=open_relations),  # type: ignore[arg-type]
        server=SimpleNamespace(app=app, limits=Limits()),  # type: ignore[arg-type]
    )
    request.identity = identity or Identity("ada")
    return request


def post(engine: Any, app: Any, body: bytes, **request: Any) -> tuple[Response, bytes]:
    """`POST /api/sql`: the response and its whole body."""
    driver = Driver(engine, body)
    try:
        response = driver.run(sql(request_for(app, **request)))
    except Refused as refused:
        response = refused.response
    if isinstance(response.body, bytes):
        return response, response.body
    driver.run(response.body())
    return response, b"".join(driver.sent)
