"""Requests to the program's own worker processes: many at once, in one thread.

HTTP/1.1 by h11 over sockets that never block, under one selector: a worker that
hangs costs its own reply and no thread.  Each request has a connection of its
own.  Only addresses that were registered are connected to, which are Unix
sockets and loopback; no name is resolved and no redirect followed.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from errno import EINPROGRESS
from typing import Any
from weakref import WeakSet

import h11

from fanlight.federation.effects import AskWorkers, Call, NoReply, Reason, Replied, Reply, WorkOut, finish

from .process.pace import BUDGET

TOGETHER = 64
"""Connections that are open at once; further calls wait for a place."""
_RECEIVED = 64 * 1024
_HEAD = 1024 * 1024
"""Bytes of a response head, which may hold enrichment rules."""
_GLANCE = 0.1
"""Seconds after which an interrupt is noticed."""


class Replicas:
    """The engine behind `AskWorkers` and `WorkOut`, in two threads of its own: what hangs holds up nobody else."""

    own_effects: frozenset[type] = frozenset({AskWorkers, WorkOut})
    own_threads = 2

    def __init__(self) -> None:
        # An interrupt may come before the work begins, so it is kept with the effect that it is for.
        self._interrupted: WeakSet[AskWorkers] = WeakSet()
        self._closed = False
        self.handlers: Mapping[type, Callable[[Any], Any]] = {AskWorkers: self._ask, WorkOut: _work_out}
        self.interrupts: Mapping[type, Callable[[Any], None]] = {AskWorkers: self._interrupted.add}

    def _ask(self, effect: AskWorkers) -> tuple[Reply, ...]:
        return _Round(effect, lambda: self._closed or effect in self._interrupted).run()

    def close(self) -> None:
        """End what is being asked."""
        self._closed = True


def _work_out(effect: WorkOut) -> Any:
    """The work, politely: a thread that computes without a pause holds the interpreter for five milliseconds."""
    until = time.perf_counter() + BUDGET

    def pause() -> None:
        nonlocal until
        if time.perf_counter() > until:
            time.sleep(0)
            until = time.perf_counter() + BUDGET

    return finish(effect.steps(*effect.arguments), pause)


class _Broken(Exception):
    """This call has no reply, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class _Conversation:
    """One call: its socket, what is still to be sent, what has come.  `step` is called whenever the socket can move."""

    def __init__(self, number: int, call: Call, until: float, limit: int) -> None:
        self.number = number
        self.until = until
        self._limit = limit
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        self._unsent = self._request(call)
        self._response: h11.Response | None = None
        self._body = bytearray()
        unix = call.address.path is not None
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in call.address.host else socket.AF_INET
        where: Any = call.address.path if unix else (call.address.host, call.address.port)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        try:
            self.socket.connect(where)
        except OSError as error:
            if error.errno != EINPROGRESS:
                self.socket.close()
                raise _refusal(error) from None

    def _request(self, call: Call) -> bytes:
        host = "localhost" if call.address.path is not None else call.address.host
        fields = [("host", f"[{host}]" if ":" in host else host), *call.fields, ("connection", "close")]
        if call.body or call.method == "POST":
            fields.append(("content-length", str(len(call.body))))
        parts = [
            self._machine.send(h11.Request(method=call.method, target=call.target, headers=fields)),
            self._machine.send(h11.Data(data=call.body)),
            self._machine.send(h11.EndOfMessage()),
        ]
        return b"".join([part for part in parts if part])

    @property
    def events(self) -> int:
        """What the socket is watched for: an early answer must not wait behind a request that nobody reads."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    @property
    def held(self) -> int:
        """Bytes of body so far."""
        return len(self._body)

    def step(self, events: int) -> Replied | None:
        """Send and receive what can be; the reply when it is whole.  Raises `_Broken`."""
        try:
            if events & selectors.EVENT_WRITE and self._unsent:
                error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise _refusal(OSError(error, ""))
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            if events & selectors.EVENT_READ:
                self._machine.receive_data(self.socket.recv(_RECEIVED))
                return self._read()
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise _refusal(error) from None
        except h11.RemoteProtocolError:
            raise _Broken("broken") from None
        return None

    def _read(self) -> Replied | None:
        """Everything that h11 makes of what has come."""
        while True:
            event = self._machine.next_event()
            if isinstance(event, h11.Response):
                self._response = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._limit:
                    raise _Broken("too large")
            elif isinstance(event, h11.EndOfMessage) and self._response is not None:
                fields = tuple([(name.decode(), value.decode("latin-1")) for name, value in self._response.headers])
                return Replied(self._response.status_code, fields, bytes(self._body))
            elif not isinstance(event, h11.InformationalResponse):
                if event is h11.NEED_DATA:
                    return None
                raise _Broken("broken")


def _refusal(error: OSError) -> _Broken:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return _Broken("refused")
    return _Broken("broken" if isinstance(error, ConnectionError) else "unreachable")


class _Round:
    """All calls of one effect."""

    def __init__(self, effect: AskWorkers, stopped: Callable[[], bool]) -> None:
        self._effect = effect
        self._stopped = stopped
        self._until = time.monotonic() + effect.patience
        self._waiting = deque(enumerate(effect.calls))
        self._open: dict[int, _Conversation] = {}
        self._replies: dict[int, Reply] = {}
        self._left = effect.memory
        self._selector: selectors.BaseSelector = selectors.DefaultSelector()

    def run(self) -> tuple[Reply, ...]:
        """Until each has its reply, time is up, or somebody interrupts."""
        missing: Reason = "timeout"
        try:
            while self._waiting or self._open:
                if self._stopped() or time.monotonic() >= self._until:
                    missing = "interrupted" if self._stopped() else "timeout"
                    break
                self._begin_some()
                self._move()
        finally:
            for each in list(self._open.values()):
                self._end(each, NoReply(missing))
            self._selector.close()
        return tuple([self._replies.get(number, NoReply(missing)) for number in range(len(self._effect.calls))])

    def _begin_some(self) -> None:
        while self._waiting and len(self._open) < TOGETHER:
            number, call = self._waiting.popleft()
            until = min(self._until, time.monotonic() + self._effect.seconds)
            try:
                begun = _Conversation(number, call, until, self._effect.limit)
            except _Broken as broken:
                self._replies[number] = NoReply(broken.reason)
            except OSError:
                self._replies[number] = NoReply("unreachable")
            else:
                self._open[number] = begun
                self._selector.register(begun.socket, begun.events, begun)

    def _move(self) -> None:
        """Wait for sockets, move those that can, end those whose time is up."""
        nearest = min([each.until for each in self._open.values()], default=0.0)
        for key, events in self._selector.select(min(_GLANCE, max(0.0, nearest - time.monotonic()))):
            self._step(key.data, events)
        now = time.monotonic()
        for each in [each for each in self._open.values() if each.until <= now]:
            self._end(each, NoReply("timeout"))

    def _step(self, each: _Conversation, events: int) -> None:
        before = each.held
        try:
            reply = each.step(events)
            self._left -= each.held - before
            if self._left < 0:
                raise _Broken("too large")
        except _Broken as broken:
            self._left += before
            self._end(each, NoReply(broken.reason))
            return
        if reply is not None:
            self._end(each, reply)
        else:
            self._selector.modify(each.socket, each.events, each)

    def _end(self, each: _Conversation, reply: Reply) -> None:
        self._replies[each.number] = reply
        self._open.pop(each.number, None)
        self._selector.unregister(each.socket)
        each.socket.close()
